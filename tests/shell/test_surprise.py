"""A day that brings far more escalations than any before stops and asks, however high the fixed limits are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.office import Office
from worker import brakes
from worker.brakes import Why
from worker.core.model import ConnectorName, Level
from worker.store import escalations

CRM = ConnectorName("embedded")
OPS = '  ops: {module: connectors.notify.slack, channel: slack, to: ["#operations"]}'
ALARMS = "alarms: {notifier: ops, to: ['#operations']}"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, notifiers=OPS, more=ALARMS)
    made.record("ops")
    yield made
    made.close()


def lives(here: Office, days: int) -> None:
    """Each day one account turns red."""
    for day in range(days):
        here.account(f"D{day:02d}", "Merah", health_as_of=here.clock.at_time)
        here.cycle(timedelta(days=1))


def turn_red(here: Office, count: int, prefix: str = "S", after: timedelta = timedelta(minutes=5)) -> None:
    for number in range(count):
        here.account(f"{prefix}{number:02d}", "Merah", health_as_of=here.clock.at_time)
    here.cycle(after)


def held(here: Office) -> brakes.Hold | None:
    with here.store.read() as tx:
        return brakes.hold_of(tx, CRM)


def test_a_day_that_is_far_from_usual_is_held_and_told_once(office: Office) -> None:
    lives(office, 20)
    turn_red(office, 15)
    office.cycle()
    hold = held(office)
    alarms = [each for each in office.channels["ops"].sent if "wait for a yes" in each.subject]

    assert hold is not None
    assert (hold.why, hold.count) == (Why.SURPRISE, 15)
    assert [each.subject for each in alarms] == ["Escalation worker: 15 new escalations of embedded wait for a yes"]
    assert "The busiest day by far" in alarms[0].text


def test_after_a_yes_they_open_and_the_rest_of_the_day_is_judged_anew(office: Office) -> None:
    lives(office, 20)
    turn_red(office, 15)
    with office.store.begin() as tx:
        brakes.approve(tx, CRM, list(Level))
    office.cycle()
    opened = len(open_ones(office))
    turn_red(office, 6, "T", timedelta(hours=1))
    ordinary = held(office)
    turn_red(office, 15, "U", timedelta(hours=1))

    assert opened >= 15
    assert ordinary is None
    assert held(office) is not None


def open_ones(here: Office) -> list[str]:
    with here.store.read() as tx:
        return [one.account_id for _, one in escalations.open_ones(tx) if one.account_id.startswith("S")]


def test_what_is_usual_here_or_little_passes(office: Office) -> None:
    for day in range(16):
        turn_red(office, 8 if day % 5 == 4 else 1, f"D{day:02d}x", timedelta(days=1))
    turn_red(office, 30)

    assert held(office) is None
    assert len(open_ones(office)) == 30


def test_a_short_history_and_a_limit_of_zero_surprise_nobody(office: Office, tmp_path: Path) -> None:
    lives(office, 5)
    turn_red(office, 20)
    short = held(office)
    unlimited = office.config.read_text(encoding="utf-8").replace("most_share: 1}", "most_share: 1, surprise: 0}")
    office.config.write_text(unlimited, encoding="utf-8")
    office.start()
    lives(office, 15)
    turn_red(office, 80, "Z")

    assert short is None
    assert held(office) is None
