"""The escalation's life: three clocks, pauses, people away, silences, the document, the end and what comes after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.world import World, kinds
from worker.core.calendar import WALL_CLOCK, Calendar, Holiday, Hours, elapsed
from worker.core.clock import settled, start_clock, start_target
from worker.core.clock_story import ClockStory
from worker.core.document import build_document
from worker.core.model import (
    NO_FLAG,
    AddNote,
    AddTask,
    Colour,
    Escalation,
    Event,
    Health,
    Issue,
    Level,
    Notify,
    Observed,
    Outcome,
    Override,
    PastCause,
    Pause,
    Person,
    Role,
    Segment,
    Silence,
    Status,
    TaskKind,
    Wish,
)
from worker.core.policy import Absence, FlappingRule, HandoffRule, LevelRule, Policy, default_levels
from worker.core.reconcile import reconcile
from worker.core.triggers import assess

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def world(make) -> World:
    return World(make)


@pytest.fixture
def taken(world, make) -> World:
    """Red, L2, acknowledged at once."""
    world.step(make.red())
    world.say(wish=Wish.ACKNOWLEDGED, by="Bima")
    return world


def asked(decision, kind):
    return [task for task in kinds(decision, AddTask) if task.kind is kind]


def because(decision, event):
    return next(entry.because for entry in decision.trail if entry.event is event)


def test_acknowledged_but_silent_is_told_then_reminded_then_moved_up(taken) -> None:
    told = [taken.step(after=DAY) for _ in range(3)]

    pressed = (Event.SILENT, Event.REMINDED, Event.BUMPED)
    assert [next(e.event for e in each.trail if e.event in pressed) for each in told] == list(pressed)
    assert asked(told[1], TaskKind.FOLLOW_UP)
    assert (taken.current.level, taken.current.status) == (Level.L3, Status.OPEN)


def test_a_word_in_the_crm_starts_the_follow_up_again(taken, make) -> None:
    taken.step(after=23 * HOUR)
    written = replace(taken.view.account, issue=Issue(attempted="called them"))
    taken.step(replace(taken.view, account=written))
    quiet = taken.step(after=23 * HOUR)

    assert Event.SILENT not in taken.events()
    assert taken.current.follow_up.since == quiet.escalation.follow_up.since == make.now + 23 * HOUR


def test_the_workers_own_writes_are_no_sign_of_work(taken) -> None:
    for _ in range(4):
        taken.step(after=6 * HOUR)

    assert Event.SILENT in taken.events()


def test_what_cannot_be_read_may_be_work_and_moves_nobody_up(taken) -> None:
    taken.step(replace(taken.view, complete=False))
    taken.step(after=10 * DAY)

    assert Event.BUMPED not in taken.events()
    assert Event.REMINDED in taken.events()


def test_at_the_top_silence_is_reminded_and_loops_nowhere(world, make) -> None:
    world.step(make.view(cases=(make.case(category="legal_compliance"),)))
    world.say(wish=Wish.ACKNOWLEDGED, by="Maya")
    for _ in range(9):
        world.step(after=8 * HOUR)

    assert world.current.level is Level.L3
    assert world.current.status is Status.ACKNOWLEDGED
    assert (world.events().count(Event.SILENT), world.events().count(Event.REMINDED)) == (3, 6)


def test_the_target_runs_on_after_the_answer_and_is_missed_once(taken) -> None:
    for _ in range(12):
        account = replace(taken.view.account, issue=Issue(attempted=f"try {taken.now}"))
        taken.step(replace(taken.view, account=account), after=12 * HOUR)

    told = [event for event in taken.events() if event in (Event.TARGET_WARNED, Event.TARGET_MISSED)]
    assert told == [Event.TARGET_WARNED, Event.TARGET_WARNED, Event.TARGET_MISSED]
    assert Event.BUMPED not in taken.events()


def test_a_raise_never_gives_more_time_for_the_end(world, make) -> None:
    yellow = make.view(account=make.account(health=Health(Colour.YELLOW, as_of=make.now)))
    world.step(yellow)
    first = world.current.resolution.due_at
    world.step(replace(yellow, cases=(make.case(category="legal_compliance"),)), after=8 * DAY)

    assert world.current.level is Level.L3
    assert world.current.resolution.due_at == first


def test_waiting_for_the_customer_stops_all_clocks_and_goes_on_by_itself(world, make) -> None:
    world.step(make.red())
    world.now += HOUR / 2
    paused = world.say(wish=Wish.WAITING, by="Dewi")
    target = world.current.resolution.due_at
    world.step(after=23 * HOUR)
    resumed = world.step(after=HOUR)

    assert (paused.escalation.status, world.flag.status) == (Status.WAITING, "open")
    assert kinds(paused, AddNote)
    assert world.events()[:3] == [Event.OPENED, Event.PAUSED, Event.RESUMED]
    assert resumed.escalation.clock.due_at == make.now + 2 * HOUR + DAY
    assert resumed.escalation.resolution.due_at == target + DAY


def test_the_budget_is_for_all_pauses_together(world, make) -> None:
    world.step(make.red())
    for hours in (20, 3):
        world.say(wish=Wish.WAITING, by="Dewi")
        world.now += hours * HOUR
        world.say(wish=Wish.NONE)
    last = world.say(wish=Wish.WAITING, by="Dewi")
    world.step(after=2 * HOUR)
    refused = world.say(wish=Wish.WAITING, by="Dewi", outcome_note="again")

    assert last.escalation.pause.until - last.escalation.pause.since == HOUR
    assert [entry.event for entry in refused.trail][:1] == [Event.WISH_REFUSED]
    assert "used up" in because(refused, Event.WISH_REFUSED)


def test_the_top_level_has_no_pauses(world, make) -> None:
    world.step(make.view(cases=(make.case(category="legal_compliance"),)))
    refused = world.say(wish=Wish.WAITING, by="Maya")

    assert (
        because(refused, Event.WISH_REFUSED)
        == "Maya is waiting for the customer, but L3 has no pauses; the clock goes on"
    )
    assert refused.escalation.status is Status.OPEN


def test_new_evidence_ends_a_pause(world, make) -> None:
    world.step(make.red())
    world.say(wish=Wish.WAITING, by="Dewi")
    decision = world.step(replace(world.view, disputes=(make.dispute("20000000"),)), after=HOUR)

    assert [entry.event for entry in decision.trail] == [Event.RESUMED, Event.REASON_ADDED]
    assert decision.escalation.pauses[0].length == HOUR


def test_a_snoozes_author_hears_of_its_end_and_is_named(world, make) -> None:
    world.step(make.red())
    world.say(wish=Wish.SNOOZE, until=make.now + 9 * HOUR, by="Dewi", outcome_note="they call on Friday")
    reminded = world.step(after=7 * HOUR)
    over = world.step(after=2 * HOUR)

    assert [task.assignee.id for task in asked(reminded, TaskKind.SNOOZE)] == ["dewi"]
    assert kinds(reminded, Notify)[0].to[0].id == "dewi"
    assert because(over, Event.SNOOZE_ENDED) == "the snooze, set by Dewi, is over"


def test_a_snooze_is_granted_for_as_long_as_the_policy_allows(world, make) -> None:
    world.step(make.red())
    decision = world.say(wish=Wish.SNOOZE, until=make.now + 90 * DAY, by="Dewi")

    assert decision.escalation.snoozed_until == make.now + 14 * DAY


def test_who_is_away_is_answered_for_by_the_deputy_and_it_says_why(world, make) -> None:
    absence = Absence("vp_cs", make.now - DAY, make.now + DAY, make.person("putri"))
    world.policy = replace(world.policy, absences=(absence,))
    decision = world.step(make.red())

    assert decision.escalation.owner.id == "putri"
    assert "Vp_Cs (VP CS) is away until" in because(decision, Event.OPENED)


def test_who_goes_on_leave_hands_over_on_the_day(world, make) -> None:
    absence = Absence("vp_cs@example.com", make.now + DAY, make.now + 9 * DAY, make.person("putri"))
    world.policy = replace(world.policy, absences=(absence,), handoff=HandoffRule(reminders=0))
    world.step(make.red())
    taken = world.say(wish=Wish.ACKNOWLEDGED)
    left = world.step(after=DAY)

    assert taken.next_at == make.now + DAY
    assert (left.escalation.owner.id, left.escalation.status) == ("putri", Status.ACKNOWLEDGED)
    assert Event.OWNER_CHANGED in [entry.event for entry in left.trail]
    assert kinds(left, AddNote)


def test_another_owner_named_in_the_crm_is_an_answer(world, make) -> None:
    world.step(make.red())
    world.flag = replace(world.flag, owner="Ratna")
    world.step()

    assert (world.current.owner.id, world.current.status) == ("ratna", Status.ACKNOWLEDGED)


def silence(make, **changes: object) -> Silence:
    return replace(Silence("s1", make.now + 6 * HOUR, "outage", "Ops", make.now, trigger="health_red"), **changes)


def test_a_silence_holds_back_counts_and_ends_by_itself(world, make) -> None:
    view = replace(make.red(), silences=(silence(make),))
    held = world.step(view)
    later = world.step(after=6 * HOUR)

    assert (held.escalation, held.silenced) == (None, (("s1", "health_red"),))
    assert held.next_at == make.now + 6 * HOUR
    assert later.escalation.open


def test_a_silence_is_for_its_segment_and_never_for_l3_unless_it_says_so(world, make) -> None:
    legal = make.view(cases=(make.case(category="legal_compliance"),))
    everything = silence(make, trigger=None, segment=Segment.STANDARD)
    other = World(make)
    quiet = World(make)

    assert other.step(replace(make.red(), silences=(silence(make, segment=Segment.STRATEGIC),))).escalation.open
    assert world.step(replace(legal, silences=(everything,))).escalation.level is Level.L3
    assert quiet.step(replace(legal, silences=(replace(everything, with_l3=True),))).escalation is None


def test_what_is_escalated_already_is_not_silenced(world, make) -> None:
    world.step(make.red())
    world.step(replace(world.view, silences=(silence(make),)), after=HOUR)

    assert world.events() == [Event.OPENED, Event.WARNED]


def test_the_document_is_filled_from_data_and_people_and_counted(world, make) -> None:
    issue = Issue("They stop ordering", "Two calls", "A credit", "Give it", "By Friday")
    account = replace(make.red().account, issue=issue, arr=make.money("900000000"))
    decision = world.step(make.view(account=account))
    document = build_document(world.view, decision.escalation, world.policy, world.now)
    told = {field.key: field.text for field in document.fields}

    assert document.score == "9 of 10"
    assert [field.name for field in document.open_fields] == ["Root Cause"]
    assert told["impact"].startswith("They stop ordering ")
    assert (told["customer_ask"], told["timeline"].split(";")[0]) == ("A credit", "By Friday")


def test_gaps_are_asked_for_once_then_reminded_then_left(taken, make) -> None:
    for _ in range(8):
        account = replace(taken.view.account, renewal_on=taken.now.date())
        taken.step(replace(taken.view, account=account), after=DAY)
    opened = taken.decisions[0]

    assert [task.assignee.id for task in asked(opened, TaskKind.DRAFTS)] == ["dewi"]
    assert taken.events().count(Event.DOCUMENT_REMINDED) == taken.policy.document.reminders


def test_a_complete_document_is_noted_once(taken, make) -> None:
    issue = Issue("a", "b", "c", "d", "e")
    account = replace(taken.view.account, issue=issue, arr=make.money("1"))
    account = replace(account, override=replace(account.override, root_cause="release"))
    first = taken.step(replace(taken.view, account=account))
    second = taken.step()

    assert [entry.event for entry in first.trail] == [Event.DOCUMENT_FILLED]
    assert (len(kinds(first, AddNote)), kinds(first, Notify), second.trail) == (1, [], ())


DONE = {"wish": Wish.RESOLVED, "outcome_note": "fixed", "root_cause": "bad release", "customer_confirmed": True}


def test_a_closed_l2_asks_for_thanks_and_a_look_back_and_reminds_once(taken, make) -> None:
    closed = taken.say(**DONE, by="Dewi")
    account = replace(taken.view.account, health=Health(Colour.GREEN, as_of=make.now))
    taken.step(replace(taken.view, account=account))
    due = taken.step(after=5 * DAY)
    quiet = taken.step(after=5 * DAY)

    assert [task.assignee.id for task in asked(closed, TaskKind.THANKS)] == ["dewi"]
    assert [task.due_at for task in asked(closed, TaskKind.POST_MORTEM)] == [make.now + 5 * DAY]
    assert closed.next_at == make.now + 5 * DAY
    assert [entry.event for entry in due.trail] == [Event.POST_MORTEM_DUE]
    assert (quiet.trail, quiet.next_at) == ((), None)


def test_a_look_back_is_not_forgotten_when_the_next_one_opens(taken, make) -> None:
    taken.say(**DONE, by="Dewi")
    taken.step(replace(taken.view, disputes=(make.dispute("20000000"),)), after=DAY)
    later = taken.step(after=4 * DAY)

    assert Event.POST_MORTEM_DUE in [entry.event for entry in later.trail]


def test_l1_needs_no_look_back(world, make) -> None:
    world.step(make.view(account=make.account(health=Health(Colour.YELLOW, as_of=make.now))))
    closed = world.say(**DONE)

    assert (closed.escalation.outcome, asked(closed, TaskKind.POST_MORTEM)) == (Outcome.RESOLVED, [])


def test_a_duplicate_must_name_the_other_one(taken) -> None:
    vague = taken.say(wish=Wish.DUPLICATE, by="Dewi")
    closed = taken.say(wish=Wish.DUPLICATE, by="Dewi", outcome_note="same as esc_0123456789abcdef0123, see there")

    assert vague.escalation.status is Status.TO_CONFIRM
    assert closed.escalation.duplicate_of == "esc_0123456789abcdef0123"


def test_a_root_cause_that_comes_again_is_proposed_to_whoever_keeps_the_rule(taken, make) -> None:
    alike = tuple(PastCause(f"esc_{n}", f"acc{n}", "health_red", make.now - n * DAY) for n in (1, 2, 100))
    taken.step(replace(taken.view, alike=alike))
    closed = taken.say(**DONE, by="Dewi")

    assert [task.assignee.id for task in asked(closed, TaskKind.PLAYBOOK)] == ["vp_cs"]
    assert "has ended 3 escalations of 3 accounts within 90 days" in because(closed, Event.PLAYBOOK)


def test_evidence_that_comes_and_goes_is_held_open_marked_and_told(taken, make) -> None:
    taken.policy = replace(taken.policy, flapping=FlappingRule(4, 7 * DAY))
    red = taken.view.account
    green = replace(red, health=Health(Colour.GREEN, as_of=make.now))
    for account in (green, red, green, red, green):
        taken.step(replace(taken.view, account=account), after=HOUR)
    marked = taken.flag.reason
    for _ in range(6):
        taken.step(after=DAY)
    held = taken.current.status
    taken.step(after=3 * DAY)

    assert taken.events().count(Event.FLAPPING) == 1
    assert marked.startswith("Flapping: held open.")
    assert held is not Status.TO_CONFIRM
    assert Event.SETTLED in taken.events()
    assert taken.current.status is Status.TO_CONFIRM


def test_who_waits_for_the_customers_yes_is_not_asked_meanwhile(taken, make) -> None:
    green = replace(taken.view.account, health=Health(Colour.GREEN, as_of=make.now))
    taken.step(replace(taken.view, account=green))
    taken.step(after=DAY)
    taken.say(wish=Wish.WAITING, by="Dewi")
    still = taken.step(after=HOUR)
    after = taken.step(after=DAY)

    assert still.escalation.status is Status.WAITING
    assert after.escalation.status is Status.TO_CONFIRM
    assert taken.events().count(Event.TO_CONFIRM) == 1


def test_the_outcome_is_asked_for_again_and_again(taken, make) -> None:
    green = replace(taken.view.account, health=Health(Colour.GREEN, as_of=make.now))
    taken.step(replace(taken.view, account=green))
    for _ in range(5):
        taken.step(after=DAY)

    assert taken.current.status is Status.TO_CONFIRM
    assert taken.events().count(Event.REMINDED) == 2


OFFICE = Calendar(
    "office",
    "Asia/Jakarta",
    Hours((((time(9), time(18)),),) * 5 + ((), ())),
    (Holiday(date(2026, 12, 25), "Christmas"),),
)


def test_a_segment_may_have_a_calendar_of_its_own(world, make) -> None:
    rule = replace(default_levels()[Level.L2], calendars={Segment.HIGH_VALUE: OFFICE})
    world.policy = replace(world.policy, levels={**default_levels(), Level.L2: rule})
    world.now = datetime(2026, 11, 27, 9, 40, tzinfo=UTC)
    other = World(make)
    other.policy, other.now = world.policy, world.now
    red = replace(make.red().account, health=Health(Colour.RED, as_of=world.now), modified_at=world.now)
    big = world.step(make.view(account=replace(red, tier="enterprise")))
    small = other.step(make.view(account=red))

    assert big.escalation.clock.due_at == datetime(2026, 11, 30, 2, 40, tzinfo=UTC)
    assert small.escalation.clock.due_at == datetime(2026, 11, 27, 11, 40, tzinfo=UTC)


def test_the_clock_tells_in_both_languages_how_it_came_about() -> None:
    rule = LevelRule(4 * HOUR, Role.CS_MANAGER, OFFICE, resolve=None, pause=DAY)
    policy = Policy("p", levels={**default_levels(), Level.L1: rule})
    friday = datetime(2026, 11, 27, 9, 40, tzinfo=UTC)
    english = list(ClockStory(policy, Segment.STANDARD, "en", "Asia/Jakarta").simulated(Level.L1, friday))
    indonesian = list(ClockStory(policy, Segment.STANDARD, "id", "Asia/Jakarta").simulated(Level.L1, friday))

    assert english[:3] == [
        "Answer, L1, within 4 h:",
        "  counted from Fri 27 Nov 2026, 16:40",
        (
            "  due Mon 30 Nov 2026, 11:40: 1 h 20 min on Fri 27 Nov 16:40-18:00, Sat 28 Nov and Sun 29 Nov closed, "
            "the rest from Mon 30 Nov 09:00 (calendar office)"
        ),
    ]
    assert indonesian[2] == (
        "  jatuh tempo Sen 30 Nov 2026, 11.40: 1 jam 20 menit pada Jum 27 Nov 16.40-18.00, Sab 28 Nov dan Min 29 Nov "
        "tutup, sisanya mulai Sen 30 Nov 09.00 (kalender office)"
    )
    assert english[-1] == "Pauses: 24 h of 24 h left at L1."


def test_an_escalation_of_an_earlier_release_goes_on(taken) -> None:
    stored = msgspec.to_builtins(taken.current)
    fresh = (
        "answered_at snoozed_by snooze_end_told pauses follow_up activity resolution document_asked document_at flips "
        "flapping duplicate_of customer_confirmed post_mortems handoff"
    )
    for name in fresh.split():
        del stored[name]
    taken.current = msgspec.convert(stored, Escalation)
    first, second = taken.step(), taken.step()

    assert [entry.event for entry in first.trail] == [Event.DOCUMENT_REMINDED]
    assert second.trail == ()
    assert second.escalation.resolution is not None


ZONES = st.sampled_from(["Asia/Jakarta", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
MOMENTS = st.integers(0, 2 * 365 * 24 * 60).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))


@settings(max_examples=120, deadline=None)
@given(ZONES, MOMENTS, st.integers(1, 60 * 80), st.integers(0, 60 * 90), st.integers(0, 60 * 90))
def test_a_pause_moves_due_times_later_and_takes_no_time_away(zone, opened, length, until_pause, lasted) -> None:
    """Across daylight saving, midnight and holidays: later is due later, and the open time given stays the same."""
    calendar = replace(OFFICE, zone=zone)
    rule = LevelRule(timedelta(minutes=length), Role.CS_MANAGER, calendar, resolve=timedelta(minutes=length * 3))
    policy = Policy("p", levels={**default_levels(), Level.L1: rule})
    first = start_clock(Level.L1, opened, opened, policy, Segment.STANDARD)
    later = start_clock(Level.L1, opened + timedelta(minutes=lasted), opened + 90 * DAY, policy, Segment.STANDARD)
    since = min(opened + timedelta(minutes=until_pause), first.half_at)
    pause = Pause(since, since + timedelta(minutes=lasted), Status.OPEN)
    open_one = _blank(first, start_target(Level.L1, opened, opened, policy, Segment.STANDARD), pause)
    after = settled(open_one, pause.until + DAY, policy, Segment.STANDARD)

    assert first.half_at <= first.most_at <= first.due_at <= after.clock.due_at
    assert later.due_at >= first.due_at
    assert open_one.resolution.due_at <= after.resolution.due_at
    counted = elapsed(opened, since, calendar) + elapsed(pause.until, after.clock.due_at, calendar)
    assert counted == rule.response
    assert after.pauses[-1].length == pause.until - since


def _blank(clock, resolution, pause) -> Escalation:
    return Escalation(
        "esc",
        "acc",
        Level.L1,
        Status.WAITING,
        (),
        None,
        Role.CSM,
        clock.started_at,
        clock,
        "p",
        resolution=resolution,
        pauses=(pause,),
    )


def test_wall_clock_is_the_default_for_every_segment() -> None:
    assert all(rule.calendar_for(segment) is WALL_CLOCK for rule in default_levels().values() for segment in Segment)


def test_an_override_with_no_name_is_still_a_persons(world, make) -> None:
    world.step(make.red())
    account = replace(world.view.account, override=Override(Wish.ACKNOWLEDGED))
    world.step(replace(world.view, account=account))

    assert world.current.acknowledged_by == "a person in the CRM"


COUNSEL = Person("counsel", "Dewi Lestari", "counsel@example.com", title="General Counsel")


def _copied(make, cases, policy):
    view = make.view(cases=cases)
    decision = reconcile(view, assess(view, policy, make.now), None, Observed(NO_FLAG, make.now), policy, make.now)
    return [person.id for effect in kinds(decision, Notify) for person in effect.cc]


def test_a_legal_matter_is_told_to_the_counsel_as_well(make):
    policy = make.policy()
    named = replace(policy, people={**policy.people, Role.COUNSEL: COUNSEL})
    legal, other = make.case(category="legal_compliance"), make.case(category="security_incident")
    away = Absence("counsel", make.now, make.now + timedelta(days=1), replace(COUNSEL, id="deputy"))

    assert "counsel" in _copied(make, (legal,), named)
    assert "counsel" not in _copied(make, (other,), named)
    assert "counsel" not in _copied(make, (legal,), policy)
    assert "deputy" in _copied(make, (legal,), replace(named, absences=(away,)))
