"""Buttons in Slack: the line is opened from here, clicks are heard once kept, and only our own people are believed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from connectors.base import FatalError, Result, RetryableError, Severity
from connectors.hearing import Click, Hearer
from connectors.notifier import Button, Posting
from connectors.notify.slack import SlackWithButtons, open_notifier, socket
from connectors.twins.slack import APP_TOKEN, TOKEN, Fault, SlackTwin
from tests.contract.test_slack import POST

WITH_BUTTON = replace(POST, buttons=(Button("I have it", "esc_1|2"),))
SCOPES = "chat:write,channels:history,channels:read,users:read,users:read.email"


@pytest.fixture
def twin() -> Iterator[SlackTwin]:
    with SlackTwin() as running:
        running.scopes = SCOPES
        running.person("U1", "bima@example.com")
        yield running


def bot(twin: SlackTwin, app_token: str = APP_TOKEN) -> SlackWithButtons:
    opened = open_notifier({"token": TOKEN, "app_token": app_token, "base_url": twin.url})
    assert isinstance(opened, SlackWithButtons)
    return opened


class Ear:
    """Keeps clicks, or fails to."""

    def __init__(self) -> None:
        self.clicks: list[Click] = []
        self.fails = 0

    def keep(self, click: Click) -> None:
        if self.fails:
            self.fails -= 1
            raise OSError("no space left")
        self.clicks.append(click)


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def slack(twin: SlackTwin, ear: Ear) -> Iterator[SlackWithButtons]:
    """A bot that listens, with one card in the channel."""
    with closing(bot(twin)) as listening:
        listening.send(WITH_BUTTON)
        listening.listen(ear.keep)
        assert until(lambda: listening.hearing().up)
        yield listening


def until(true: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it comes true; the line works in threads of its own."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def test_a_card_carries_its_button_and_loses_it_with_an_edit(twin: SlackTwin) -> None:
    slack = bot(twin)
    first = slack.send(WITH_BUTTON)
    offered = twin.posted()[0]["blocks"]
    slack.send(replace(POST, key="k2", posting=Posting.EDIT, thread_ref=first.remote_id))

    assert [block["type"] for block in offered] == ["rich_text", "actions"]
    assert offered[1]["elements"][0]["value"] == "esc_1|2"
    assert twin.posted()[0]["text"].startswith(POST.subject)
    assert [block["type"] for block in twin.posted()[0]["blocks"]] == ["rich_text"]


def test_without_an_app_level_token_no_button_is_shown(twin: SlackTwin) -> None:
    plain = open_notifier({"token": TOKEN, "base_url": twin.url})
    plain.send(WITH_BUTTON)

    assert [block["type"] for block in twin.posted()[0]["blocks"]] == ["rich_text"]
    assert not plain.capabilities().buttons
    assert bot(twin).capabilities().buttons
    assert isinstance(bot(twin), Hearer)


def test_a_click_is_heard_and_answered(twin: SlackTwin, slack: SlackWithButtons, ear: Ear) -> None:
    twin.click("U1")

    assert twin.sockets.wait(answered=1)
    assert [(each.user, each.place, each.value) for each in ear.clicks] == [("U1", "C0000001", "esc_1|2")]
    assert slack.hearing().up


def test_a_click_that_cannot_be_kept_is_not_answered_and_comes_again_under_its_key(
    twin: SlackTwin, slack: SlackWithButtons, ear: Ear
) -> None:
    ear.fails = 1
    twin.click("U1")
    assert until(lambda: "could not be kept" in slack.hearing().failure)
    assert (twin.sockets.owed, twin.sockets.answered, slack.hearing().up) == (1, [], True)

    twin.sockets.again()
    assert twin.sockets.wait(answered=1)
    assert (len(ear.clicks), slack.hearing().failure) == (1, "")


def test_each_delivery_of_a_click_has_its_key_and_each_click_one_of_its_own(
    twin: SlackTwin, slack: SlackWithButtons, ear: Ear
) -> None:
    lost = threading.Event()
    forgetful = twin.sockets._take
    twin.sockets._take = lambda answer: lost.set()  # type: ignore[method-assign]  Slack hears no answer
    twin.click("U1")
    assert lost.wait(10)
    twin.sockets._take = forgetful  # type: ignore[method-assign]
    twin.sockets.again()
    twin.click("U1")

    assert twin.sockets.wait(answered=2)
    assert len(ear.clicks) == 3
    assert len({each.key for each in ear.clicks}) == 2


def test_a_broken_line_is_opened_again_and_what_it_missed_comes(
    twin: SlackTwin, slack: SlackWithButtons, ear: Ear
) -> None:
    twin.sockets.drop()
    assert twin.sockets.wait(lines=0)
    twin.click("U1")

    assert twin.sockets.wait(answered=1)
    assert (len(ear.clicks), twin.sockets.opened) == (1, 2)
    assert until(lambda: slack.hearing().up)


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
def test_a_line_that_slack_wants_renewed_is_replaced_before_it_is_given_up(
    twin: SlackTwin, slack: SlackWithButtons, ear: Ear, reason: str
) -> None:
    twin.sockets.say({"type": "disconnect", "reason": reason})
    twin.click("U1")

    assert twin.sockets.wait(answered=1)
    assert until(lambda: twin.sockets.opened == 2)
    assert twin.sockets.wait(lines=1)
    assert (len({each.key for each in ear.clicks}), slack.hearing().up) == (1, True)


def test_socket_mode_that_is_turned_off_is_said_with_its_remedy(twin: SlackTwin, slack: SlackWithButtons) -> None:
    twin.sockets.say({"type": "disconnect", "reason": "link_disabled"})

    assert until(lambda: not slack.hearing().up)
    assert slack.hearing().failure == "Socket Mode was turned off"
    assert "turn Socket Mode on" in slack.hearing().remedy


@pytest.mark.parametrize(
    ("token", "scopes", "said", "remedy"),
    [
        ("xapp-wrong", "connections:write", "Slack refuses: invalid_auth", "app-level token"),
        (TOKEN, "connections:write", "Slack refuses: not_allowed_token_type", "app-level token"),
        (APP_TOKEN, "authorizations:read", "Slack refuses: missing_scope", "connections:write"),
    ],
)
def test_a_token_that_opens_nothing_is_told_by_check_and_by_the_line(
    twin: SlackTwin, ear: Ear, token: str, scopes: str, said: str, remedy: str
) -> None:
    twin.app_scopes = scopes
    with closing(bot(twin, token)) as slack:
        found = slack.check()[-1]
        slack.listen(ear.keep)

        assert (found.severity, found.detail) == (Severity.WARNING, said)
        assert remedy in found.remedy
        assert until(lambda: slack.hearing().failure == said)
        assert remedy in slack.hearing().remedy
        assert not slack.hearing().up


def test_check_asks_for_the_scopes_that_tell_who_pressed(twin: SlackTwin) -> None:
    twin.scopes = "chat:write,channels:history,channels:read,users:read"
    said = [(each.severity, each.detail) for each in bot(twin).check()]

    assert (Severity.WARNING, "the token lacks users:read.email") in said
    assert (Severity.OK, "the app-level token opens a socket") in said
    assert twin.sockets.opened == 0


def test_nobody_listens_once_it_is_closed(twin: SlackTwin, ear: Ear) -> None:
    before = threading.active_count()
    slack = bot(twin)
    slack.listen(ear.keep)
    assert twin.sockets.wait(lines=1)
    began = time.monotonic()
    slack.close()
    slack.close()

    assert time.monotonic() - began < 3
    assert twin.sockets.wait(lines=0)
    assert until(lambda: threading.active_count() <= before)
    assert not slack.hearing().up


def test_a_line_without_a_hello_is_none(twin: SlackTwin, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "_PATIENCE", 0.2)
    twin.sockets.greets = False
    with closing(bot(twin)) as slack:
        slack.listen(ear.keep)
        assert until(lambda: "no answer" in slack.hearing().failure)
        twin.sockets.greets = True
        assert until(lambda: slack.hearing().up)


def test_an_address_that_is_not_slacks_is_not_called(twin: SlackTwin, ear: Ear) -> None:
    twin.sockets.ticket = lambda: "wss://wss-primary.slack.com.example.org/link/?ticket=t"  # type: ignore[method-assign]
    with closing(bot(twin)) as slack:
        slack.listen(ear.keep)

        assert until(lambda: "not understood" in slack.hearing().failure)
        assert twin.sockets.opened == 0


def test_gibberish_and_envelopes_of_other_kinds_disturb_nothing(
    twin: SlackTwin, slack: SlackWithButtons, ear: Ear
) -> None:
    twin.sockets.say({"type": "events_api", "envelope_id": "e1", "payload": {"event": {}}})
    twin.sockets.say({"type": "interactive", "envelope_id": "e2", "payload": {"type": "view_closed"}})
    for line in twin.sockets._lines:
        line.send("not json")
        line.send("[1]")
    twin.click("U1")

    assert twin.sockets.wait(answered=3)
    assert twin.sockets.answered[:2] == ["e1", "e2"]
    assert len(ear.clicks) == 1


@pytest.mark.parametrize(
    ("who", "address"),
    [
        ({}, "u9@example.com"),
        ({"team_id": "T0000666"}, ""),
        ({"is_stranger": True}, ""),
        ({"is_restricted": True}, ""),
        ({"is_ultra_restricted": True}, ""),
        ({"deleted": True}, ""),
        ({"is_bot": True}, ""),
        ({"profile": {}}, ""),
    ],
)
def test_only_the_address_of_our_own_people_is_believed(twin: SlackTwin, who: dict[str, object], address: str) -> None:
    twin.person("U9", "u9@example.com", **who)

    assert bot(twin).address_of("U9") == address


def test_without_the_scope_or_an_answer_nobody_is_anybody(twin: SlackTwin) -> None:
    twin.order("users.info", Fault.RATE_LIMIT)
    with pytest.raises(RetryableError, match="who pressed"):
        bot(twin).address_of("U1")
    twin.scopes = "chat:write,channels:history,channels:read"
    with pytest.raises(FatalError) as refused:
        bot(twin).address_of("U1")
    assert "users:read.email" in refused.value.remedy


def test_a_whisper_reaches_one_person_and_is_never_in_doubt(twin: SlackTwin) -> None:
    slack = bot(twin)
    twin.order("chat.postEphemeral", Fault.DROP_AFTER)
    lost = slack.whisper("U1", "C0000001", "<!channel> taken")
    said = slack.whisper("U1", "C0000001", "<!channel> taken")
    gone = slack.whisper("U7", "C0000001", "taken")

    assert (lost.result, said.result, gone.result) == (Result.RETRY, Result.APPLIED, Result.REJECTED)
    assert twin.whispers[-1] == {"user": "U1", "channel": "C0000001", "text": "&lt;!channel&gt; taken"}
    assert twin.posted() == []


def test_an_app_level_token_needs_a_bot(twin: SlackTwin) -> None:
    with pytest.raises(FatalError, match="no bot token"):
        open_notifier({"app_token": APP_TOKEN, "webhook": "https://hooks.slack.com/services/T/B/x"})
    with pytest.raises(FatalError, match="characters"):
        open_notifier({"token": TOKEN, "app_token": "xapp-1\n"})
