"""An account that cannot be decided: at once when deciding fails, after some cycles when others are always faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.office import Office
from worker.commands.run import sentence
from worker.core.model import AccountId, ConnectorName
from worker.cycle import CycleReport
from worker.exits import ExitCode
from worker.runner import Runner, summary
from worker.status.look import Watcher
from worker.status.metrics import metrics
from worker.store import escalations
from worker.store.database import StoreBusyError
from worker.tables import state_lines
from worker.undecided import PATIENCE, compared, failing

EMBEDDED, A1 = ConnectorName("embedded"), AccountId("A1")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with closing(Office(tmp_path)) as here:
        here.account("A1", "Merah")
        here.account("B1", "Merah")
        yield here


@contextmanager
def failing_for(account: str, error: Exception) -> Iterator[None]:
    """Saving this account's escalation ends with `error`, whatever process tries it."""
    real: Callable[..., object] = escalations.save

    def save(tx: object, connector: object, value: escalations.Escalation) -> object:
        if value.account_id == account:
            raise error
        return real(tx, connector, value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(escalations, "save", save)
        yield


def once(here: Office) -> tuple[ExitCode, CycleReport]:
    """What a cron job runs: a new process each time, so nothing is remembered but what is in the store."""
    here.clock.at_time += timedelta(minutes=1)
    return Runner(here.start(), here.store, here.clock).once()


def shown(here: Office) -> tuple[str, tuple[str, ...], str]:
    """`status`, the troubles on the page, and the metrics."""
    settings = here.worker.settings
    look = Watcher(settings, here.store).look(here.clock.now())
    lines = "\n".join(state_lines(settings, here.store, here.clock.now(), None))
    return lines, look.troubles, metrics(look).decode()


def test_an_account_that_stays_busy_counts_as_failed_everywhere(office: Office) -> None:
    with failing_for("A1", StoreBusyError("escalation esc_1 was changed by another worker")), capture_logs() as log:
        early = [once(office)[0] for _ in range(PATIENCE - 1)]
        before = shown(office)
        code, report = once(office)
        during = shown(office)
    healed, _ = once(office)
    after = shown(office)

    assert early == [ExitCode.OK] * (PATIENCE - 1)
    assert "cannot be decided" not in before[0] + "".join(before[1])
    assert code is ExitCode.FINDINGS
    assert "1 accounts that cannot be decided" in sentence(summary(report))
    assert "embedded: 1 account cannot be decided since 2026-11-24 03:01 UTC, such as A1: escalation esc_1" in during[0]
    assert "embedded: 1 account cannot be decided" in during[1][0]
    assert 'escalation_undecided{connector="embedded"} 1.0' in during[2]
    assert [each["where"] for each in log if each["event"] == "failure"] == ["embedded.account.A1"]
    assert healed is ExitCode.OK
    assert 'escalation_undecided{connector="embedded"} 0.0' in after[2]
    assert "cannot be decided" not in after[0] + "".join(after[1])


def test_the_others_are_escalated_meanwhile_and_it_itself_afterwards(office: Office) -> None:
    with failing_for("A1", StoreBusyError("busy")):
        once(office)
        meanwhile = {note.account_id for note in office.crm.notes()}
    once(office)

    assert meanwhile == {"B1"}
    assert {note.account_id for note in office.crm.notes()} == {"A1", "B1"}


def test_a_fault_of_ours_counts_at_once_and_its_end_is_logged(office: Office) -> None:
    office.start()
    runner = Runner(office.worker, office.store, office.clock)
    with failing_for("A1", ValueError("no such month")), capture_logs() as log:
        first = runner.once()[0]
        runner.once()
    last = runner.once()[0]
    with capture_logs() as quiet:
        runner.once()

    assert (first, last) == (ExitCode.FINDINGS, ExitCode.OK)
    assert [each["reason"] for each in log if each["event"] == "failure"] == ["ValueError: no such month"]
    assert not [each for each in quiet if "failure" in each["event"]]
    assert "cannot be decided" not in shown(office)[0]


def test_operations_hear_of_it_when_it_lasts(tmp_path: Path) -> None:
    ops = '  ops: {channel: slack, module: connectors.notify.slack, to: ["#escalations"]}'
    alarms = "alarms: {notifier: ops, to: ['#operations'], after: 15m}"
    with closing(Office(tmp_path, notifiers=ops, more=alarms)) as here:
        channel = here.record("ops")
        here.account("A1", "Merah")
        with failing_for("A1", ValueError("no such month")):
            for _ in range(20):
                here.cycle()
        told = [each for each in channel.sent if each.to == ("#operations",)]

    assert len(told) == 1
    assert "embedded accounts" in told[0].subject
    assert "A1: ValueError: no such month" in told[0].text


def test_a_race_that_is_won_now_and_then_is_none(office: Office) -> None:
    kept = {}
    for cycle in range(20):
        busy = [] if cycle % PATIENCE == PATIENCE - 1 else [(A1, "changed by another worker")]
        kept = compared(kept, [], busy, office.clock.now())

        assert failing(kept) == {}


def test_what_is_kept_is_bounded(office: Office) -> None:
    many = [(AccountId(f"A{number}"), "x") for number in range(50_000)]

    assert len(compared({}, many, many, office.clock.now())) == 1_000
