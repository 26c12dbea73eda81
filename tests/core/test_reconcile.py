"""The state machine: what happens to an account over time, by example and by property."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.world import World, kinds
from worker.core.explain import explain
from worker.core.model import (
    AddNote,
    AddTask,
    Colour,
    Event,
    Flag,
    Health,
    Level,
    Notify,
    Outcome,
    Override,
    Role,
    Status,
    Wish,
)
from worker.core.routing import route
from worker.core.triggers import assess


@pytest.fixture
def world(make) -> World:
    return World(make)


def test_red_health_opens_l2_with_flag_note_task_and_message(world, make) -> None:
    decision = world.step(make.red())

    assert (decision.escalation.level, decision.escalation.owner.id) == (Level.L2, "vp_cs")
    assert world.flag.escalated
    assert world.flag.due_at == make.now + timedelta(hours=2)
    assert [len(kinds(decision, kind)) for kind in (AddNote, AddTask, Notify)] == [1, 2, 1]
    assert {person.id for person in kinds(decision, Notify)[0].cc} == {"ratna", "dewi"}


def test_a_second_look_changes_nothing(world, make) -> None:
    world.step(make.red())
    again = world.step()

    assert (again.effects, again.trail) == ((), ())


def test_unanswered_it_warns_twice_moves_up_and_repeats_at_the_top(world, make) -> None:
    world.step(make.red())
    for minutes in (60, 36, 24, 60, 60):
        world.step(after=timedelta(minutes=minutes))

    assert world.events() == [
        Event.OPENED,
        Event.WARNED,
        Event.WARNED,
        Event.CALL_REMINDED,
        Event.BUMPED,
        Event.REPEATED,
        Event.REPEATED,
    ]
    assert (world.current.level, world.current.owner_role) == (Level.L3, Role.CEO)


def test_a_sleep_over_several_steps_tells_only_the_last(world, make) -> None:
    world.step(make.red())
    world.step(after=timedelta(days=3))

    assert world.events()[:2] == [Event.OPENED, Event.BUMPED]
    assert Event.WARNED not in world.events()


def test_an_acknowledgement_stops_the_clock(world, make) -> None:
    world.step(make.red())
    world.say(wish=Wish.ACKNOWLEDGED, by="Bima")
    world.step(after=timedelta(hours=9))

    assert (world.current.status, world.current.acknowledged_by) == (Status.ACKNOWLEDGED, "Bima")
    assert world.events() == [Event.OPENED, Event.ACKNOWLEDGED, Event.CALL_REMINDED]


def test_new_and_worse_evidence_raises(world, make) -> None:
    yellow = make.view(account=make.account(health=Health(Colour.YELLOW, as_of=make.now)))
    world.step(yellow)
    world.step(replace(yellow, cases=(make.case(category="legal_compliance"),)))

    assert world.events() == [Event.OPENED, Event.RAISED]
    assert world.current.level is Level.L3


def test_new_evidence_of_the_same_weight_is_a_reason_more(world, make) -> None:
    world.step(make.red())
    world.step(replace(world.view, disputes=(make.dispute("20000000"),)))

    assert world.events() == [Event.OPENED, Event.REASON_ADDED]
    assert len(world.current.reasons) == 2


def test_taking_the_flag_away_binds_for_that_evidence(world, make) -> None:
    world.step(make.red())
    world.flag = replace(world.flag, escalated=False)
    closed = world.step()
    quiet = world.step(after=timedelta(days=2))

    assert closed.escalation.outcome is Outcome.WITHDRAWN
    assert (quiet.trail, world.flag.escalated) == ((), False)


def test_new_evidence_comes_back_and_says_what_is_new(world, make) -> None:
    world.step(make.red())
    world.flag = replace(world.flag, escalated=False)
    world.step()
    decision = world.step(replace(world.view, disputes=(make.dispute("20000000"),)))

    assert [reason.trigger for reason in decision.escalation.reasons] == ["payment_dispute"]
    assert "dispute d1" in decision.because


def test_dismissed_evidence_that_went_and_returns_is_new(world, make) -> None:
    world.step(make.red())
    world.say(wish=Wish.FALSE_ALARM)
    world.step(make.view(account=make.account(override=Override(Wish.FALSE_ALARM))))
    red = replace(make.red().account, override=Override(Wish.FALSE_ALARM))
    again = world.step(make.view(account=red))

    assert again.escalation.open


def test_closing_l2_needs_an_account_of_it(world, make) -> None:
    world.step(make.red())
    asked = world.say(wish=Wish.RESOLVED)
    closed = world.say(
        wish=Wish.RESOLVED, outcome_note="fixed", root_cause="bad release", customer_confirmed=True, by="Dewi"
    )

    assert asked.escalation.status is Status.TO_CONFIRM
    assert (closed.escalation.outcome, closed.escalation.root_cause) == (Outcome.RESOLVED, "bad release")
    assert not world.flag.escalated


def test_a_snooze_ends_with_time_or_with_news(world, make) -> None:
    world.step(make.red())
    world.say(wish=Wish.SNOOZE, until=make.now + timedelta(hours=5))
    quiet = world.step(after=timedelta(hours=2))
    woken = world.step(replace(world.view, disputes=(make.dispute("20000000"),)))

    assert quiet.trail == ()
    assert [entry.event for entry in woken.trail] == [Event.SNOOZE_ENDED, Event.REASON_ADDED]


def test_a_flag_ticked_by_hand_is_adopted(world) -> None:
    world.flag = Flag(True, Level.L3)
    decision = world.step()

    assert (decision.escalation.level, decision.escalation.reasons[0].trigger) == (Level.L3, "manual")


def test_a_level_lowered_by_hand_stays(world, make) -> None:
    world.step(make.red())
    world.flag = replace(world.flag, level=Level.L1)
    world.step()
    later = world.step(after=timedelta(minutes=1))

    assert Event.LOWERED in world.events()
    assert (later.escalation.level, world.flag.level) == (Level.L1, Level.L1)


@pytest.mark.parametrize(("level", "status"), [(Level.L1, Status.ACKNOWLEDGED), (Level.L3, Status.OPEN)])
def test_who_has_it_in_hand_keeps_it_when_it_is_lowered(world, make, level, status) -> None:
    """Raised, somebody else has to answer. Both were said in one edit; the level was understood only later."""
    world.step(make.red())
    world.say(wish=Wish.ACKNOWLEDGED)
    world.flag = replace(world.flag, level=level)
    later = world.step(after=timedelta(minutes=5))

    assert (later.escalation.level, later.escalation.status) == (level, status)


def test_gone_evidence_waits_for_the_hold_time_and_then_asks(world, make) -> None:
    world.step(make.red())
    world.say(wish=Wish.ACKNOWLEDGED)
    green = make.view(account=make.account(override=Override(Wish.ACKNOWLEDGED)))
    world.step(green)
    early = world.step(after=timedelta(hours=23))
    late = world.step(after=timedelta(hours=1))

    assert early.trail == ()
    assert late.escalation.status is Status.TO_CONFIRM
    assert world.flag.escalated


def test_l1_ends_by_itself_and_comes_back_as_the_same_story(world, make) -> None:
    yellow = make.view(account=make.account(health=Health(Colour.YELLOW, as_of=make.now)))
    world.step(yellow)
    world.say(wish=Wish.ACKNOWLEDGED)
    world.step(make.view())
    ended = world.step(after=timedelta(hours=25))
    again = world.step(yellow)

    assert ended.escalation.outcome is Outcome.RESOLVED
    assert [entry.event for entry in again.trail] == [Event.REOPENED]
    assert again.escalation.reopened_from == ended.escalation.id


def test_evidence_that_came_after_a_persons_no_is_not_covered_by_it(world, make) -> None:
    """Both are seen in the same reading: the flag was taken away before the case was opened."""
    world.step(make.red())
    world.flag = replace(world.flag, escalated=False)
    case = make.case(category="legal_compliance", opened_at=make.now + timedelta(minutes=9))
    account = replace(make.red().account, modified_at=make.now + timedelta(minutes=5))
    ended = world.step(make.view(account=account, cases=(case,)), after=timedelta(minutes=20))
    opened = world.step()

    assert ended.escalation.outcome is Outcome.WITHDRAWN
    assert ended.next_at == world.now
    assert [entry.event for entry in opened.trail] == [Event.OPENED]
    assert opened.escalation.level is Level.L3


def test_a_flag_taken_away_ends_one_escalation_only(world, make) -> None:
    """The CRM refuses writes for an hour: what it shows after the first end says nothing about the next escalation."""
    world.step(make.red())
    written = world.flag
    world.flag = replace(written, escalated=False)
    account = replace(make.red().account, modified_at=make.now + timedelta(minutes=5))
    ended = world.step(make.view(account=account), after=timedelta(minutes=10), lag=True)
    case = make.case(category="legal_compliance", opened_at=make.now + timedelta(minutes=20))
    opened = world.step(make.view(account=account, cases=(case,)), after=timedelta(minutes=20), lag=True)
    world.current = replace(world.current, written=written)
    later = world.step(after=timedelta(minutes=1), lag=True)

    assert ended.escalation.outcome is Outcome.WITHDRAWN
    assert [entry.event for entry in opened.trail] == [Event.OPENED]
    assert (later.trail, later.escalation.status) == ((), Status.OPEN)


def test_an_incomplete_view_clears_nothing(world, make) -> None:
    world.step(make.red())
    world.say(wish=Wish.ACKNOWLEDGED)
    world.step(replace(make.view(), complete=False))
    later = world.step(after=timedelta(days=30))

    assert later.escalation.status is Status.ACKNOWLEDGED
    assert later.escalation.evidence_gone_at is None


def test_a_dispute_leaves_only_below_the_lower_limit(world, make) -> None:
    world.step(make.view(disputes=(make.dispute("12000000"),)))
    world.step(make.view(disputes=(make.dispute("9500000"),)))
    held = world.current.evidence_gone_at
    world.step(make.view(disputes=(make.dispute("8999999"),)))

    assert held is None
    assert world.current.evidence_gone_at == world.now


def test_a_question_is_asked_once(world, make) -> None:
    view = make.view(disputes=(make.dispute(None),))
    first, second = world.step(view), world.step()

    assert [task.event for task in kinds(first, AddTask)] == [Event.QUESTION]
    assert kinds(second, AddTask) == []


def test_a_removed_account_closes(world, make) -> None:
    world.step(make.red())
    decision = world.step(make.view(account=make.account(deleted=True)))

    assert decision.escalation.outcome is Outcome.ACCOUNT_REMOVED


def test_a_vacant_or_inactive_owner_falls_to_the_next(make) -> None:
    account = make.account(manager=make.person("gone", active=False))
    people = {Role.VP_CS: make.person("vp"), Role.CEO: make.person("ceo")}

    assert route(account, Level.L1, None, make.policy(people=people), make.now).owner.id == "vp"
    assert route(account, Level.L3, "payment_dispute", make.policy(people=people), make.now).owner.id == "ceo"
    assert route(replace(account, owner=None), Level.L1, None, make.policy(people={}), make.now).owner is None


def test_the_explanation_names_rule_values_and_the_way_out(world, make) -> None:
    world.step(make.red())
    view = replace(world.view, account=replace(world.view.account, flag=world.flag))
    told = "\n".join(
        explain(view, assess(view, world.policy, world.now), world.current, world.policy, world.now).lines()
    )

    for part in ("escalated to L2", "score 20", "rule health_red", "no longer red", "p1", "nobody marked a PR risk"):
        assert part in told


HEALTHS = st.sampled_from([Colour.GREEN, Colour.YELLOW, Colour.RED])
STEP = st.fixed_dictionaries(
    {
        "health": HEALTHS,
        "dispute": st.sampled_from([None, "8000000", "9500000", "12000000", "30000000"]),
        "legal": st.booleans(),
        "complete": st.booleans(),
        "wish": st.sampled_from([Wish.NONE, *Wish]),
        "untick": st.booleans(),
        "lag": st.booleans(),
        "minutes": st.integers(0, 3000),
    }
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, min_size=1, max_size=12))
def test_whatever_happens_the_promises_hold(make, steps) -> None:
    """Never two open, never lower without a reason, each step once and never early, its own result needs nothing."""
    world = World(make)
    fired = set()
    for step in steps:
        if step["untick"] and world.flag.escalated:
            world.flag = replace(world.flag, escalated=False)
        before = world.current
        account = make.account(
            health=Health(step["health"], as_of=world.now),
            override=Override(step["wish"], outcome_note="n"),
            modified_at=world.now,
        )
        disputes = () if step["dispute"] is None else (make.dispute(step["dispute"]),)
        cases = (make.case(category="legal_compliance"),) if step["legal"] else ()
        view = make.view(account=account, disputes=disputes, cases=cases, complete=step["complete"])
        decision = world.step(view, after=timedelta(minutes=step["minutes"]), lag=step["lag"])
        _hold(before, decision, step, world, fired)


def _hold(before, decision, step, world, fired) -> None:
    after = decision.escalation
    events = [entry.event for entry in decision.trail]
    numbers = [entry.event_no for entry in decision.trail]
    assert numbers == sorted(set(numbers))
    if before is not None and before.open and after.id != before.id:
        pytest.fail("a second one was opened while the first was open")
    if before is not None and before.open and after.open and after.level < before.level:
        assert Event.LOWERED in events
    if before is not None and before.open and not step["complete"]:
        by_absence = after.outcome is Outcome.RESOLVED and step["wish"] is not Wish.RESOLVED
        assert not by_absence
    if Event.BUMPED in events or Event.REPEATED in events:
        mark = (before.id, before.clock.due_at, before.level)
        assert before.clock.due_at <= world.now
        assert mark not in fired
        fired.add(mark)
    if after is not None and after.status is Status.OPEN:
        assert after.clock.due_at > world.now
    if before is not None and after.id == before.id and after.open and after.level == before.level:
        assert after.resolution is None or after.resolution.due_at >= before.resolution.due_at
    if after is not None:
        _keep_the_budget(after, world)
    again = world.step(lag=step["lag"])
    assert again.trail == ()
    assert again.escalation == decision.escalation or again.escalation.written != decision.escalation.written


def _keep_the_budget(escalation, world) -> None:
    """All pauses together stay within what the highest level's budget allows; at rest none is left running too long."""
    spent = sum((pause.length for pause in escalation.pauses), timedelta(0))
    assert spent <= max(rule.pause for rule in world.policy.levels.values())
    assert escalation.pause is None or escalation.pause.until > world.now
    assert (escalation.pause is not None) == (escalation.status is Status.WAITING)


def test_the_explanation_of_a_customer_who_left_says_so(world, make) -> None:
    left = make.view(account=make.account(health=Health(Colour.RED, as_of=make.now), churned_on=make.now.date()))

    told = "\n".join(explain(left, assess(left, world.policy, make.now), None, world.policy, make.now).lines())

    assert f"health red: the customer left on {make.now:%Y-%m-%d}" in told
    assert "legal compliance: no open case" in told
