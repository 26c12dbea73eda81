"""One account over time: its CRM, and the worker's memory of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from worker.core.model import NO_FLAG, Observed, Override, SetFlag
from worker.core.reconcile import reconcile
from worker.core.triggers import assess


class World:
    """One account, its CRM flag and the worker's memory of it."""

    def __init__(self, make) -> None:
        self.make = make
        self.policy = make.policy()
        self.now = make.now
        self.view = make.view()
        self.flag = NO_FLAG
        self.current = None
        self.asked = frozenset()
        self.decisions = []

    def step(self, view=None, *, after: timedelta = timedelta(0), lag: bool = False):
        self.now += after
        self.view = view or self.view
        view = replace(self.view, account=replace(self.view.account, flag=self.flag), asked=self.asked)
        assessment = assess(view, self.policy, self.now)
        decision = reconcile(view, assessment, self.current, Observed(self.flag, self.now), self.policy, self.now)
        wanted = [effect.flag for effect in decision.effects if isinstance(effect, SetFlag)]
        escalation = decision.escalation
        if wanted and not lag:
            self.flag = wanted[-1]
            escalation = replace(escalation, written=self.flag)
        self.current, self.asked = escalation, decision.asked
        self.decisions.append(decision)
        return decision

    def events(self):
        return [entry.event for decision in self.decisions for entry in decision.trail]

    def say(self, **override):
        account = replace(self.view.account, override=Override(**override))
        return self.step(replace(self.view, account=account))


def kinds(decision, kind):
    return [effect for effect in decision.effects if isinstance(effect, kind)]
