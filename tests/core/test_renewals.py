"""What became of the renewal after an escalation, out of the renewal dates as the CRM had them."""

from __future__ import annotations

from datetime import date

import pytest

from worker.core.renewals import Renewal, RenewalDate, aftermath

ENDED, TODAY = date(2026, 11, 5), date(2027, 6, 1)
MARCH, NEXT_MARCH, JULY = date(2027, 3, 1), date(2028, 3, 1), date(2027, 7, 1)
BEFORE, SOON, AFTER = date(2026, 1, 1), date(2026, 12, 1), date(2027, 3, 4)


def became(*dates, left=None, today=TODAY):
    return aftermath([RenewalDate(*each) for each in dates], ENDED, left, today)


@pytest.mark.parametrize(
    ("dates", "renewal", "due_on", "known_on"),
    [
        ([(BEFORE, MARCH), (AFTER, NEXT_MARCH)], Renewal.RENEWED, MARCH, AFTER),
        ([(BEFORE, MARCH), (SOON, NEXT_MARCH)], Renewal.RENEWED, MARCH, SOON),
        ([(BEFORE, MARCH), (AFTER, date(2027, 4, 1))], Renewal.RENEWED, MARCH, AFTER),
        ([(BEFORE, MARCH), (SOON, JULY)], Renewal.NOT_YET_DUE, JULY, None),
        ([(BEFORE, MARCH), (SOON, JULY), (JULY, NEXT_MARCH)], Renewal.RENEWED, JULY, JULY),
        ([(BEFORE, MARCH)], Renewal.NOT_SAID, MARCH, None),
        ([(BEFORE, JULY)], Renewal.NOT_YET_DUE, JULY, None),
        ([(SOON, JULY)], Renewal.NOT_YET_DUE, JULY, None),
        ([(BEFORE, date(2026, 10, 1)), (SOON, date(2027, 10, 1))], Renewal.RENEWED, date(2026, 10, 1), SOON),
        ([], Renewal.NOT_SAID, None, None),
    ],
    ids=[
        "the date moved on when it was reached",
        "renewed early, by a year",
        "a monthly contract",
        "only postponed",
        "postponed, then renewed",
        "over, and nothing said",
        "still ahead",
        "a date entered later",
        "overdue already at the end",
        "no date at all",
    ],
)
def test_a_renewal_is_read_out_of_how_its_date_moved(dates, renewal, due_on, known_on):
    found = became(*dates)

    assert (found.renewal, found.due_on, found.known_on) == (renewal, due_on, known_on)


def test_who_left_before_the_date_moved_has_not_renewed():
    left = date(2027, 2, 1)

    assert became((BEFORE, MARCH), left=left).renewal is Renewal.NOT_RENEWED
    assert became((BEFORE, MARCH), (AFTER, NEXT_MARCH), left=left).renewal is Renewal.NOT_RENEWED
    assert became(left=left).renewal is Renewal.NOT_RENEWED


def test_who_left_a_year_after_renewing_has_renewed():
    assert became((BEFORE, MARCH), (AFTER, NEXT_MARCH), left=date(2027, 5, 1)).renewal is Renewal.RENEWED


def test_on_the_day_itself_it_is_not_over_yet():
    assert became((BEFORE, MARCH), today=MARCH).renewal is Renewal.NOT_YET_DUE
