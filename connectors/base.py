"""What a connector promises, the values that cross the border, and the errors by what to do next.

A connector is one module in `connectors/crm/` with `connect(settings) -> Connector`. It neither retries nor sleeps nor
keeps state that a restart would need: the worker owns retries, cursors and keys. Every call is bounded by a timeout and
a total deadline. What only some CRMs can is promised apart: `connectors/quota.py` and `connectors/history.py`. A
channel's promise, which shares results, findings and errors with this one, is `connectors/notifier.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Generic, Protocol, TypeVar, runtime_checkable

import msgspec

Value = str | int | bool | Decimal | datetime | None
"""What a CRM field can hold on its way out. Times are aware UTC, numbers are never float."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a CRM, decoded. `record_id` as the CRM writes it, `modified_at` as text of the CRM.

    A mapping derives a subclass for each kind of record, whose fields carry the CRM's own field names as their
    encoded names; so a connector can decode a page in one step with msgspec. Values are left as JSON gave them
    (str, int, Decimal, bool, None): the mapping turns them into core values.

    An account that was merged into another one comes as deleted. Where the CRM says into which, the mapping's field
    `merged_into` holds that one's id; where it does not, the field is left out and the account is simply gone.
    """

    record_id: str
    modified_at: str
    deleted: bool = False


R = TypeVar("R", bound=Row)
R_co = TypeVar("R_co", bound=Row, covariant=True)


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the stream of changes: everything up to here has been read. Order is (stamp, id)."""

    stamp: datetime
    record_id: str = ""


@dataclass(frozen=True, slots=True)
class Query(Generic[R]):
    """What to read.

    Either changes since a cursor (`since`, inclusive; None means from the beginning), or records by condition (`where`:
    alternatives, in each of which every CRM field must hold one of the values; None among them stands for empty), or
    records by `ids`. `object_name` and the shape's encoded field names are the CRM's own words. Without the `required`
    ones among them nothing may be read; what else a CRM does not have may be left empty.
    """

    kind: str
    object_name: str
    shape: type[R]
    since: Cursor | None = None
    where: Sequence[Mapping[str, Sequence[Value]]] = ()
    ids: Sequence[str] | None = None
    page_size: int = 2000
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BadRow:
    """A record that could not be decoded: it goes to quarantine, the rest goes on."""

    record_id: str
    reason: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[R_co]):
    """Some records. `high_water` is how far a `since` query has come; safe to store once the page is stored.

    It never passes what the CRM may still commit late: the connector holds it back by the CRM's own clock. None: this
    page proves nothing about the ones to come, as where a window is read by id and is complete only at its end.
    """

    rows: Sequence[R_co]
    high_water: Cursor | None = None
    bad: Sequence[BadRow] = ()


@dataclass(frozen=True, slots=True)
class UpdateRecord:
    """Set fields of one record. `expect`, where the CRM can hold to it, makes it conditional on the present values.

    Of an account that was merged into another nothing is written into that other one, whose flag is its own; only a
    connector whose capabilities say `records` is asked for it, and changes its own record of the escalation.
    """

    key: str
    object_name: str
    record_id: str
    values: Mapping[str, Value]
    expect: Mapping[str, Value] | None = None


@dataclass(frozen=True, slots=True)
class CreateNote:
    """A note on an account's page. The same key twice makes one note, where the capabilities say so."""

    key: str
    account_id: str
    title: str
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CreateTask:
    """A task for one person, shown on an account's page."""

    key: str
    account_id: str
    assignee_id: str
    subject: str
    body: str
    due_at: datetime


Write = UpdateRecord | CreateNote | CreateTask


class Result(StrEnum):
    """What became of one write.

    APPLIED and ALREADY_APPLIED are done. RETRY surely did nothing and may be repeated. REJECTED will not succeed
    until somebody acts. CONFLICT: an `expect` did not hold. UNKNOWN: it may have happened; look it up by key.
    """

    APPLIED = "applied"
    ALREADY_APPLIED = "already_applied"
    RETRY = "retry"
    REJECTED = "rejected"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The fate of one write, with what the ledger needs: `remote_id` when done, `reason` and `remedy` when not.

    `retry_after`: how long this write must wait; `for_all`, that the target wants to be left alone so long altogether.
    """

    result: Result
    remote_id: str = ""
    reason: str = ""
    remedy: str = ""
    retry_after: timedelta | None = None
    for_all: bool = False

    @property
    def done(self) -> bool:
        """Whether the effect is there."""
        return self.result in (Result.APPLIED, Result.ALREADY_APPLIED)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector or notifier can do; stated without any I/O.

    `exactly_once`: a write with a key that exists makes nothing new. `conditional`: honours `expect`. `finds`: can look
    up keys. `lookup_lag`: how long a finished write may stay invisible to `find`. `settle`: how long the CRM may commit
    a change with an older stamp. `grouped`: a batch may hold several writes of one account, in order; they are applied
    in that order, and where one fails the later ones of its account are not applied (RETRY).

    `records`: each escalation has a record of its own beside the account's fields, which outlives a merge. `buttons`:
    messages may carry buttons, whose clicks are heard (`connectors/hearing.py`).

    How to read it: each tick reaches `overlap` back behind the cursor; every `late_every` a tick reaches `late_overlap`
    back, for what was committed late; the condition queries run every `states_every` (zero: each tick).
    """

    batch_size: int = 1
    page_size: int = 2000
    kinds: frozenset[str] = frozenset({"account", "case", "dispute"})
    notes: bool = True
    tasks: bool = True
    exactly_once: bool = False
    conditional: bool = False
    finds: bool = False
    threads: bool = False
    lookup_lag: timedelta = timedelta(0)
    settle: timedelta = timedelta(minutes=15)
    grouped: bool = False
    records: bool = False
    buttons: bool = False
    overlap: timedelta = timedelta(0)
    late_overlap: timedelta = timedelta(minutes=20)
    late_every: timedelta = timedelta(minutes=10)
    states_every: timedelta = timedelta(0)


class Severity(StrEnum):
    """How bad a finding is: ERROR keeps the worker from running, WARNING lets it run with less."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `check` or `setup`: what was looked at, what was found, what to do about it."""

    severity: Severity
    subject: str
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class FieldNeed:
    """A field that the mapping uses."""

    object_name: str
    field_name: str
    core_name: str
    write: bool = False
    required: bool = False


class ConnectorError(Exception):
    """Something about the whole call, not about one record. `remedy` tells ops what to do."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class RetryableError(ConnectorError):
    """The call surely did nothing, or only read: it may be repeated, not before `after`."""

    def __init__(self, message: str, remedy: str = "", after: timedelta | None = None) -> None:
        super().__init__(message, remedy)
        self.after = after


class FatalError(ConnectorError):
    """Nothing will work until somebody acts: credentials, configuration, a missing object."""


@runtime_checkable
class Connector(Protocol):
    """One CRM."""

    def capabilities(self) -> Capabilities:
        """What it can do. No I/O."""
        ...

    def check(self, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        """Look, reading only, whether credentials, objects, fields and permissions are there."""
        ...

    def setup(self, needs: Sequence[FieldNeed], *, dry_run: bool) -> Sequence[Finding]:
        """Make what is missing; may run again."""
        ...

    def announce(self, queries: Sequence[Query[Row]]) -> None:
        """What this tick will pull, told before the first of it: a connector that can ask several things in one call
        does so when the first is pulled. Does no I/O and raises nothing.
        """
        ...

    def pull(self, query: Query[R]) -> Iterator[Page[R]]:
        """Read lazily with bounded memory. Anything that is not understood raises: it is never `no rows`."""
        ...

    def write(self, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Write at most `batch_size` items; one result an item, in the same order."""
        ...

    def find(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, str]:
        """Keys of notes and tasks that exist, with their remote ids. Raises when it cannot look.

        `accounts` are those on whose pages they were to be written, for a CRM where a key is found nowhere else.
        """
        ...

    def count(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, int]:
        """How often each key is there, for `audit`: 0 and 2 are both faults. Raises when it cannot look."""
        ...

    def close(self) -> None:
        """Let go of connections; may be called twice."""
        ...
