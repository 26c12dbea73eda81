"""Looking for cases of several customers that say nearly the same, and asking a person whether they are one bug.

Now and then, over the mirror, never in the way of a decision: a proposal escalates nobody. A person who agrees writes
one bug key onto the cases in the CRM, and the rule of the multi-customer bug does the rest.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from connectors.base import CreateTask
from worker import assembly, brakes, proposals
from worker.apart import AlikeAccount, AlikeCase, AlikeCases
from worker.assembly import Worker
from worker.core.likeness import WEEKS_BEFORE, Alike, Cluster, clusters
from worker.core.model import (
    BUILT_IN_TRIGGERS,
    MULTI_CUSTOMER_BUG,
    Account,
    AccountId,
    AccountView,
    Case,
    CaseStatus,
    Event,
    Level,
    Person,
    RecordId,
    RecordKind,
)
from worker.core.policy import Policy
from worker.core.proposals import Proposal, Seen, compared
from worker.core.routing import answering_as
from worker.core.telling import sums, worth_of
from worker.core.wording import wording, written
from worker.field_readers import UnmappableError
from worker.ports import Ports
from worker.store import facts, guard, outbox, progress
from worker.store.codec import encode
from worker.store.database import Store
from worker.store.deliveries import Intent, Kind
from worker.wiring import Crm

_NAMESPACE = uuid.UUID("2b6f0b57-7a1b-5d0e-8f0a-5b8e2f7a9c31")
_OTHER_MATTERS = frozenset(BUILT_IN_TRIGGERS) - {MULTI_CUSTOMER_BUG}
"""What a case is filed as that is no bug, and escalates by itself."""
_EVERY, _LONGEST = timedelta(hours=1), timedelta(hours=24)
_REST = 50
"""Times as long as a look took the worker does other things before the next."""
_SLACK = timedelta(days=1)
_LISTED, _WORDS, _QUOTED = 25, 8, 90


def propose_if_due(worker: Worker, store: Store, ports: Ports) -> None:
    """Look at each CRM whose time has come, and enqueue the questions. Nothing is asked while new ones are held."""
    for crm in worker.crms:
        now, began = ports.now(), ports.monotonic()
        with store.read() as tx:
            due = _is_due(tx, worker.settings.policy, crm, now)
        if due:
            _Look(worker, store, crm, now).run()
            took = timedelta(seconds=ports.monotonic() - began)
            with store.begin() as tx:
                guard.set_setting(tx, _next(crm), (now + min(_LONGEST, max(_EVERY, _REST * took))).isoformat())


def _next(crm: Crm) -> str:
    return f"likeness_next:{crm.name}"


def _is_due(tx: Connection, policy: Policy, crm: Crm, now: datetime) -> bool:
    """Whether cases are known, nothing is held, and the last look is long enough ago, by a clock that goes forward."""
    if not policy.likeness.enabled or not _key_field(crm):
        return False
    place = progress.position(tx, crm.name, RecordKind.CASE)
    if place.swept_at is None or place.failure or brakes.hold_of(tx, crm.name) is not None:
        return False
    said = guard.setting(tx, _next(crm))
    return not said or not timedelta(0) < datetime.fromisoformat(said) - now <= _LONGEST


def _key_field(crm: Crm) -> str:
    """What the CRM calls the field of a case's bug key; empty where it has none, so that nobody could say yes."""
    return next((need.field_name for need in crm.mapping.needs() if need.core_name == "bug_key"), "")


@dataclass(frozen=True, slots=True)
class _Found:
    """A cluster with what is known of its cases and accounts."""

    cluster: Cluster
    cases: Mapping[RecordId, Case]
    accounts: Mapping[AccountId, Account]

    @property
    def first(self) -> Case:
        """The oldest of its cases."""
        return self.cases[self.cluster.cases[0].id]

    @property
    def customers(self) -> int:
        """How many accounts, those of one parent counted once."""
        return len({account.parent_id or account.id for account in self.accounts.values()})

    def seen(self) -> Seen:
        """As it is compared with what was proposed before."""
        words = written(self.first, self.cluster.words)[:_WORDS]
        return Seen(self.cluster, self.customers, _in_short(self.first.subject), words)


class _Look:
    """One look at one CRM."""

    def __init__(self, worker: Worker, store: Store, crm: Crm, now: datetime) -> None:
        self._worker = worker
        self._store = store
        self._crm = crm
        self._now = now
        self._policy = worker.settings.policy
        self._rule = self._policy.likeness

    def run(self) -> None:
        with self._store.read() as tx:
            alike = list(self._cases(tx))
            told = clusters(alike, self._rule.accounts)
            found = [each for cluster in told if (each := self._known(tx, cluster)) is not None]
            before = proposals.remembered(tx, self._crm.name)
        if not found and not before:
            return
        with self._store.begin() as tx:
            before = proposals.remembered(tx, self._crm.name)
            kept = compared(before, (each.seen() for each in found), self._rule, self._now)
            asked = [self._ask(tx, *each) for each in zip(kept, found, strict=False)]
            proposals.remember(tx, self._crm.name, (*asked, *kept[len(asked) :]))

    def _cases(self, tx: Connection) -> Iterator[Alike]:
        since = self._now - (WEEKS_BEFORE + 1) * self._rule.within
        for fact in facts.cases_since(tx, self._crm.name, since - _SLACK):
            case = self._case(fact)
            if case is not None and case.opened_at is not None and case.opened_at >= since:
                alike = self._alike(case, case.opened_at)
                if alike is not None:
                    yield alike

    def _case(self, fact: facts.Fact) -> Case | None:
        try:
            return self._crm.mapping.case(self._crm.mapping.load(RecordKind.CASE, fact.body))
        except UnmappableError:
            return None

    def _alike(self, case: Case, opened_at: datetime) -> Alike | None:
        """A case as it is compared; None for one of this time that is closed without a key, and for other matters."""
        late = opened_at >= self._now - self._rule.within
        present = late and case.status is CaseStatus.OPEN and case.bug_key is None
        said = wording(case) if present or not late or case.bug_key is not None else None
        if said is None or not case.account_id or case.category in _OTHER_MATTERS:
            return None
        key = case.bug_key if late else None
        return Alike(case.id, case.account_id, opened_at, said, case.product, present, key)

    def _known(self, tx: Connection, cluster: Cluster) -> _Found | None:
        """The cluster without accounts that are gone; None where too few are left."""
        views = {each: view for each in cluster.accounts if (view := self._view(tx, each)) is not None}
        cases = {case.id: case for view in views.values() for case in view.cases}
        left = replace(cluster, cases=tuple(case for case in cluster.cases if case.id in cases))
        found = _Found(left, cases, {each: views[each].account for each in left.accounts})
        return found if found.customers >= self._rule.accounts else None

    def _view(self, tx: Connection, account_id: AccountId) -> AccountView | None:
        """What is known of an account that is still a customer."""
        situation = self._worker.cycle.decider(self._crm.name).situation(tx, account_id, self._now, complete=True)
        if situation is None or situation.view.account.deleted or situation.view.account.has_left(self._now.date()):
            return None
        return situation.view

    def _ask(self, tx: Connection, proposal: Proposal, found: _Found) -> Proposal:
        """Enqueue the question where one is due and there is somebody to ask."""
        if not proposal.to_ask(self._rule):
            return proposal
        page = max(found.accounts.values(), key=lambda account: (self._worth(account), account.id))
        person = answering_as(self._rule.asks, page, self._policy, self._now)
        if person is None:
            return proposal
        asked = proposal.put(person.name)
        outbox.enqueue(tx, [self._task(asked, found, page, person, grown=proposal.times > 0)], self._now)
        return asked

    def _worth(self, account: Account) -> Decimal:
        """The account's ARR in the home currency; none where it is not known there."""
        worth = worth_of(account, self._policy, self._now.date())
        return Decimal(0) if worth is None or worth.currency != self._policy.rates.home else worth.amount

    def _task(self, asked: Proposal, found: _Found, page: Account, person: Person, *, grown: bool) -> Intent:
        key = str(uuid.uuid5(_NAMESPACE, f"{self._crm.name}|{asked.key}|{asked.times}"))
        told = assembly.renderer(self._worker.settings).told_apart(self._told(asked, found, grown=grown))
        due = self._now + self._policy.levels[Level.L1].response
        task = CreateTask(key, page.id, person.id, told.title, told.text, due)
        return Intent(
            key=key,
            lane=self._crm.name,
            kind=Kind.TASK,
            connector=self._crm.name,
            account_id=page.id,
            escalation_id=f"likeness {asked.key}",
            event=Event.QUESTION,
            event_no=asked.times,
            level=Level.L1,
            payload=encode(task),
        )

    def _told(self, asked: Proposal, found: _Found, *, grown: bool) -> AlikeCases:
        worths = [worth_of(account, self._policy, self._now.date()) for account in found.accounts.values()]
        lines = list(self._lines(found))
        return AlikeCases(
            proposal=asked,
            grown=grown,
            accounts=len(found.accounts),
            cases=len(found.cluster.cases),
            worth=" + ".join(map(str, sums(worths))),
            unknown=sum(worth is None for worth in worths),
            lines=lines[:_LISTED],
            more=len(lines[_LISTED:]),
            words=asked.words,
            field=_key_field(self._crm),
            bug_accounts=self._policy.bug_accounts,
            within=self._rule.within,
            before=WEEKS_BEFORE * self._rule.within,
            again=self._rule.again,
        )

    def _lines(self, found: _Found) -> Iterator[AlikeAccount]:
        """An account each, the one that is worth most first, with its cases."""
        own: dict[AccountId, list[AlikeCase]] = defaultdict(list)
        for each in found.cluster.cases:
            case = found.cases[each.id]
            own[each.account_id].append(AlikeCase(case.id, _in_short(case.subject), case.opened_at))
        for account in sorted(found.accounts.values(), key=lambda each: (-self._worth(each), each.id)):
            worth = worth_of(account, self._policy, self._now.date())
            csm = "" if account.owner is None else account.owner.name
            yield AlikeAccount(account.name, "" if worth is None else str(worth), csm, own[account.id])


def _in_short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _QUOTED else plain[: _QUOTED - 1] + "…"
