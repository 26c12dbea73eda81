"""What each trigger sees, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from worker.core.model import (
    CHURN_THREAT,
    AccountId,
    BugKey,
    BugReach,
    CaseStatus,
    Certainty,
    Colour,
    Health,
    Level,
    Override,
    RecordKind,
    RecordRef,
    Segment,
    TextHit,
    TriggerId,
    Wish,
)
from worker.core.money import Rate, Rates, currency
from worker.core.policy import CustomTrigger, TriggerRule, Verdict
from worker.core.triggers import assess, segment_of


def triggers(view, policy, now):
    return {signal.trigger: signal for signal in assess(view, policy, now).signals}


def hit(trigger: str, case: str = "c1", certainty: Certainty = Certainty.CERTAIN) -> TextHit:
    return TextHit(TriggerId(trigger), RecordRef(RecordKind.CASE, case), "body", "p", "we will leave", 0, 5, certainty)


def dollars(value: str, day: date) -> Rates:
    return Rates(currency("IDR"), (Rate(currency("USD"), currency("IDR"), Decimal(value), day),), timedelta(days=31))


def test_a_healthy_account_asks_for_nothing(make) -> None:
    assessment = assess(make.view(), make.policy(), make.now)

    assert (assessment.signals, assessment.questions, assessment.level) == ((), (), None)


@pytest.mark.parametrize(
    ("amounts", "fires"),
    [
        (["10000000"], False),
        (["10000000.01"], True),
        (["6000000", "4000000"], False),
        (["6000000", "4000001"], True),
        (["9999999"], False),
    ],
)
def test_a_dispute_is_strictly_above_the_limit_alone_or_together(make, amounts, fires) -> None:
    disputes = tuple(make.dispute(amount, key=f"d{n}") for n, amount in enumerate(amounts))

    assert ("payment_dispute" in triggers(make.view(disputes=disputes), make.policy(), make.now)) is fires


def test_a_record_that_is_case_and_dispute_at_once_is_one_claim(make) -> None:
    """Where a CRM keeps disputes as tickets, each ticket is read as both."""
    dispute = make.dispute("6000000")
    same = make.case("d1", category="payment_dispute", amount=dispute.amount)
    another = make.case("c2", category="payment_dispute", amount=dispute.amount)
    once, twice = (
        triggers(make.view(disputes=(dispute,), cases=(case,)), make.policy(), make.now) for case in (same, another)
    )

    assert ("payment_dispute" in once, "payment_dispute" in twice) == (False, True)


def test_a_dispute_in_dollars_uses_the_rate_of_its_day(make) -> None:
    view = make.view(disputes=(make.dispute("700", "USD"),))
    policy = make.policy(rates=dollars("16000", date(2026, 11, 1)))
    signal = triggers(view, policy, make.now)["payment_dispute"]

    assert signal.conversion.result == make.money("11200000")
    assert signal.conversion.rate.as_of == date(2026, 11, 1)


@pytest.mark.parametrize("day", [date(2026, 11, 25), date(2026, 9, 1)])
def test_without_a_rate_of_the_day_the_csm_is_asked(make, day) -> None:
    view = make.view(disputes=(make.dispute("700", "USD"),))
    assessment = assess(view, make.policy(rates=dollars("16000", day)), make.now)

    assert assessment.signals == ()
    assert "no rate" in assessment.questions[0].detail


def test_a_dispute_without_an_amount_is_a_question(make) -> None:
    assessment = assess(make.view(disputes=(make.dispute(None),)), make.policy(), make.now)

    assert [question.trigger for question in assessment.questions] == ["payment_dispute"]


def test_a_bug_counts_distinct_accounts(make) -> None:
    case = make.case(bug_key=BugKey("BUG-1"))
    alone = make.view(cases=(case,), bugs=(BugReach(BugKey("BUG-1"), frozenset({AccountId("acme")})),))
    shared = make.view(cases=(case,), bugs=(BugReach(BugKey("BUG-1"), frozenset(map(AccountId, ("acme", "b")))),))
    more = make.view(cases=(case,), bugs=(BugReach(BugKey("BUG-1"), frozenset(map(AccountId, ("acme", "b", "c")))),))

    assert triggers(alone, make.policy(), make.now) == {}
    two, three = (triggers(view, make.policy(), make.now)["multi_customer_bug"] for view in (shared, more))
    assert two.fingerprint == three.fingerprint


def test_a_closed_case_is_no_evidence(make) -> None:
    case = make.case(category="legal_compliance", status=CaseStatus.CLOSED)

    assert triggers(make.view(cases=(case,), hits=()), make.policy(), make.now) == {}


def test_an_executives_question_is_not_a_complaint(make) -> None:
    quiet = make.view(cases=(make.case(reporter_title="CEO"),))
    angry = make.view(cases=(make.case(reporter_title="CEO"),), hits=(hit("churn_threat"),))

    assert triggers(quiet, make.policy(), make.now) == {}
    assert set(triggers(angry, make.policy(), make.now)) == {"churn_threat", "executive_complaint"}


def test_a_title_must_match_as_whole_words(make) -> None:
    case = make.case(reporter_title="Asisten Ceoteknik", category="complaint")

    assert triggers(make.view(cases=(case,)), make.policy(), make.now) == {}


def test_a_weak_phrase_asks_and_pages_nobody(make) -> None:
    view = make.view(cases=(make.case(),), hits=(hit("churn_threat", certainty=Certainty.POSSIBLE),))
    assessment = assess(view, make.policy(), make.now)

    assert (assessment.level, len(assessment.questions)) == (None, 1)


@pytest.mark.parametrize(
    ("health", "signal", "asked"),
    [
        (Colour.RED, "health_red", False),
        (Colour.YELLOW, "health_yellow", False),
        (Colour.GREEN, None, False),
        (Colour.UNKNOWN, None, True),
    ],
)
def test_health_by_colour(make, health, signal, asked) -> None:
    view = make.view(account=make.account(health=Health(health, as_of=make.now)))
    assessment = assess(view, make.policy(), make.now)

    assert [each.trigger for each in assessment.signals] == ([signal] if signal else [])
    assert bool(assessment.questions) is asked


def test_an_old_health_score_is_a_question(make) -> None:
    view = make.view(account=make.account(health=Health(Colour.RED, as_of=make.now - timedelta(days=8))))

    assert "old" in assess(view, make.policy(), make.now).questions[0].detail


@pytest.mark.parametrize(
    ("tier", "arr", "segment"),
    [
        ("standard", "999999999", Segment.STANDARD),
        ("standard", "1000000000", Segment.HIGH_VALUE),
        ("Enterprise", "1", Segment.HIGH_VALUE),
        ("strategic", "1", Segment.STRATEGIC),
    ],
)
def test_segments(make, tier, arr, segment) -> None:
    assert segment_of(make.account(tier=tier, arr=make.money(arr)), make.policy(), make.now) is segment


@pytest.mark.parametrize(("tier", "level"), [("standard", Level.L2), ("enterprise", Level.L2), ("strategic", Level.L3)])
def test_the_level_follows_the_segment(make, tier, level) -> None:
    view = make.view(account=make.account(tier=tier, health=Health(Colour.RED, as_of=make.now)))

    assert assess(view, make.policy(), make.now).level is level


def test_the_highest_signal_decides(make) -> None:
    view = make.red(cases=(make.case(category="legal_compliance"),))
    assessment = assess(view, make.policy(), make.now)

    assert (assessment.level, assessment.decided_by.trigger) == (Level.L3, "legal_compliance")


def test_a_person_asks_by_the_override(make) -> None:
    view = make.view(account=make.account(override=Override(Wish.MANUAL_L2)))

    assert assess(view, make.policy(), make.now).level is Level.L2


def test_a_broken_rule_leaves_the_others_alone_and_clears_nothing(make) -> None:
    def explode(_view):
        raise ZeroDivisionError("no")

    levels = dict.fromkeys(Segment, Level.L1)
    policy = make.policy()
    custom = CustomTrigger(TriggerId("mine"), "1/0", explode)
    policy = make.policy(custom=(custom,), triggers={**policy.triggers, "mine": TriggerRule(levels)})
    assessment = assess(make.red(), policy, make.now)

    assert [each.trigger for each in assessment.signals] == ["health_red"]
    assert (assessment.complete, "mine" in assessment.questions[0].detail) == (False, True)


def test_a_custom_rule_fires_by_its_verdict(make) -> None:
    levels = dict.fromkeys(Segment, Level.L1)
    rules = {**make.policy().triggers, "mine": TriggerRule(levels)}
    for verdict, expected in ((Verdict.YES, ["mine"]), (Verdict.NO, []), (Verdict.UNKNOWN, [])):
        custom = CustomTrigger(TriggerId("mine"), "x", lambda _view, said=verdict: said)
        found = assess(make.view(), make.policy(custom=(custom,), triggers=rules), make.now)

        assert [each.trigger for each in found.signals] == expected


def test_a_disabled_rule_does_not_fire(make) -> None:
    rules = {**make.policy().triggers}
    rules[TriggerId("health_red")] = TriggerRule(dict.fromkeys(Segment, Level.L2), enabled=False)

    assert triggers(make.red(), make.policy(triggers=rules), make.now) == {}


@pytest.mark.parametrize("colour", list(Colour))
def test_of_a_customer_who_left_health_and_churn_signs_are_no_news(make, colour) -> None:
    account = make.account(health=Health(colour, as_of=make.now), churn_signals=("notice given",))
    left = replace(account, churned_on=make.now.date())
    leaves_tomorrow = replace(account, churned_on=make.now.date() + timedelta(days=1))

    gone = assess(make.view(account=left), make.policy(), make.now)
    still_here = assess(make.view(account=leaves_tomorrow), make.policy(), make.now)

    assert (gone.signals, gone.questions) == ((), ())
    assert CHURN_THREAT in {signal.trigger for signal in still_here.signals}


def test_a_customer_who_left_can_still_sue_and_dispute(make) -> None:
    left = make.account(churned_on=make.now.date())
    case = make.case(category=TriggerId("legal_compliance"))

    view = make.view(account=left, cases=(case,), disputes=(make.dispute("20000000"),))

    assert triggers(view, make.policy(), make.now).keys() == {"legal_compliance", "payment_dispute"}
