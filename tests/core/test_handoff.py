"""The hand-off call: two times within the due time, on the level's hours; reminders until somebody says it was held."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.world import World, kinds
from worker.core.calendar import WALL_CLOCK, Calendar, Holiday, Hours, due, elapsed
from worker.core.document import build_brief
from worker.core.explain import explain
from worker.core.handoff import CALL, proposed_calls
from worker.core.model import AddTask, Colour, Event, Health, Level, Notify, Override, TaskKind, Wish
from worker.core.policy import HandoffRule, LevelRule, default_levels
from worker.core.triggers import assess

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
OFFICE = Calendar(
    "office",
    "Asia/Jakarta",
    Hours(((((time(9), time(12)), (time(13), time(18))),) * 5) + ((), ())),
    (Holiday(datetime(2026, 12, 25, tzinfo=UTC).date(), "Christmas"),),
)
FRIDAY_1640 = datetime(2026, 11, 27, 9, 40, tzinfo=UTC)


@pytest.fixture
def world(make) -> World:
    return World(make)


def clock(*moments: datetime) -> list[str]:
    return [f"{moment:%a %H:%M}" for moment in moments]


def held(world: World, at: datetime) -> object:
    account = replace(world.view.account, call_held_at=at)
    return world.step(replace(world.view, account=account))


def test_two_times_come_within_the_due_time_on_quarter_hours() -> None:
    now = datetime(2026, 11, 24, 3, 7, tzinfo=UTC)

    assert clock(*proposed_calls(now, now + 4 * HOUR, WALL_CLOCK)) == ["Tue 04:15", "Tue 05:15"]
    assert clock(*proposed_calls(now, now + HOUR, WALL_CLOCK)) == ["Tue 03:30", "Tue 03:45"]


def test_a_short_time_has_room_for_one_call_or_for_none() -> None:
    now = datetime(2026, 11, 24, 3, 14, tzinfo=UTC)

    assert clock(*proposed_calls(now, now + 19 * MINUTE, WALL_CLOCK)) == ["Tue 03:15"]
    assert proposed_calls(now, now + 15 * MINUTE, WALL_CLOCK) == ()
    assert proposed_calls(now, now, WALL_CLOCK) == proposed_calls(now, now - HOUR, WALL_CLOCK) == ()


def test_over_a_weekend_the_second_call_waits_for_the_office() -> None:
    until = due(FRIDAY_1640, 4 * HOUR, OFFICE).at

    assert clock(*(at.astimezone(OFFICE.local(at).tzinfo) for at in proposed_calls(FRIDAY_1640, until, OFFICE))) == [
        "Fri 17:45",
        "Mon 09:45",
    ]


MOMENTS = st.integers(0, 400 * 24 * 60).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))


@settings(max_examples=200, deadline=None)
@given(MOMENTS, st.integers(0, 80 * 60), st.sampled_from(["Asia/Jakarta", "Europe/Berlin", "Asia/Kathmandu"]))
def test_every_call_lies_in_open_time_and_none_over_another(now: datetime, minutes: int, zone: str) -> None:
    calendar = replace(OFFICE, zone=zone)
    until = due(now, minutes * MINUTE, calendar).at
    calls = proposed_calls(now, until, calendar)

    assert all(now <= at and at + CALL <= until for at in calls)
    assert all(elapsed(at, at + CALL, calendar) == CALL and calendar.local(at).minute % 15 == 0 for at in calls)
    assert all(second - first >= CALL for first, second in pairwise(calls))
    assert len(calls) == 2 or minutes < 8 * 60


def test_the_brief_names_the_times_and_whom_to_call(world, make) -> None:
    escalation = world.step(make.red()).escalation
    brief = build_brief(world.view, escalation, world.policy, world.now)

    assert (brief.owner, brief.call_with) == ("Vp_Cs", "Dewi")
    assert clock(*brief.calls) == ["Tue 03:30", "Tue 04:00"]
    assert brief.calls == escalation.handoff.calls


def test_each_change_of_owner_proposes_anew(world, make) -> None:
    first = world.step(make.red()).escalation.handoff
    bumped = world.step(after=2 * HOUR).escalation

    assert bumped.level is Level.L3
    assert clock(*bumped.handoff.calls) == ["Tue 05:15", "Tue 05:30"]
    assert bumped.handoff.since > first.since


def test_on_a_levels_office_hours_no_call_is_proposed_at_night(world, make) -> None:
    rule = LevelRule(4 * HOUR, default_levels()[Level.L1].owner, OFFICE)
    world.policy = replace(world.policy, levels={**default_levels(), Level.L1: rule})
    world.now = FRIDAY_1640
    yellow = make.account(health=Health(Colour.YELLOW, as_of=FRIDAY_1640), modified_at=FRIDAY_1640)
    calls = world.step(make.view(account=yellow)).escalation.handoff.calls

    assert clock(*calls) == ["Fri 10:45", "Mon 02:45"]


def test_who_owns_it_and_knows_it_calls_nobody(world, make) -> None:
    world.policy = replace(world.policy, people={})
    alone = world.step(make.view(account=replace(make.red().account, manager=None)))
    brief = build_brief(world.view, alone.escalation, world.policy, world.now)

    assert (alone.escalation.owner.id, alone.escalation.handoff.calls) == ("dewi", ())
    assert (brief.call_with, brief.calls, alone.escalation.handoff.remind_at) == ("", (), None)


def test_a_call_that_nobody_ticked_is_reminded_twice_and_the_task_comes_once(world, make) -> None:
    world.step(make.red())
    world.say(wish=Wish.ACKNOWLEDGED, by="Bima")
    early = world.step(after=74 * MINUTE)
    first, again = world.step(after=MINUTE), world.step(after=2 * HOUR)
    last = world.step(after=12 * HOUR)
    told = kinds(first, Notify)[0]
    tasks = [task for decision in (first, again) for task in kinds(decision, AddTask) if task.kind is TaskKind.CALL]

    assert early.trail == ()
    assert [entry.event for decision in (first, again) for entry in decision.trail] == [Event.CALL_REMINDED] * 2
    assert ([person.id for person in told.to], told.cc) == (["dewi", "vp_cs"], ())
    assert [(task.assignee.id, task.subject) for task in tasks] == [
        ("dewi", "Call Vp_Cs about PT Acme, and enter when you did")
    ]
    assert Event.CALL_REMINDED not in [entry.event for entry in last.trail]


def test_the_time_entered_in_the_crm_ends_the_reminders(world, make) -> None:
    world.step(make.red())
    said = held(world, make.now + 20 * MINUTE)
    late = world.step(after=75 * MINUTE)

    assert [(entry.event, entry.actor) for entry in said.trail] == [(Event.CALL_HELD, "a person in the CRM")]
    assert said.trail[0].because == "the hand-off call is agreed for 2026-11-24 03:20 UTC"
    assert kinds(said, Notify) == []
    assert Event.CALL_REMINDED not in [entry.event for entry in late.trail]


def test_the_call_before_the_last_change_of_hands_does_not_count(world, make) -> None:
    world.step(make.red())
    held(world, make.now)
    world.step(after=2 * HOUR)
    reminded = world.step(after=50 * MINUTE)
    said = held(world, world.now)
    again = world.step(after=MINUTE)

    assert world.current.level is Level.L3
    assert Event.CALL_REMINDED in [entry.event for entry in reminded.trail]
    assert [entry.event for entry in said.trail] == [Event.CALL_HELD]
    assert again.trail == ()


@pytest.mark.parametrize("wish", [Wish.WAITING, Wish.SNOOZE])
def test_nobody_is_reminded_while_it_rests_and_the_clock_starts_with_new_times(world, make, wish) -> None:
    world.step(make.red())
    world.say(wish=wish, until=make.now + 10 * HOUR)
    resting = world.step(after=7 * HOUR)
    world.step(after=3 * HOUR)
    calls = world.current.handoff.calls

    assert resting.trail == ()
    assert wish is Wish.WAITING or clock(*calls) == ["Tue 13:30", "Tue 14:00"]


def test_nobody_is_reminded_of_a_call_about_what_is_gone(world, make) -> None:
    world.step(make.red())
    world.say(wish=Wish.ACKNOWLEDGED)
    world.step(make.view(account=make.account(override=Override(Wish.ACKNOWLEDGED))))
    late = world.step(after=5 * HOUR)

    assert late.trail == ()


def test_reminders_can_be_switched_off(world, make) -> None:
    world.policy = replace(world.policy, handoff=HandoffRule(reminders=0))
    opened = world.step(make.red())
    world.say(wish=Wish.ACKNOWLEDGED)

    assert opened.escalation.handoff.calls
    assert world.step(after=20 * HOUR).trail == ()


def test_explain_says_what_was_proposed_and_what_was_said_of_it(world, make) -> None:
    world.step(make.red())

    def lines() -> list[str]:
        assessment = assess(world.view, world.policy, world.now)
        return list(explain(world.view, assessment, world.current, world.policy, world.now).lines())

    proposed = lines()
    held(world, make.now)

    assert (
        "  - a hand-off call was proposed for 2026-11-24 03:30 UTC or 2026-11-24 04:00 UTC; nobody has said yet that "
        "it was held, and a reminder comes 2026-11-24 04:15 UTC"
    ) in proposed
    assert "  - the hand-off call: 2026-11-24 03:00 UTC, says a person in the CRM" in lines()
