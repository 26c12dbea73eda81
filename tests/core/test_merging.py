"""Two accounts become one: what the other's escalation leaves, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.core.world import World, kinds
from worker.core.model import (
    NO_FLAG,
    AccountId,
    AddNote,
    AddTask,
    Colour,
    Event,
    Health,
    Legacy,
    Level,
    Notify,
    Outcome,
    SetFlag,
    Status,
    TaskKind,
    Wish,
)

HOUR = timedelta(hours=1)
LOST, KEPT = AccountId("lost"), AccountId("acme")


class Merge:
    """An account that is lost to another one, each with a memory of its own."""

    def __init__(self, make) -> None:
        self.make = make
        self.lost, self.kept = World(make), World(make)
        self.case = make.case(category="legal_compliance", account_id=LOST)
        self.home = make.account(id=LOST, name="PT Hilang")

    def escalate(self):
        return self.lost.step(self.make.view(account=self.home, cases=(self.case,)))

    def join(self, *, cases=None, after=10 * timedelta(minutes=1), **kept):
        """The merge, seen from both: first by the one that goes away."""
        gone = replace(self.home, deleted=True, merged_into=KEPT)
        ended = self.lost.step(self.make.view(account=gone, survivor="PT Acme"), after=after)
        self.kept.now = self.lost.now
        return ended, self.look(cases=cases, **kept)

    def look(self, *, cases=None, **kept):
        left = Legacy(LOST, "PT Hilang", self.lost.current)
        moved = (replace(self.case, account_id=KEPT),) if cases is None else cases
        return self.kept.step(self.make.view(account=self.make.account(**kept), cases=moved, merged=(left,)))


@pytest.fixture
def merge(make) -> Merge:
    return Merge(make)


def test_the_one_that_goes_away_is_a_duplicate_of_the_one_that_stays(merge):
    merge.escalate()
    ended, _ = merge.join()

    assert (ended.escalation.outcome, ended.escalation.merged_into) == (Outcome.DUPLICATE, KEPT)
    assert ended.escalation.duplicate_of == "merged into PT Acme (acme)"
    assert [effect.flag.status for effect in kinds(ended, SetFlag)] == ["duplicate"]
    assert [effect.event for effect in kinds(ended, AddNote)] == [Event.RESOLVED]
    assert kinds(ended, AddTask) == []


def test_an_account_that_went_nobody_knows_where_is_removed(merge, make):
    merge.escalate()
    ended = merge.lost.step(make.view(account=replace(merge.home, deleted=True)))

    assert (ended.escalation.outcome, ended.escalation.merged_into) == (Outcome.ACCOUNT_REMOVED, None)
    assert kinds(ended, SetFlag) == []


def test_the_escalation_goes_on_with_its_clock_and_reasons_and_is_told_once(merge):
    first = merge.escalate().escalation
    _, opened = merge.join()
    again = merge.look()

    assert opened.escalation.account_id == KEPT
    assert opened.escalation.id != first.id
    assert (opened.escalation.level, opened.escalation.clock) == (Level.L3, first.clock)
    assert [each.fingerprint for each in opened.escalation.reasons] == [each.fingerprint for each in first.reasons]
    assert opened.escalation.opened_at == first.opened_at
    assert opened.because.startswith("PT Hilang (lost) was merged into this account: the escalation goes on here. Case")
    assert opened.because.count("is filed as") == 1
    assert [entry.event for entry in opened.trail] == [Event.OPENED]
    assert (len(kinds(opened, Notify)), len(kinds(opened, AddNote))) == (1, 1)
    assert (again.trail, again.effects) == ((), ())


def test_it_is_the_same_whichever_of_both_is_decided_first(merge, make):
    first = merge.escalate().escalation
    merge.kept.now = merge.lost.now
    before = merge.look()

    assert before.escalation.clock == first.clock
    ended, after = merge.join()
    assert ended.escalation.outcome is Outcome.DUPLICATE
    assert after.trail == ()


def test_who_had_it_in_hand_has_it_in_hand(merge, make):
    merge.escalate()
    merge.lost.say(wish=Wish.ACKNOWLEDGED, by="Bima")
    _, opened = merge.join(after=6 * HOUR)

    assert (opened.escalation.status, opened.escalation.acknowledged_by) == (Status.ACKNOWLEDGED, "Bima")
    assert kinds(opened, AddTask) == []
    assert [entry.event for entry in merge.look().trail] == []


def test_what_nobody_answered_is_asked_of_the_owner_there(merge):
    merge.escalate()
    _, opened = merge.join()

    assert TaskKind.ANSWER in [task.kind for task in kinds(opened, AddTask)]


def test_a_no_to_the_evidence_goes_along(merge):
    merge.escalate()
    merge.lost.say(wish=Wish.FALSE_ALARM, by="Bima")
    _, kept = merge.join()

    assert kept.escalation is None
    assert [effect for effect in kept.effects if isinstance(effect, (Notify, AddNote))] == []


def test_a_flag_that_the_merge_copied_is_no_persons_doing(merge):
    merge.escalate()
    merge.kept.flag = merge.lost.flag
    _, opened = merge.join()

    assert "A person" not in opened.because
    assert opened.escalation.raised_to is None


def test_an_open_escalation_takes_the_other_one_in_by_one_event(merge, make):
    merge.escalate()
    merge.kept.step(make.view(account=make.account(health=Health(Colour.YELLOW, as_of=make.now))))
    own = merge.kept.current
    _, joined = merge.join(health=Health(Colour.YELLOW, as_of=make.now))

    assert own.level is Level.L1
    assert (joined.escalation.id, joined.escalation.level) == (own.id, Level.L3)
    assert [entry.event for entry in joined.trail] == [Event.RAISED]
    assert {each.trigger for each in joined.escalation.reasons} == {"health_yellow", "legal_compliance"}
    assert merge.look(health=Health(Colour.YELLOW, as_of=make.now)).trail == ()


def test_a_lower_one_adds_its_reasons_and_leaves_clock_and_owner(merge, make):
    merge.case = replace(merge.case, category="churn_threat")
    merge.escalate()
    red = Health(Colour.RED, as_of=make.now)
    merge.kept.step(make.view(account=make.account(health=red)))
    own = merge.kept.current
    _, joined = merge.join(health=red)

    assert (joined.escalation.level, joined.escalation.clock) == (own.level, own.clock)
    assert [entry.event for entry in joined.trail] == [Event.REASON_ADDED]


def test_more_evidence_than_the_other_had_raises_it_with_a_clock_of_its_own(merge, make):
    merge.case = replace(merge.case, category="churn_threat")
    first = merge.escalate().escalation
    merge.lost.say(wish=Wish.ACKNOWLEDGED, by="Bima")
    legal = make.case("c2", category="legal_compliance")
    _, opened = merge.join(cases=(replace(merge.case, account_id=KEPT), legal))

    assert (first.level, opened.escalation.level, opened.escalation.status) == (Level.L1, Level.L3, Status.OPEN)
    assert len(opened.escalation.reasons) == 2


def test_an_escalation_whose_evidence_went_with_the_account_waits_for_a_person(merge):
    """A red account went into a green one: what became of the customer, somebody must say."""
    merge.escalate()
    _, opened = merge.join(cases=())
    later = [merge.kept.step(after=after) for after in (timedelta(minutes=1), 100 * HOUR)]

    assert opened.escalation.open
    assert later[-1].escalation.status is Status.TO_CONFIRM


def test_merges_in_a_row_carry_it_on_once(merge, make):
    merge.escalate()
    merge.join()
    second = World(make)
    gone = replace(make.account(), deleted=True, merged_into=AccountId("third"))
    merge.kept.step(make.view(account=gone, survivor="PT Tiga", merged=merge.kept.view.merged))
    left = (Legacy(KEPT, "PT Acme", merge.kept.current), Legacy(LOST, "PT Hilang", merge.lost.current))
    second.flag = NO_FLAG
    opened = second.step(make.view(account=make.account(id=AccountId("third")), merged=left))

    assert "PT Acme (acme) was merged" in opened.because
    assert "PT Hilang" not in opened.because
    assert len(opened.escalation.reasons) == 1
