"""The monthly figures by example: what counts where, and what may not be claimed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from worker.core.calendar import WALL_CLOCK, due
from worker.core.model import (
    CHURN_THREAT,
    HEALTH_RED,
    AccountId,
    Clock,
    Escalation,
    EscalationId,
    Level,
    Outcome,
    Reason,
    RecordKind,
    RecordRef,
    Role,
    Status,
)
from worker.core.money import Money, currency
from worker.core.report import Episode, Month, report

NOV = Month(2026, 11)
HUNDRED = Money(Decimal(100), currency("IDR"))
START = datetime(2026, 11, 3, 9, tzinfo=UTC)


def episode(
    number=1,
    *,
    opened=START,
    level=Level.L2,
    first=None,
    answered=timedelta(hours=1),
    lasted=timedelta(days=2),
    outcome=Outcome.RESOLVED,
    trigger=HEALTH_RED,
    phrase="",
    cause="Slow onboarding.",
    churned=None,
    arr=HUNDRED,
    csm="Dewi",
):
    ends = due(opened, timedelta(hours=2), WALL_CLOCK)
    clock = Clock(level, opened, opened, opened, opened, ends.at, "")
    reason = Reason(trigger, RecordRef(RecordKind.ACCOUNT, "a"), "red", f"{trigger}:x", opened, opened, phrase=phrase)
    one = Escalation(
        id=EscalationId(f"esc_{number}"),
        account_id=AccountId(f"A{number}"),
        level=level,
        status=Status.OPEN if outcome is None else Status.RESOLVED,
        reasons=(reason,),
        owner=None,
        owner_role=Role.VP_CS,
        opened_at=opened,
        clock=clock,
        policy_version="1",
        resolved_at=None if outcome is None else opened + lasted,
        outcome=outcome,
        root_cause=cause,
    )
    return Episode(
        escalation=one,
        first_level=first or level,
        account_name=f"PT {number}",
        csm=csm,
        phrases=((trigger, phrase),) if phrase else (),
        arr=arr,
        acknowledged_at=None if answered is None else opened + answered,
        churned_on=churned,
    )


DECEMBER = datetime(2026, 12, 2, tzinfo=UTC)


def figures(episodes, month, accounts_in, now=DECEMBER):
    return report(episodes, month, accounts_in, now)


def nobody_knows(month):
    return 0


def test_an_escalation_counts_in_the_month_in_which_it_was_opened_and_ends_in_the_month_in_which_it_ended():
    late = episode(1, opened=datetime(2026, 10, 31, 12, tzinfo=UTC))

    october, november = (figures([late], month, nobody_knows) for month in (NOV.before(), NOV))

    assert (october.opened, october.ended) == (1, 0)
    assert (november.opened, november.ended) == (0, 1)
    assert [each.opened for each in november.months[-2:]] == [1, 0]


def test_times_to_acknowledge_and_resolve_are_medians_and_nine_of_ten():
    found = figures(
        [episode(n, answered=timedelta(hours=n), lasted=timedelta(days=n)) for n in range(1, 12)], NOV, nobody_knows
    )

    assert (found.to_acknowledge.median, found.to_acknowledge.p90) == (timedelta(hours=6), timedelta(hours=10))
    assert found.to_resolve.median == timedelta(days=6)


def test_who_was_moved_up_or_answered_late_was_not_in_time():
    episodes = [
        episode(1),
        episode(2, answered=timedelta(hours=3)),
        episode(3, level=Level.L3, first=Level.L2),
        episode(4, answered=None),
    ]

    assert figures(episodes, NOV, nobody_knows).in_time == (1, 4)


def test_an_escalation_closed_as_saved_whose_customer_left_is_named():
    left = episode(1, churned=date(2026, 11, 28))
    later = episode(2, churned=date(2027, 4, 1))
    honest = episode(3, outcome=Outcome.CHURNED, churned=date(2026, 11, 28))

    found = figures([left, later, honest], NOV, nobody_knows)

    assert found.contradicted == (left,)
    assert (found.saved, found.lost) == (2, 1)


def test_root_causes_are_one_whatever_their_spelling():
    found = figures([episode(1, cause="Slow  onboarding"), episode(2, cause="slow onboarding.")], NOV, nobody_knows)

    assert [(each.name, each.count) for each in found.root_causes] == [("slow onboarding", 2)]


def test_the_worst_rule_and_phrase_are_named_once_enough_were_judged():
    wrong = [episode(n, trigger=CHURN_THREAT, phrase="cancel", outcome=Outcome.FALSE_ALARM) for n in range(2)]
    right = [episode(n, outcome=Outcome.RESOLVED) for n in range(10, 14)]
    few = figures([*wrong, *right], NOV, nobody_knows)
    enough = figures([*wrong, *right, episode(3, trigger=CHURN_THREAT, phrase="cancel")], NOV, nobody_knows)

    assert few.worst is None
    assert enough.worst is not None
    assert (enough.worst.judged, enough.worst.wrong) == (3, 2)
    assert {each.name: each.share for each in enough.rules}[HEALTH_RED] == 1.0


def test_withdrawn_escalations_judge_no_rule():
    assert figures([episode(outcome=Outcome.WITHDRAWN)], NOV, nobody_knows).rules == ()


def in_months(*counts):
    """So many escalations in each month that ends with November."""
    return [
        episode(100 * back + n, opened=datetime(2026, 11 - back, 5, tzinfo=UTC))
        for back, count in enumerate(reversed(counts))
        for n in range(count)
    ]


def test_a_trend_is_only_claimed_when_its_interval_leaves_no_change_out():
    def accounts(month):
        return 500

    fewer = figures(in_months(40, 38, 42, 12, 10, 11), NOV, accounts).trend
    unproven = figures(in_months(10, 12, 11, 9, 10, 10), NOV, accounts).trend
    more = figures(in_months(5, 4, 5, 20, 22, 21), NOV, accounts).trend
    nothing = figures(in_months(3), NOV, accounts).trend

    assert [each.verdict for each in (fewer, unproven, more, nothing)] == ["fewer", "unproven", "more", "unproven"]
    assert fewer.high < 1 < more.low
    assert nothing.ratio is None


def test_a_month_that_is_not_over_is_no_proof():
    halfway = figures(in_months(39, 40, 38, 42, 40, 39, 3), NOV, lambda month: 500, datetime(2026, 11, 10, tzinfo=UTC))

    assert not halfway.over
    assert halfway.trend.until == NOV.before()
    assert halfway.trend.verdict == "unproven"


def test_more_escalations_of_more_accounts_are_no_increase():
    grown = figures(in_months(10, 10, 10, 20, 20, 20), NOV, lambda month: 1000 if month >= NOV.before(2) else 500)

    assert grown.trend.ratio == 1.0
    assert [each.rate for each in grown.months[-2:]] == [2.0, 2.0]


def test_the_sum_at_stake_leaves_out_what_is_not_known():
    found = figures([episode(1), episode(2, arr=None), episode(3)], NOV, nobody_knows)

    assert found.at_stake == Money(Decimal(200), currency("IDR"))


def test_an_open_escalation_is_not_judged_and_counts_as_open():
    found = figures([replace(episode(outcome=None), acknowledged_at=None)], NOV, nobody_knows)

    assert (found.still_open, found.ended, found.rules) == (1, 0, ())
