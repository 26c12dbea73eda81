"""How far reading has come, which accounts must be decided, and what is known of the worker's own flag there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from worker.core.model import AccountId, ConnectorName, Flag, RecordKind
from worker.store.codec import decode, encode, instant, maybe_instant, maybe_micros, micros
from worker.store.schema import cursor, dirty, quarantine, watch
from worker.store.statements import add_rows, listed, upsert

_POSITION = select(cursor).where(cursor.c.connector == bindparam("connector"), cursor.c.kind == bindparam("kind"))
_SAVE_POSITION = upsert(cursor, ("connector", "kind"), ("stamp", "record_id", "read_at", "swept_at", "failure"))
_MARK_AGAIN = "ON CONFLICT (connector, account_id) DO UPDATE SET mark = dirty.mark + 1"
_DIRTY = (
    select(dirty.c.account_id, dirty.c.since, dirty.c.mark)
    .where(dirty.c.connector == bindparam("connector"), dirty.c.account_id > bindparam("after"))
    .order_by(dirty.c.account_id)
    .limit(bindparam("most"))
)
_CLEAR = delete(dirty).where(
    dirty.c.connector == bindparam("connector"),
    dirty.c.account_id == bindparam("account_id"),
    dirty.c.mark == bindparam("mark"),
)
_WATCH_KEYS = ("connector", "account_id")
_WATCHED = watch.c.connector == bindparam("connector")
_DUE = select(watch.c.account_id).where(_WATCHED, watch.c.next_at <= bindparam("now")).order_by(watch.c.account_id)
_KNOWN = select(watch.c.account_id, watch.c.written_at).where(_WATCHED, listed(watch.c.account_id, "accounts"))
_WATCH = select(watch).where(_WATCHED, watch.c.account_id == bindparam("account_id"))
_ASKED = select(watch.c.account_id, watch.c.asked).where(_WATCHED, watch.c.asked.contains(bindparam("question")))
_REMEMBER = upsert(watch, _WATCH_KEYS, ("next_at", "asked"))
_CONFIRM = upsert(watch, _WATCH_KEYS, ("written", "written_at"))
_SAW = (
    update(watch)
    .where(watch.c.connector == bindparam("of_connector"), listed(watch.c.account_id, "accounts"))
    .values(read_at=bindparam("began"))
)
_ASIDE_KEYS = ("connector", "kind", "record_id")
_SET_ASIDE = upsert(quarantine, _ASIDE_KEYS, ("account_id", "reason", "modified", "seen_at"), ("body", "since"))
_OF_KIND = and_(quarantine.c.connector == bindparam("connector"), quarantine.c.kind == bindparam("kind"))
_ASIDE = select(quarantine.c.record_id, quarantine.c.modified).where(_OF_KIND)
_RELEASE = delete(quarantine).where(_OF_KIND, listed(quarantine.c.record_id, "ids"))
_ASIDE_OF = select(quarantine.c.kind, quarantine.c.record_id).where(
    quarantine.c.connector == bindparam("connector"), quarantine.c.account_id == bindparam("account_id")
)
_ALL_ASIDE = select(quarantine).order_by(quarantine.c.connector, quarantine.c.kind, quarantine.c.record_id)


@dataclass(frozen=True, slots=True)
class Position:
    """How far one kind has been read. `read_at`: when the last complete read began; `failure` says why it is older."""

    stamp: datetime | None = None
    record_id: str = ""
    read_at: datetime | None = None
    swept_at: datetime | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """An account to decide; `mark` is what `clear` compares, so that a mark set meanwhile stays."""

    account_id: AccountId
    since: datetime
    mark: int


@dataclass(frozen=True, slots=True)
class Watch:
    """What the worker remembers of an account besides its escalation."""

    next_at: datetime | None = None
    asked: frozenset[str] = frozenset()
    written: Flag | None = None
    written_at: datetime | None = None
    read_at: datetime | None = None


def position(tx: Connection, connector: ConnectorName, kind: RecordKind) -> Position:
    """Where reading stands."""
    row = tx.execute(_POSITION, {"connector": connector, "kind": kind.value}).first()
    if row is None:
        return Position()
    return Position(
        maybe_instant(row.stamp), row.record_id, maybe_instant(row.read_at), maybe_instant(row.swept_at), row.failure
    )


def save_position(tx: Connection, connector: ConnectorName, kind: RecordKind, place: Position) -> None:
    """Remember where reading stands; the last statement of the page's transaction."""
    values: dict[str, object] = {
        "connector": connector,
        "kind": kind.value,
        "stamp": maybe_micros(place.stamp),
        "record_id": place.record_id,
        "read_at": maybe_micros(place.read_at),
        "swept_at": maybe_micros(place.swept_at),
        "failure": place.failure,
    }
    tx.execute(_SAVE_POSITION.on(tx), values)


def mark_dirty(tx: Connection, connector: ConnectorName, accounts: Iterable[AccountId], now: datetime) -> int:
    """Ask for a decision on these accounts. Returns how many."""
    wanted = sorted(set(accounts))
    if not wanted:
        return 0
    moment = micros(now)
    rows = [(connector, account, moment, moment) for account in wanted]
    add_rows(tx, dirty, tuple(dirty.c), rows, _MARK_AGAIN)
    return len(wanted)


def dirty_accounts(tx: Connection, connector: ConnectorName, limit: int, after: str = "") -> list[Mark]:
    """Accounts to decide, by id; page through them with the last one's id."""
    wanted = {"connector": connector, "after": after, "most": limit}
    return [Mark(AccountId(row[0]), instant(row[1]), row[2]) for row in tx.execute(_DIRTY, wanted)]


def clear_dirty(tx: Connection, connector: ConnectorName, mark: Mark) -> None:
    """Take the mark away unless it was set again."""
    tx.execute(_CLEAR, {"connector": connector, "account_id": mark.account_id, "mark": mark.mark})


def due_accounts(tx: Connection, connector: ConnectorName, now: datetime) -> list[AccountId]:
    """Accounts whose timer is due."""
    return [AccountId(row[0]) for row in tx.execute(_DUE, {"connector": connector, "now": micros(now)})]


def watched(tx: Connection, connector: ConnectorName, accounts: list[str]) -> dict[str, datetime | None]:
    """Which of these accounts the worker ever had to do with, with the time its flag was last written.

    Every account with an escalation is among them: the decision that opens it remembers the account too.
    """
    found = tx.execute(_KNOWN, {"connector": connector, "accounts": accounts})
    return {row[0]: maybe_instant(row[1]) for row in found}


def watch_of(tx: Connection, connector: ConnectorName, account_id: AccountId) -> Watch:
    """What is remembered of an account."""
    row = tx.execute(_WATCH, {"connector": connector, "account_id": account_id}).first()
    if row is None:
        return Watch()
    return Watch(
        maybe_instant(row.next_at),
        decode(row.asked, frozenset[str]),
        None if row.written is None else decode(row.written, Flag),
        maybe_instant(row.written_at),
        maybe_instant(row.read_at),
    )


def asked_for(tx: Connection, connector: ConnectorName, question: str) -> dict[AccountId, frozenset[str]]:
    """The accounts that were asked a question whose fingerprint begins so, with all that they were asked."""
    rows = tx.execute(_ASKED, {"connector": connector, "question": f'"{question}'})
    return {AccountId(row[0]): decode(row[1], frozenset[str]) for row in rows}


def remember(
    tx: Connection, connector: ConnectorName, account_id: AccountId, next_at: datetime | None, asked: frozenset[str]
) -> None:
    """Set the timer and what was asked; what is known of the flag stays."""
    values: dict[str, object] = {
        "connector": connector,
        "account_id": account_id,
        "next_at": maybe_micros(next_at),
        "asked": encode(asked).decode(),
    }
    tx.execute(_REMEMBER.on(tx), values)


def confirm_flag(tx: Connection, connector: ConnectorName, account_id: AccountId, flag: Flag, at: datetime) -> None:
    """Remember that the CRM has this flag since `at`."""
    values: dict[str, object] = {
        "connector": connector,
        "account_id": account_id,
        "written": encode(flag).decode(),
        "written_at": micros(at),
    }
    tx.execute(_CONFIRM.on(tx), values)


def saw_accounts(tx: Connection, connector: ConnectorName, accounts: list[str], began: datetime) -> None:
    """Remember when watched accounts were last read; unwatched ones cost nothing."""
    tx.execute(_SAW, {"of_connector": connector, "accounts": accounts, "began": micros(began)})


def put_in_quarantine(
    tx: Connection,
    connector: ConnectorName,
    kind: RecordKind,
    record_id: str,
    account_id: str,
    reason: str,
    now: datetime,
    *,
    modified: str = "",
    body: str = "",
) -> None:
    """Set a record aside with the reason. The first sight stays."""
    moment = micros(now)
    values: dict[str, object] = {
        "connector": connector,
        "kind": kind.value,
        "record_id": record_id,
        "account_id": account_id,
        "reason": reason,
        "modified": modified,
        "body": body,
        "since": moment,
        "seen_at": moment,
    }
    tx.execute(_SET_ASIDE.on(tx), values)


def aside(tx: Connection, connector: ConnectorName, kind: RecordKind) -> frozenset[str]:
    """The records of a kind that are set aside."""
    return frozenset(row[0] for row in tx.execute(_ASIDE, {"connector": connector, "kind": kind.value}))


def release_from_quarantine(
    tx: Connection, connector: ConnectorName, kind: RecordKind, read: Collection[str], stored: Mapping[str, str]
) -> None:
    """Take records out of which another version was stored than the one set aside; `stored` gives each one's stamp.

    A version that says nothing new is no news, whatever its stamp: nobody decides again, so it stays, and stays shown.
    What could not even be decoded has no stamp: it is released as soon as it is `read`.
    """
    apart = tx.execute(_ASIDE, {"connector": connector, "kind": kind.value})
    other = [row[0] for row in apart if (row[0] in read if not row[1] else stored.get(row[0], row[1]) != row[1])]
    _release(tx, connector, kind, other)


def release_understood(
    tx: Connection, connector: ConnectorName, account_id: AccountId, still: Iterable[tuple[RecordKind, str]]
) -> None:
    """Take an account's records out that a decision understood; `still` are those that it did not."""
    kept = {(kind.value, record_id) for kind, record_id in still}
    for row in tx.execute(_ASIDE_OF, {"connector": connector, "account_id": account_id}).all():
        if (row[0], row[1]) not in kept:
            _release(tx, connector, RecordKind(row[0]), [row[1]])


def _release(tx: Connection, connector: ConnectorName, kind: RecordKind, ids: list[str]) -> None:
    if ids:
        tx.execute(_RELEASE, {"connector": connector, "kind": kind.value, "ids": ids})


def quarantined(tx: Connection) -> list[str]:
    """Every record that is set aside, in words."""
    return [
        f"{row.connector} {row.kind} {row.record_id}: {row.reason} (since {instant(row.since):%Y-%m-%d %H:%M} UTC)"
        for row in tx.execute(_ALL_ASIDE)
    ]
