"""A health colour that gets better just before the month is counted, with nothing behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from worker.core.gaming import polished
from worker.core.model import Colour, Health
from worker.core.story import HealthMove

NOVEMBER_29 = datetime(2026, 11, 29, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def moves(*said):
    """Colours and scores, each so many days after the 29th of November."""
    return [
        HealthMove(NOVEMBER_29 + days * DAY, Health(Colour(colour), None if score is None else Decimal(score)))
        for days, colour, score in said
    ]


def test_a_better_colour_on_the_same_score_before_the_months_end_is_a_sign():
    (found,) = polished(moves((-20, "red", 12), (-10, "red", 12), (0, "green", 12), (3, "red", 12)))

    assert str(found) == (
        "health raised from red to green on 2026-11-29, 1 day before the end of the month, "
        "while the score went from 12 to 12; as before or worse on 2026-12-02"
    )


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([(-20, "red", 12), (0, "green", 80)], id="the score got better too"),
        pytest.param([(-40, "red", 12), (-20, "green", 12)], id="long before the month's end"),
        pytest.param([(-20, "green", 12), (0, "red", 12)], id="it got worse"),
        pytest.param([(-20, "unknown", 12), (0, "green", 12)], id="nobody knows what it was"),
        pytest.param([(-20, "red", None), (0, "green", None)], id="no score, and it stayed better"),
        pytest.param([(-20, "red", None), (0, "green", None), (20, "red", None)], id="no score, and worse long after"),
        pytest.param([], id="nothing is known"),
    ],
)
def test_what_is_no_sign(said):
    assert list(polished(moves(*said))) == []


def test_without_a_score_it_is_one_when_it_is_soon_as_before():
    (found,) = polished(moves((-20, "yellow", None), (1, "green", None), (4, "red", None)))

    assert str(found) == (
        "health raised from yellow to green on 2026-11-30, on the last day of the month; "
        "as before or worse on 2026-12-03"
    )
