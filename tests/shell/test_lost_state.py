"""The state file is gone: the worker finds its flags, notes and messages again, and nobody reads the same twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.base import Capabilities, RetryableError
from connectors.notifier import Posting
from connectors.twins.slack import TOKEN, SlackTwin
from tests.office import Office
from worker.core.model import Channel
from worker.store import outbox
from worker.store.database import open_store
from worker.store.deliveries import State

SLACK = '  slack: {to: ["#escalations"]}'
HOUR = timedelta(hours=1)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with closing(Office(tmp_path, notifiers=f"{SLACK}\n  email: {{}}")) as here:
        here.account("A1", "Merah")
        here.account("A2", "Merah")
        yield here


def lose_state(here: Office) -> None:
    """As `rm state.sqlite*` and a restart."""
    here.store.close()
    for file in here.folder.glob("state.sqlite*"):
        file.unlink()
    here.store, here.worker = open_store(f"sqlite:///{here.folder / 'state.sqlite'}", here.clock), None


def states(here: Office, lane: str) -> list[State]:
    with here.store.read() as tx:
        return [each.state for each in outbox.in_state(tx, *State) if each.intent.lane == lane]


def test_no_second_note_and_no_second_message_where_the_channel_can_look(office: Office) -> None:
    slack, mail = office.record("slack"), office.record("email", Channel.EMAIL, able=Capabilities())
    office.cycle()
    office.cycle()
    notes, posts, mails = len(office.crm.notes()), len(slack.sent), len(mail.sent)
    lose_state(office)
    office.cycle(HOUR)
    office.cycle()

    assert (notes, posts) == (2, 2)
    assert len(office.crm.notes()) == notes
    assert len(slack.sent) == posts
    assert len({each.key for each in mail.sent}) == mails
    assert all(each.repeated for each in mail.sent[mails:])
    assert set(states(office, "slack")) == {State.DONE}


def test_what_happens_later_edits_the_old_message_and_answers_in_its_thread(office: Office) -> None:
    slack = office.record("slack")
    office.record("email", Channel.EMAIL)
    office.cycle()
    lose_state(office)
    office.cycle(HOUR)
    office.cycle(3 * HOUR)
    later = slack.sent[2:]

    assert {each.posting for each in later} == {Posting.EDIT, Posting.REPLY}
    assert {each.thread_ref for each in later} == {"found"}


def test_what_the_lost_state_never_told_is_told(office: Office) -> None:
    office.record("slack")
    office.record("email", Channel.EMAIL)
    office.cycle()
    fresh = office.record("slack")
    lose_state(office)
    office.cycle(HOUR)

    assert sorted(each.subject.split(" - ")[1] for each in fresh.sent) == ["PT A1", "PT A2"]


def test_a_look_up_that_fails_is_not_a_not_found(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    slack = office.record("slack")
    office.record("email", Channel.EMAIL)
    office.cycle()
    lose_state(office)

    def broken(keys: object, since: object) -> object:
        raise RetryableError("cannot look into Slack")

    with monkeypatch.context() as patch:
        patch.setattr(slack, "find", broken)
        office.cycle(HOUR)
        office.cycle(HOUR)
    posts = len(slack.sent)
    office.cycle(HOUR)

    assert posts == 2
    assert [each.posting for each in slack.sent].count(Posting.POST) == 2


def test_the_look_up_reaches_back_to_the_flag(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    slack = office.record("slack")
    office.record("email", Channel.EMAIL)
    office.cycle()
    flagged, asked = office.clock.now(), []
    lose_state(office)
    monkeypatch.setattr(slack, "find", lambda keys, since: asked.append(since) or {})
    office.cycle(timedelta(days=9))

    assert asked
    assert max(asked) <= flagged


def test_a_flag_that_a_person_ticked_is_told_at_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    slack = office.record("slack")
    office.record("email", Channel.EMAIL)
    monkeypatch.setattr(slack, "find", lambda keys, since: pytest.fail("nothing is to be looked for"))
    office.account("A3")
    office.crm.put("account", "A3", {"escalated": True, "escalation_level": "L3"})
    office.cycle()

    assert "PT A3" in " ".join(each.subject for each in slack.sent)


def test_on_slacks_own_client_no_second_message(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with SlackTwin() as twin:
        slack = (
            f'  slack: {{to: ["#escalations"], options: {{base_url: "{twin.url}"}}, secrets: {{token: {{env: T}}}}}}'
        )
        with closing(Office(tmp_path, notifiers=slack, at=now)) as here:
            here.account("A1", "Merah")
            here.account("A2", "Merah")
            here.start({"T": TOKEN})
            here.cycle()
            before = [each["ts"] for each in twin.posted()]
            lose_state(here)
            here.start({"T": TOKEN})
            here.cycle()
            after = [each["ts"] for each in twin.posted()]

    assert len(before) == 2
    assert after == before


def a_bug(here: Office, *keys: str) -> None:
    for key in keys:
        here.account(key)
        here.crm.put("case", f"C-{key}", {"account_id": key, "status": "Open", "bug_key": "BUG-7"})


def test_the_list_of_a_bug_is_found_again_and_who_joins_later_comes_to_it(office: Office) -> None:
    slack, mail = office.record("slack"), office.record("email", Channel.EMAIL, able=Capabilities())
    a_bug(office, "B1", "B2", "B3")
    office.cycle()
    posts, mails = len(slack.sent), len(mail.sent)
    lose_state(office)
    office.cycle(HOUR)
    found_again = len(slack.sent)
    a_bug(office, "B4")
    office.cycle()
    edits, replies = slack.posts(Posting.EDIT), slack.posts(Posting.REPLY)
    lists = [each for each in mail.sent[mails:] if each.subject.startswith("Bug") and each.repeated]

    assert [each.subject for each in slack.sent[posts:found_again] if each.posting is Posting.POST] == []
    assert edits[-1].subject.startswith("Bug BUG-7, 4 customers")
    assert replies[-1].text.startswith("PT B4 - Escalated")
    assert {each.thread_ref for each in (edits[-1], replies[-1])} == {"found"}
    assert all(f"PT {key} " in each.text for each in lists for key in ("B1", "B2", "B3"))
    assert lists
