"""The backtest that a proposal carries: one rule on the stored facts of one CRM, for as long as its budget allows.

It runs where the proposal is decided, so it must not take long: account by account, in an order that has nothing to do
with what happened to them, until the time is over. What is then told is of a sample, and says so.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection

from worker.core.model import MANUAL, AccountId, TriggerId
from worker.core.policy import Policy
from worker.core.proof import Proof, one_higher, prove
from worker.core.replay import BugHistory, Past, replay
from worker.ports import Ports
from worker.situation import Detector
from worker.store import fact_history, facts
from worker.whatif.backtest import without_clocks
from worker.whatif.timeline import Timelines, add_facts, in_time
from worker.wiring import Crm

_YEAR = timedelta(days=365)


class Prover:
    """Holds rules of a policy against the past of one CRM. `budget` bounds how long it looks."""

    def __init__(
        self, crm: Crm, policy: Policy, detector: Detector, ports: Ports, budget: timedelta = timedelta(seconds=2)
    ) -> None:
        self._crm = crm
        self._policy = policy
        self._detector = detector
        self._ports = ports
        self._budget = budget.total_seconds()

    def prove(self, tx: Connection, rule: TriggerId, now: datetime) -> Proof | None:
        """What the rule has seen within a year, as far as that is stored; None for what no rule has found."""
        if rule == MANUAL or rule not in self._policy.triggers:
            return None
        until = self._ports.monotonic() + self._budget
        since = max(now - _YEAR, min(fact_history.accounts_first_seen(tx, self._crm.name), default=now))
        accounts = sorted(facts.account_ids(tx, self._crm.name), key=_shuffled)
        bugs = self._bugs(tx, since)
        pasts: list[tuple[Past, Past]] = []
        for account in accounts:
            if pasts and self._ports.monotonic() >= until:
                break
            pasts.append(self._both(tx, account, bugs, rule, since, now))
        return prove(rule, pasts, since, now, len(accounts), self._policy)

    def _bugs(self, tx: Connection, since: datetime) -> BugHistory:
        lines = Timelines()
        add_facts(
            lines, fact_history.bug_past(tx, self._crm.name), self._crm.name, self._crm.mapping, self._detector, since
        )
        return lines.bugs[self._crm.name]

    def _both(
        self, tx: Connection, account: AccountId, bugs: BugHistory, rule: TriggerId, since: datetime, now: datetime
    ) -> tuple[Past, Past]:
        """One account under the policy as it is, and with the rule a level higher."""
        name, lines = self._crm.name, Timelines()
        stored = sorted(fact_history.of_account(tx, name, account), key=lambda fact: (fact.kind.value, fact.record_id))
        add_facts(lines, stored, name, self._crm.mapping, self._detector, since)
        versions = sorted(lines.versions[name, account], key=in_time)
        policy = without_clocks(self._policy)
        today = replay(account, versions, bugs, policy, since, now)
        if not any(rule in episode.triggers for episode in today.episodes):
            return today, today
        return today, replay(account, versions, bugs, one_higher(policy, rule), since, now)


def _shuffled(account: AccountId) -> bytes:
    return hashlib.blake2b(account.encode(), digest_size=8).digest()
