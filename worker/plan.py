"""A dry run: the live path on a copy of the state, with targets that refuse every write, told as a difference."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from sqlalchemy.engine import make_url

from connectors.base import (
    Capabilities,
    Connector,
    CreateNote,
    CreateTask,
    FieldNeed,
    Finding,
    Page,
    Query,
    R,
    Result,
    Row,
    Write,
    WriteResult,
)
from connectors.notifier import Message
from worker.assembly import assemble
from worker.core.model import AccountId, ConnectorName, Flag
from worker.core.policy import Brakes
from worker.cycle import CycleReport
from worker.effects import FlagWrite
from worker.ports import Ports
from worker.settings import Settings
from worker.store import outbox
from worker.store.codec import decode
from worker.store.database import Store, open_store
from worker.store.deliveries import Delivery, Kind, State
from worker.wiring import open_crms

_REFUSAL = WriteResult(Result.REJECTED, reason="this is a dry run")


class ReadOnly:
    """A connector that reads and refuses every write: the dry run cannot have an effect, whatever else is wrong."""

    def __init__(self, inner: Connector) -> None:
        self._inner = inner

    def capabilities(self) -> Capabilities:  # noqa: D102
        return self._inner.capabilities()

    def check(self, needs: Sequence[FieldNeed]) -> Sequence[Finding]:  # noqa: D102
        return self._inner.check(needs)

    def setup(self, needs: Sequence[FieldNeed], *, dry_run: bool) -> Sequence[Finding]:  # noqa: ARG002, D102
        return self._inner.setup(needs, dry_run=True)

    def announce(self, queries: Sequence[Query[Row]]) -> None:  # noqa: D102
        self._inner.announce(queries)

    def pull(self, query: Query[R]) -> Iterator[Page[R]]:  # noqa: D102
        return self._inner.pull(query)

    def write(self, batch: Sequence[Write]) -> Sequence[WriteResult]:  # noqa: D102
        return [_REFUSAL for _ in batch]

    def find(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, str]:  # noqa: D102
        return self._inner.find(keys, accounts)

    def count(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, int]:  # noqa: D102
        return self._inner.count(keys, accounts)

    def close(self) -> None:  # noqa: D102
        self._inner.close()


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing that a cycle would do."""

    connector: ConnectorName
    account_id: AccountId
    verb: str
    detail: str


@contextmanager
def scratch(settings: Settings, ports: Ports) -> Iterator[Store]:
    """A copy of the state, thrown away afterwards. A state on a server is not copied: the plan starts from nothing."""
    folder = Path(tempfile.mkdtemp(prefix="escalation-plan-"))
    try:
        url = make_url(settings.store_url.reveal())
        copy = folder / "state.sqlite"
        if url.get_backend_name() == "sqlite" and url.database and Path(url.database).exists():
            _copy(Path(url.database), copy)
        store = open_store(f"sqlite:///{copy}", ports)
        try:
            yield store
        finally:
            store.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def plan(settings: Settings, ports: Ports) -> tuple[CycleReport, list[Planned]]:
    """What one cycle would do now, new escalations that a brake would hold included."""
    released = Brakes(first_run_asks=False, most_new=10**9, most_share=Decimal(10**9), surprise=0, writes=False)
    unbraked = replace(settings, policy=replace(settings.policy, brakes=released))
    crms = tuple(replace(crm, connector=ReadOnly(crm.connector)) for crm in open_crms(settings))
    with scratch(settings, ports) as store:
        before = _newest(store)
        worker = assemble(unbraked, store, ports, crms=crms)
        try:
            report = worker.cycle.run()
        finally:
            worker.close()
        with store.read() as tx:
            fresh = [each for each in outbox.in_state(tx, State.NEW, limit=10**6) if each.ordinal > before]
    return report, [_planned(each) for each in fresh]


def _newest(store: Store) -> int:
    with store.read() as tx:
        return max((each.ordinal for each in outbox.in_state(tx, *State, limit=10**7)), default=0)


def _planned(delivery: Delivery) -> Planned:
    intent = delivery.intent
    match intent.kind:
        case Kind.FLAG:
            write = decode(intent.payload, FlagWrite)
            verb, detail = _flag_difference(write)
        case Kind.NOTE:
            verb, detail = "note", decode(intent.payload, CreateNote).title
        case Kind.TASK:
            task = decode(intent.payload, CreateTask)
            verb, detail = "task", f"{task.subject} (for {task.assignee_id})"
        case Kind.MESSAGE:
            message = decode(intent.payload, Message)
            verb, detail = "tell", f"{intent.lane} {', '.join(message.to)}: {message.subject}"
    return Planned(intent.connector, intent.account_id, verb, detail)


def _flag_difference(write: FlagWrite) -> tuple[str, str]:
    before, after = write.expect, write.flag
    if after.escalated and not before.escalated:
        return "set", _words(after)
    if before.escalated and not after.escalated:
        return "clear", f"was {_words(before)}"
    return "change", f"{_words(before)} -> {_words(after)}"


def _words(flag: Flag) -> str:
    due = "" if flag.due_at is None else f", due {flag.due_at:%Y-%m-%d %H:%M} UTC"
    return f"{flag.level or 'no level'}: {flag.reason or flag.status}{due}"
