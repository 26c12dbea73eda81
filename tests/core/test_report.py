"""The monthly figures by example: what counts where, and what may not be claimed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from worker.core.calendar import WALL_CLOCK, due
from worker.core.episodes import Episode, Month, Verdict
from worker.core.figures import Weighed
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
from worker.core.money import Money, rupiah
from worker.core.renewals import Renewal, RenewalDate
from worker.core.report import report

NOV = Month(2026, 11)
HUNDRED: Money = rupiah(100)
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
    renewals=(),
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
        renewals=tuple(RenewalDate(*each) for each in renewals),
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
    assert found.to_resolve_in_business.count == 0


def test_business_time_has_its_own_median_and_nine_of_ten_of_those_for_which_it_is_known():
    known = [replace(episode(n), business_time=timedelta(hours=n)) for n in range(1, 12)]
    found = figures([*known, episode(12)], NOV, nobody_knows)

    business = found.to_resolve_in_business
    assert (business.count, business.median, business.p90) == (11, timedelta(hours=6), timedelta(hours=10))
    assert found.to_resolve.count == 12


def test_who_was_moved_up_or_answered_late_was_not_in_time():
    episodes = [
        episode(1),
        episode(2, answered=timedelta(hours=3)),
        episode(3, level=Level.L3, first=Level.L2),
        episode(4, answered=None),
    ]

    assert figures(episodes, NOV, nobody_knows).in_time == (Weighed(1, HUNDRED), Weighed(4, rupiah(400)))


def named(checked):
    return [each.episode.escalation.id for each in checked]


def test_an_escalation_closed_as_saved_whose_customer_left_is_named():
    left = episode(1, churned=date(2026, 11, 28))
    stays = episode(2)
    honest = episode(3, outcome=Outcome.CHURNED, churned=date(2026, 11, 28))

    found = figures([left, stays, honest], NOV, nobody_knows)

    assert named(found.contradicted) == ["esc_1"]
    assert (found.saved.count, found.lost.count) == (2, 1)


IN_MARCH = [(date(2026, 3, 1), date(2027, 3, 1))]
"""The renewal of the first of March, as the CRM has it before the escalation begins."""


def test_a_saved_customer_who_did_not_renew_months_later_is_named_in_that_month():
    one = episode(renewals=IN_MARCH, churned=date(2027, 3, 1))
    june = datetime(2027, 6, 1, tzinfo=UTC)

    assert [named(figures([one], Month(2027, month), nobody_knows, june).contradicted) for month in (2, 3)] == [
        [],
        ["esc_1"],
    ]


def test_a_customer_counted_as_churned_who_renewed_is_named_too():
    one = episode(outcome=Outcome.CHURNED, renewals=[*IN_MARCH, (date(2027, 3, 2), date(2028, 3, 1))])
    june = datetime(2027, 6, 1, tzinfo=UTC)

    assert named(figures([one], Month(2027, 3), nobody_knows, june).contradicted) == ["esc_1"]


def test_what_was_closed_as_saved_is_held_against_the_renewal_when_its_90_days_are_over():
    moved, month_later = (date(2027, 3, 2), date(2028, 3, 1)), datetime(2027, 4, 1, tzinfo=UTC)
    episodes = [
        episode(1, renewals=[*IN_MARCH, moved]),
        episode(2, renewals=IN_MARCH, churned=date(2027, 1, 10), arr=rupiah(7)),
        episode(3, renewals=[(date(2026, 3, 1), date(2027, 9, 1))]),
        episode(4, renewals=IN_MARCH, arr=None),
        episode(5, outcome=Outcome.FALSE_ALARM, renewals=IN_MARCH),
    ]
    found = figures(episodes, Month(2027, 2), nobody_knows, month_later)

    assert found.kept.closed == Weighed(4, rupiah(207))
    assert found.kept.left == Weighed(1, rupiah(7))
    assert dict(found.kept.renewals) == {
        Renewal.RENEWED: Weighed(1, HUNDRED),
        Renewal.NOT_RENEWED: Weighed(1, rupiah(7)),
        Renewal.NOT_YET_DUE: Weighed(1, HUNDRED),
        Renewal.NOT_SAID: Weighed(1),
    }
    assert found.kept_year == found.kept
    assert figures(episodes, Month(2027, 1), nobody_knows, month_later).kept.closed.count == 0
    assert named(figures(episodes, Month(2027, 3), nobody_knows, month_later).unsaid) == ["esc_4"]


@pytest.mark.parametrize(
    ("renewals", "today", "verdict"),
    [
        (IN_MARCH, date(2026, 12, 1), Verdict.TOO_EARLY),
        (IN_MARCH, date(2027, 2, 20), Verdict.HOLDS),
        (IN_MARCH, date(2027, 3, 2), Verdict.UNCLEAR),
        ([], date(2027, 3, 2), Verdict.HOLDS),
        ([*IN_MARCH, (date(2026, 11, 20), date(2028, 3, 1))], date(2026, 12, 1), Verdict.HOLDS),
    ],
)
def test_an_outcome_is_believed_after_90_days_or_with_the_renewal(renewals, today, verdict):
    assert episode(renewals=renewals).check(today).verdict is verdict


def test_what_was_a_false_alarm_or_is_open_is_held_against_nothing():
    assert episode(outcome=Outcome.FALSE_ALARM).check(date(2027, 6, 1)) is None
    assert episode(outcome=None).check(date(2027, 6, 1)) is None
    assert episode(churned=date(2026, 1, 1)).check(date(2027, 6, 1)) is None


def test_figures_by_arr_count_each_escalation_with_what_is_at_stake():
    small = [episode(n, answered=timedelta(hours=1), lasted=timedelta(days=1)) for n in range(1, 10)]
    large = episode(10, answered=timedelta(hours=9), lasted=timedelta(days=9), arr=rupiah(2000))
    unknown = episode(11, answered=timedelta(hours=20), arr=None)
    found = figures([*small, large, unknown], NOV, nobody_knows)

    assert found.to_acknowledge.median == timedelta(hours=1)
    assert (found.to_acknowledge.arr_median, found.to_acknowledge.arr_p90) == (timedelta(hours=9), timedelta(hours=9))
    assert found.to_resolve.arr_median == timedelta(days=9)
    assert found.saved == Weighed(11, rupiah(2900))
    assert found.without_arr == 1


def test_no_figure_by_arr_is_made_up_where_no_arr_is_known():
    found = figures([episode(n, arr=None) for n in range(4)], NOV, nobody_knows)

    assert (found.to_acknowledge.arr_median, found.saved.arr, found.rules[0].arr_share) == (None, None, None)


def test_precision_by_arr_shows_whether_the_large_ones_were_right():
    wrong = [episode(n, outcome=Outcome.FALSE_ALARM, arr=rupiah(10)) for n in range(2)]
    right = [episode(n, arr=rupiah(190)) for n in range(10, 12)]
    (rule,) = figures([*wrong, *right], NOV, nobody_knows).rules

    assert (rule.share, rule.arr_share) == (0.5, 0.95)


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


def test_the_sum_at_stake_leaves_out_what_is_not_known_and_counts_an_account_once():
    again = replace(episode(4), account_name="PT 1", escalation=replace(episode(4).escalation, account_id="A1"))
    found = figures([episode(1), episode(2, arr=None), episode(3), again], NOV, nobody_knows)

    assert found.at_stake == rupiah(200)


def test_an_open_escalation_is_not_judged_and_counts_as_open():
    found = figures([replace(episode(outcome=None), acknowledged_at=None)], NOV, nobody_knows)

    assert (found.still_open, found.ended, found.rules) == (1, 0, ())
