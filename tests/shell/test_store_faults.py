"""A state that is locked, full or read-only: nothing is sent without its intent, and it goes on by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from connectors.base import Result, WriteResult
from tests.office import Office, Recorder
from worker.store import database, outbox
from worker.store.database import StoreBusyError, StoreError
from worker.store.deliveries import Kind, State

SLACK = '  slack: {to: ["#escalations"]}'


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Office, Recorder]]:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0)
    with closing(Office(tmp_path, notifiers=SLACK)) as here:
        slack = here.record("slack")
        here.account("A1", "Green")
        here.cycle()
        here.account("A1", "Merah")
        yield here, slack


@contextmanager
def locked(here: Office) -> Iterator[None]:
    other = database.open_store(f"sqlite:///{here.folder / 'state.sqlite'}", here.clock)
    with other.begin():
        yield
    other.close()


@contextmanager
def pragma(here: Office, on: str) -> Iterator[None]:
    """Every connection of the worker gets this pragma for a while."""
    here.store.engine.dispose()
    listener = _listener(on)
    event.listen(here.store.engine, "connect", listener)
    yield
    event.remove(here.store.engine, "connect", listener)
    here.store.engine.dispose()


def _listener(on: str) -> Callable[[object, object], None]:
    def set_it(connection, _record):  # type: ignore[no-untyped-def]
        connection.execute(f"PRAGMA {on}").close()

    return set_it


def test_a_locked_state_ends_the_cycle_and_the_next_one_goes_on(office: tuple[Office, Recorder]) -> None:
    here, slack = office
    with locked(here), pytest.raises(StoreBusyError, match="locked by another process"):
        here.cycle()
    during = list(slack.sent)
    here.cycle()

    assert during == []
    assert [each.subject for each in slack.sent] == ["L2 - PT A1 - health red"]


@pytest.mark.parametrize(
    ("on", "said"),
    [("max_page_count=1", "cannot grow"), ("query_only=ON", "read-only")],
)
def test_a_full_disk_or_a_read_only_state_sends_nothing_without_its_intent(
    office: tuple[Office, Recorder], on: str, said: str
) -> None:
    here, slack = office
    text = "x" * 200_000
    here.crm.put("case", "C1", {"account_id": "A1", "subject": "s", "text": text, "category": "executive_complaint"})
    with pragma(here, on), pytest.raises(StoreError, match=said) as refused:
        here.cycle()
    during = list(slack.sent), len(here.crm.notes())
    here.cycle()
    here.cycle()

    assert refused.value.remedy
    assert during == ([], 0)
    assert len(slack.sent) == 1
    assert len(here.crm.notes()) == 1


def test_chat_that_waited_for_days_is_not_sent_and_flag_and_note_are(office: tuple[Office, Recorder]) -> None:
    here, slack = office
    slack.answer = WriteResult(Result.RETRY, reason="Slack has a fault")
    here.cycle()
    here.cycle(timedelta(days=3))
    slack.answer = None
    here.cycle()
    with here.store.read() as tx:
        stale = outbox.in_state(tx, State.EXPIRED)

    assert {each.intent.kind for each in stale} == {Kind.MESSAGE}
    assert all("stale" in each.reason for each in stale)
    assert not any(
        each.subject == "L2 - PT A1 - health red" and "Answer due: Tue 24" in each.text for each in slack.sent
    )
    assert len(here.crm.notes()) >= 1
