"""Proof of exactly one note: the ledger held against the CRM, note by note and flag by flag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from worker.core.model import AccountId, RecordKind
from worker.effects import FlagWrite
from worker.field_readers import UnmappableError
from worker.field_readers import flag as read_flag
from worker.pages import page_of
from worker.store import escalations, outbox
from worker.store.codec import decode
from worker.store.database import Store
from worker.store.deliveries import Delivery, Kind, State
from worker.wiring import Crm

_AT_ONCE = 200


class Verdict(StrEnum):
    """What the audit says of one effect."""

    MISSING = "missing"
    DOUBLED = "doubled"
    FOREIGN = "foreign"
    WAITING = "waiting"
    REFUSED = "refused"
    FLAG_DIFFERS = "flag differs"


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One thing that is not as the ledger says. `key` names the effect in the outbox."""

    verdict: Verdict
    account_id: str
    key: str
    detail: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What was compared, and what differs."""

    notes: int
    flags: int
    lines: tuple[AuditLine, ...]

    @property
    def clean(self) -> bool:
        """Whether every confirmed note is there once and every flag stands."""
        return not any(line.verdict is not Verdict.WAITING for line in self.lines)


def audit(crm: Crm, store: Store) -> Audit:
    """Compare one CRM with the ledger. Reads only; raises ConnectorError when the CRM cannot be read."""
    with store.read() as tx:
        written = [each for kind in (Kind.NOTE, Kind.TASK) for each in outbox.of_kind(tx, crm.name, kind)]
        flags = {each.intent.account_id: each for each in outbox.of_kind(tx, crm.name, Kind.FLAG)}
        known = {one.account_id for _, one in escalations.open_ones(tx, crm.name)}
    lines = [*_notes(crm, written), *_flags(crm, flags, known)]
    return Audit(len(written), len(flags), tuple(lines))


def _notes(crm: Crm, written: Sequence[Delivery]) -> Iterator[AuditLine]:
    seen: Counter[str] = Counter()
    for start in range(0, len(written), _AT_ONCE):
        these = [each.intent for each in written[start : start + _AT_ONCE]]
        accounts = dict.fromkeys(page_of(intent) for intent in these)
        seen.update(crm.connector.count([intent.key for intent in these], list(accounts)))
    for each in written:
        found = seen[each.intent.key]
        line = _judged(each, found)
        if line is not None:
            yield line


def _judged(delivery: Delivery, found: int) -> AuditLine | None:
    intent = delivery.intent
    what = f"{intent.kind.value} of {intent.event.value} (event {intent.event_no} of {intent.escalation_id})"
    if found > 1:
        return AuditLine(Verdict.DOUBLED, intent.account_id, intent.key, f"{what} is there {found} times")
    match delivery.state, found:
        case State.DONE, 0:
            return AuditLine(Verdict.MISSING, intent.account_id, intent.key, f"{what} was confirmed and is not there")
        case State.REFUSED, _:
            return AuditLine(Verdict.REFUSED, intent.account_id, intent.key, f"{what}: {delivery.reason}")
        case ((State.NEW | State.TRYING | State.UNKNOWN), _):
            return AuditLine(Verdict.WAITING, intent.account_id, intent.key, f"{what} is on its way")
    return None


def _flags(crm: Crm, flags: Mapping[AccountId, Delivery], known: Collection[str]) -> Iterator[AuditLine]:
    settled: dict[str, Delivery] = {account: each for account, each in flags.items() if each.state is State.DONE}
    for page in crm.connector.pull(crm.mapping.query(RecordKind.ACCOUNT, ids=sorted(settled))) if settled else ():
        for row in page.rows:
            each = settled.get(row.record_id)
            if each is None or row.deleted:
                continue
            wanted = decode(each.intent.payload, FlagWrite).flag
            try:
                shown = read_flag(row)
            except UnmappableError as error:
                yield AuditLine(Verdict.FLAG_DIFFERS, row.record_id, each.intent.key, str(error))
                continue
            if shown != wanted and (row.record_id in known or shown.escalated):
                detail = f"the CRM shows {shown.level or 'no flag'} {shown.reason!r}, the ledger says {wanted.level}"
                yield AuditLine(Verdict.FLAG_DIFFERS, row.record_id, each.intent.key, detail)


def repair(store: Store, found: Audit) -> int:
    """Send again what is missing, by the same keys. Returns how many. Doubles are for a person to remove."""
    missing = {line.key for line in found.lines if line.verdict is Verdict.MISSING}
    with store.begin() as tx:
        return sum(outbox.reopen(tx, key) for key in sorted(missing))
