"""A policy on a made-up past: when it would have opened, how high, for how long, and whom it saw leaving."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from worker.core.model import (
    Account,
    AccountId,
    BugKey,
    Case,
    CaseStatus,
    Colour,
    Dispute,
    Health,
    Level,
    Override,
    Person,
    RecordId,
    RecordKind,
    Role,
    UserId,
    Wish,
)
from worker.core.money import Money, currency
from worker.core.policy import Policy
from worker.core.replay import BugHistory, Version, caught, replay

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2026, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
VP = Person(UserId("vp"), "Bima", "bima@example.com")
POLICY = Policy("1", people={role: replace(VP, id=UserId(role.value)) for role in Role})
ACME = AccountId("acme")


def account(colour=Colour.GREEN, **more):
    return Account(ACME, "PT Acme", health=Health(colour), **more)


def said(day, value, kind=RecordKind.ACCOUNT, record="acme"):
    return Version(SINCE + day * DAY, kind, record, value)


def run(*versions, bugs=BugHistory(), policy=POLICY):  # noqa: B008  it is frozen
    return replay(ACME, sorted(versions, key=lambda each: each.at), bugs, policy, SINCE, UNTIL)


def test_an_account_that_was_always_well_has_no_episode():
    assert run(said(-30, account()), said(10, account())).episodes == ()


def test_it_opens_when_the_colour_turned_and_ends_after_the_hold_time():
    past = run(said(-5, account()), said(10, account(Colour.RED)), said(20, account()))

    (episode,) = past.episodes
    assert (episode.opened_at, episode.level) == (SINCE + 10 * DAY, Level.L2)
    assert episode.ended_at == SINCE + 20 * DAY + POLICY.levels[Level.L2].hold.leave


def test_what_stood_before_the_beginning_opens_at_the_beginning():
    (episode,) = run(said(-40, account(Colour.RED))).episodes

    assert episode.opened_at == SINCE
    assert episode.ended_at is None


def test_nobody_is_late_so_no_level_rises_by_the_clock():
    (episode,) = run(said(1, account(Colour.YELLOW)), said(40, account(Colour.YELLOW, tier="x"))).episodes

    assert episode.level is Level.L1


def test_more_evidence_raises_the_same_episode():
    dispute = Dispute(RecordId("d"), ACME, Money(Decimal(10_000_001), currency("IDR")), opened_at=SINCE + 5 * DAY)
    (episode,) = run(said(1, account(Colour.YELLOW)), said(5, dispute, RecordKind.DISPUTE, "d")).episodes

    assert episode.level is Level.L2
    assert episode.triggers == ("health_yellow", "payment_dispute")


def test_evidence_that_comes_back_is_another_episode():
    past = run(said(1, account(Colour.RED)), said(3, account()), said(30, account(Colour.RED)), said(33, account()))

    assert [each.opened_at for each in past.episodes] == [SINCE + DAY, SINCE + 30 * DAY]


def test_a_bug_counts_from_when_the_second_account_had_it_although_this_one_did_not_change():
    bug = BugKey("BUG-1")
    case = Case(RecordId("c"), ACME, bug_key=bug, opened_at=SINCE + DAY)
    history = BugHistory(
        {bug: [(SINCE + DAY, frozenset({ACME})), (SINCE + 9 * DAY, frozenset({ACME, AccountId("other")}))]}
    )
    (episode,) = run(said(0, account()), said(1, case, RecordKind.CASE, "c"), bugs=history).episodes

    assert episode.opened_at == SINCE + 9 * DAY


def test_what_people_answered_to_other_escalations_does_not_count_here():
    dismissed = account(Colour.RED, override=Override(Wish.FALSE_ALARM, by="Dewi"))

    assert len(run(said(1, account(Colour.RED)), said(2, dismissed)).episodes) == 1
    assert run(said(1, dismissed)).episodes != ()


def test_a_closed_case_and_a_removed_account_are_no_evidence():
    closed = Case(RecordId("c"), ACME, category="legal_compliance", status=CaseStatus.CLOSED)
    gone = Version(SINCE + 2 * DAY, RecordKind.ACCOUNT, "acme", None)

    assert run(said(0, account()), said(1, closed, RecordKind.CASE, "c")).episodes == ()
    (episode,) = run(said(1, account(Colour.RED)), gone).episodes
    assert episode.ended_at == SINCE + 2 * DAY


def test_a_loss_is_caught_when_an_escalation_was_open_or_lately_ended():
    left = date(2026, 3, 10)
    seen = run(said(40, account(Colour.RED)), said(50, account(churned_on=left)))
    missed = run(said(0, account()), said(80, account(Colour.GREEN, churned_on=left)))
    late = run(said(0, account()), said(80, account(Colour.RED, churned_on=left)))

    assert [caught(each) for each in (seen, missed, late, run(said(0, account())))] == [True, False, False, None]


def test_a_health_score_that_nobody_renews_is_no_evidence_any_more():
    as_of = SINCE + 10 * DAY
    (episode,) = run(said(10, Account(ACME, "PT Acme", health=Health(Colour.RED, as_of=as_of)))).episodes

    assert episode.ended_at is not None
    leave = POLICY.levels[Level.L2].hold.leave
    assert episode.ended_at - leave - as_of - POLICY.health_stale_after == timedelta(microseconds=1)
