"""Stored facts as time-stamped values, account by account: what a replay runs on.

A version counts from the stamp that the CRM gave it, not from when the worker read it: so the past that a CRM kept (see
`backfill`) counts where it belongs. Where it kept none, a case or dispute was open from the time at which the CRM says
that it was opened. What cannot be mapped is left out and counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

from worker.core.model import Account, AccountId, BugKey, Case, CaseStatus, ConnectorName, Dispute, RecordKind
from worker.core.replay import BugHistory, Version
from worker.detector import CachedDetector
from worker.field_readers import UnmappableError
from worker.mapping import CrmMapping, load_mapping
from worker.past import counts_from
from worker.phrasebook import load as load_phrases
from worker.settings import Settings
from worker.situation import Detector
from worker.store import fact_history, facts
from worker.store.database import Store

Key = tuple[ConnectorName, AccountId]
_Said = tuple[datetime, str, Account | Case | Dispute | None]
_Change = tuple[datetime, str, BugKey | None, AccountId]


@dataclass(slots=True)
class Timelines:
    """The versions of every account, each in the order of time. `unread` counts what could not be mapped."""

    versions: dict[Key, list[Version]] = field(default_factory=lambda: defaultdict(list))
    bugs: dict[ConnectorName, BugHistory] = field(default_factory=dict)
    unread: int = 0

    @property
    def earliest(self) -> datetime | None:
        """When the past that is known begins."""
        return min((each[0].at for each in self.versions.values() if each), default=None)


def load_all(store: Store, settings: Settings, since: datetime) -> Timelines:
    """The past of every connector of the settings, from `since` on: no CRM is asked anything."""
    detector = CachedDetector(load_phrases(settings.phrases_dir))
    lines = Timelines()
    for each in settings.connectors:
        _read(lines, store, each.name, load_mapping(each.mapping), detector, since)
    for versions in lines.versions.values():
        versions.sort(key=in_time)
    return lines


def in_time(version: Version) -> tuple[datetime, str, str]:
    """The order in which a replay takes versions."""
    return version.at, version.kind.value, version.record_id


def _read(
    lines: Timelines,
    store: Store,
    connector: ConnectorName,
    mapping: CrmMapping,
    detector: Detector,
    since: datetime,
) -> None:
    """One CRM; earlier versions only as far as they still stood at `since`."""
    with store.read() as tx:
        add_facts(lines, fact_history.whole_past(tx, connector), connector, mapping, detector, since)


def add_facts(
    lines: Timelines,
    past: Iterable[facts.Fact],
    connector: ConnectorName,
    mapping: CrmMapping,
    detector: Detector,
    since: datetime,
) -> None:
    """The versions of some records, those of one record together, the oldest first; the bugs are what these say."""
    bug_changes: list[_Change] = []
    for (kind, _), group in groupby(past, key=lambda fact: (fact.kind, fact.record_id)):
        standing = _standing(list(group), mapping, since)
        said = _not_replaced(_with_opening(_understood(lines, mapping, kind, standing)), since)
        _add(lines, connector, bug_changes, detector, kind, said)
    lines.bugs[connector] = _bug_history(bug_changes)


def _standing(
    versions: Sequence[facts.Fact], mapping: CrmMapping, since: datetime
) -> Iterator[tuple[datetime, facts.Fact]]:
    """The versions with the time from which each counts, without those that were replaced before `since`.

    A version must not count before the one that it replaced, whatever the CRM's clock did.
    """
    times: list[datetime] = []
    for fact in versions:
        at = counts_from(fact, mapping)
        times.append(max(at, times[-1] + timedelta(microseconds=1)) if times else at)
    for place, fact in enumerate(versions):
        if place + 1 == len(versions) or times[place + 1] > since:
            yield times[place], fact


def _add(
    lines: Timelines,
    connector: ConnectorName,
    bug_changes: list[_Change],
    detector: Detector,
    kind: RecordKind,
    versions: Iterable[_Said],
) -> None:
    owner: AccountId | None = None
    for at, record_id, value in versions:
        new = owner if value is None else (value.id if isinstance(value, Account) else value.account_id)
        if owner is not None and new != owner:
            lines.versions[connector, owner].append(Version(at, kind, record_id, None))
        owner = AccountId(new or "")
        if not owner:
            continue
        hits = detector.hits(value) if isinstance(value, Case) and value.status is CaseStatus.OPEN else ()
        lines.versions[connector, owner].append(Version(at, kind, record_id, value, hits))
        if kind is RecordKind.CASE:
            is_open = isinstance(value, Case) and value.status is CaseStatus.OPEN
            bug_changes.append((at, record_id, value.bug_key if is_open and isinstance(value, Case) else None, owner))


def _understood(
    lines: Timelines, mapping: CrmMapping, kind: RecordKind, versions: Iterable[tuple[datetime, facts.Fact]]
) -> Iterator[_Said]:
    for at, fact in versions:
        try:
            yield at, fact.record_id, None if fact.gone else _value(mapping, kind, fact)
        except UnmappableError:
            lines.unread += 1


def _with_opening(versions: Iterable[_Said]) -> Iterator[_Said]:
    """The versions, after an open one where the first that is known came later than the record was opened."""
    first = True
    for at, record_id, value in versions:
        opened = None if value is None or isinstance(value, Account) else value.opened_at
        if first and opened is not None and opened < at and not isinstance(value, Account | None):
            yield opened, record_id, replace(value, status=CaseStatus.OPEN)
            closed = value.closed_at if isinstance(value, Case) and value.status is CaseStatus.CLOSED else None
            yield (at if closed is None or not opened < closed < at else closed), record_id, value
        else:
            yield at, record_id, value
        first = False


def _not_replaced(versions: Iterable[_Said], since: datetime) -> Iterator[_Said]:
    """Without what was over before `since`: a case of years ago need not be read for phrases."""
    before: _Said | None = None
    for each in versions:
        if before is not None and each[0] > since:
            yield before
        before = each
    if before is not None:
        yield before


def _value(mapping: CrmMapping, kind: RecordKind, fact: facts.Fact) -> Account | Case | Dispute:
    row = mapping.load(kind, fact.body)
    match kind:
        case RecordKind.ACCOUNT:
            return mapping.account(row)
        case RecordKind.CASE:
            return mapping.case(row)
        case RecordKind.DISPUTE:
            return mapping.dispute(row)


def _bug_history(changes: Iterable[_Change]) -> BugHistory:
    """For each bug the accounts with an open case on it, over time."""
    standing: dict[str, tuple[BugKey, AccountId]] = {}
    accounts: dict[BugKey, dict[str, AccountId]] = defaultdict(dict)
    told: dict[BugKey, list[tuple[datetime, frozenset[AccountId]]]] = defaultdict(list)
    for at, record_id, key, account in sorted(changes, key=lambda change: (change[0], change[1])):
        before = standing.pop(record_id, None)
        if before is not None:
            accounts[before[0]].pop(record_id, None)
        if key is not None:
            standing[record_id] = (key, account)
            accounts[key][record_id] = account
        for touched in {key, None if before is None else before[0]} - {None}:
            if touched is not None:
                told[touched].append((at, frozenset(accounts[touched].values())))
    return BugHistory(dict(told))
