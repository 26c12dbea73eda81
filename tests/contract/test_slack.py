"""Slack: the vendor's own client against the strict twin. Exactly once with a bot, and what a webhook cannot do."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.base import Capabilities, FatalError, Result, RetryableError, Severity
from connectors.notifier import Message, Posting
from connectors.notify.slack import SlackNotifier, SlackWebhook, line, open_notifier, reading
from connectors.twins.slack import HOOK, TOKEN, Fault, SlackTwin

AT = datetime.now(UTC)
POST = Message(
    key="k1",
    posting=Posting.POST,
    to=("#escalations",),
    subject="L2 - PT Sinar - churn threat",
    text="Why: the customer wants to leave.",
    at=AT,
    thread_key="esc_1",
    link="https://crm.example.com/A1",
)


@pytest.fixture
def twin() -> Iterator[SlackTwin]:
    with SlackTwin() as running:
        yield running


def bot(twin: SlackTwin, token: str = TOKEN) -> SlackNotifier:
    opened = open_notifier({"token": token, "base_url": twin.url})
    assert isinstance(opened, SlackNotifier)
    return opened


def hook(twin: SlackTwin, path: str = HOOK, **more: object) -> SlackWebhook:
    opened = open_notifier({"webhook": twin.url.removesuffix("/api/") + path, **more})
    assert isinstance(opened, SlackWebhook)
    return opened


def shown(message: dict[str, object]) -> list[dict[str, object]]:
    """The rich text elements of a message."""
    return [each for block in message["blocks"] for section in block["elements"] for each in section["elements"]]


def test_a_post_carries_its_key_and_reads_well(twin: SlackTwin) -> None:
    result = bot(twin).send(POST)
    posted = twin.posted()[0]

    assert (result.result, result.remote_id) == (Result.APPLIED, f"C0000001:{posted['ts']}")
    assert posted["metadata"] == {"event_type": "escalation", "event_payload": {"key": "k1"}}
    assert posted["text"] == f"{POST.subject}\n{POST.text}\n{POST.link}"
    assert [(each["type"], each.get("style")) for each in shown(posted)] == [
        ("text", {"bold": True}),
        ("text", None),
        ("link", None),
    ]


def test_nothing_is_parsed_and_nothing_unfolds(twin: SlackTwin) -> None:
    bot(twin).send(POST)
    sent = twin.posted()[0]["sent"]

    assert sent["parse"] == "none"
    assert {sent[name] for name in ("link_names", "unfurl_links", "unfurl_media", "mrkdwn")} == {"false"}


def test_one_message_is_edited_and_answered_in_its_thread(twin: SlackTwin) -> None:
    slack = bot(twin)
    first = slack.send(POST)
    over = replace(POST, key="k2", posting=Posting.EDIT, subject="Closed - PT Sinar", struck=True)
    edited = slack.send(replace(over, thread_ref=first.remote_id))
    answer = replace(POST, key="k3", posting=Posting.REPLY, text="resolved: all is well", link="")
    answered = slack.send(replace(answer, thread_ref=first.remote_id))
    card, reply = twin.posted()

    assert {edited.result, answered.result} == {Result.APPLIED}
    assert (card["text"].splitlines()[0], card["edited"]) == ("Closed - PT Sinar", 1)
    assert shown(card)[0]["style"] == {"strike": True}
    assert (reply["thread_ts"], reply["text"]) == (card["ts"], "resolved: all is well")
    assert card["metadata"]["event_payload"] == {"key": "k1"}


def test_a_lost_answer_is_found_again_by_its_key_and_was_posted_once(twin: SlackTwin) -> None:
    slack = bot(twin)
    twin.order("chat.postMessage", Fault.DROP_AFTER)
    lost = slack.send(POST)
    found = slack.find(["k1", "k2"], AT)

    assert lost.result is Result.UNKNOWN
    assert found == {"k1": f"C0000001:{twin.posted()[0]['ts']}"}
    assert len(twin.posted()) == 1


def test_a_lost_answer_in_an_old_thread_is_found_too(twin: SlackTwin) -> None:
    slack = bot(twin)
    first = slack.send(POST)
    twin.messages["C0000001"][0]["ts"] = old = f"{(AT - timedelta(days=20)).timestamp():.6f}"
    twin.order("chat.postMessage", Fault.DROP_AFTER)
    answer = replace(POST, key="k3", posting=Posting.REPLY, thread_ref=f"C0000001:{old}")

    assert first.done
    assert slack.send(answer).result is Result.UNKNOWN
    assert list(slack.find(["k3"], AT)) == ["k3"]


def test_a_look_up_reads_every_page(twin: SlackTwin) -> None:
    twin.page_size = 3
    slack = bot(twin)
    for number in range(10):
        slack.send(replace(POST, key=f"k{number}"))

    assert set(slack.find([f"k{number}" for number in range(11)], AT)) == {f"k{number}" for number in range(10)}


@pytest.mark.parametrize("fault", [Fault.RATE_LIMIT, Fault.BROKEN, Fault.HTML, Fault.GIBBERISH, Fault.DROP_BEFORE])
def test_a_look_up_that_fails_is_not_nothing_found(twin: SlackTwin, fault: Fault) -> None:
    slack = bot(twin)
    twin.order("conversations.history", fault)

    with pytest.raises(RetryableError):
        slack.find(["k1"], AT)


@pytest.mark.parametrize(
    ("fault", "expected", "arrived"),
    [
        (Fault.RATE_LIMIT, Result.RETRY, 0),
        (Fault.DROP_BEFORE, Result.UNKNOWN, 0),
        (Fault.DROP_AFTER, Result.UNKNOWN, 1),
        (Fault.BROKEN, Result.UNKNOWN, 0),
        (Fault.HTML, Result.UNKNOWN, 0),
        (Fault.GIBBERISH, Result.UNKNOWN, 1),
        (Fault.REDIRECT, Result.UNKNOWN, 0),
    ],
)
def test_each_way_to_fail_is_told_for_what_it_is(twin: SlackTwin, fault: Fault, expected: Result, arrived: int) -> None:
    slack = bot(twin)
    twin.order("chat.postMessage", fault)
    twin.elsewhere = twin.url + "chat.postMessage"

    assert (slack.send(POST).result, len(twin.posted())) == (expected, arrived)


def test_slack_says_how_long_to_wait(twin: SlackTwin) -> None:
    slack = bot(twin)
    twin.order("chat.postMessage", Fault.RATE_LIMIT)
    twin.retry_after = 42

    assert slack.send(POST).retry_after == timedelta(seconds=42)


def test_the_client_itself_never_retries(twin: SlackTwin) -> None:
    slack = bot(twin)
    for fault in (Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.RATE_LIMIT, Fault.BROKEN):
        twin.calls.clear()
        twin.order("chat.postMessage", fault, Fault.DROP_BEFORE)
        slack.send(POST)
        left = twin.next_fault("chat.postMessage")

        assert left is Fault.DROP_BEFORE, fault


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DRIP])
def test_a_call_ends_at_its_deadline(twin: SlackTwin, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_CALL_DEADLINE", 0.3)
    slack = bot(twin)
    twin.hang_seconds = 5
    twin.order("chat.postMessage", fault)
    began = time.monotonic()

    assert slack.send(POST).result is Result.UNKNOWN
    assert time.monotonic() - began < 2


def test_a_redirect_takes_the_token_nowhere(twin: SlackTwin) -> None:
    with SlackTwin() as thief:
        for method in ("chat.postMessage", "auth.test"):
            twin.elsewhere = f"{thief.url}{method}"
            twin.order(method, Fault.REDIRECT)
        slack = bot(twin)
        slack.send(POST)
        slack.check()
        twin.elsewhere = thief.url.removesuffix("/api/") + HOOK
        twin.order("webhook", Fault.REDIRECT)
        hook(twin).send(POST)

        assert (thief.calls, thief.posted()) == ([], [])


def test_an_answer_without_end_is_not_read_to_its_end(twin: SlackTwin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "_LARGEST", 10)

    assert bot(twin).send(POST).result is Result.RETRY
    assert twin.posted() == []


@pytest.mark.parametrize(
    ("to", "said", "remedy"),
    [
        (("#old",), "not in a channel #old", "invite the bot"),
        (("#random",), "not in a channel #random", "invite the bot"),
        (("C0000003",), "not in a channel C0000003", "invite the bot"),
        (("#nowhere",), "not in a channel #nowhere", "invite the bot"),
        (("#escalations", "#random"), "not to 2", "one channel"),
        ((), "not to 0", "one channel"),
    ],
)
def test_a_channel_that_does_not_do_waits_for_a_person(
    twin: SlackTwin, to: tuple[str, ...], said: str, remedy: str
) -> None:
    result = bot(twin).send(replace(POST, to=to))

    assert result.result is Result.REJECTED
    assert said in result.reason
    assert remedy in result.remedy


def test_a_channel_archived_after_the_first_message_is_refused(twin: SlackTwin) -> None:
    slack = bot(twin)
    first = slack.send(POST)
    twin.archived.add("C0000001")
    again = slack.send(replace(POST, key="k2"))
    edit = slack.send(replace(POST, key="k3", posting=Posting.EDIT, thread_ref=first.remote_id))

    assert [each.result for each in (again, edit)] == [Result.REJECTED] * 2
    assert "is_archived" in again.reason
    assert "invite the bot" in again.remedy


def test_a_message_that_somebody_deleted_is_not_edited(twin: SlackTwin) -> None:
    slack = bot(twin)
    first = slack.send(POST)
    twin.messages["C0000001"].clear()
    result = slack.send(replace(POST, key="k2", posting=Posting.EDIT, thread_ref=first.remote_id))

    assert (result.result, "deleted it" in result.remedy) == (Result.REJECTED, True)


def test_a_missing_scope_is_named_before_and_after(twin: SlackTwin) -> None:
    twin.scopes = "channels:history,channels:read"
    slack = bot(twin)
    result = slack.send(POST)
    warned = [each for each in slack.check() if each.severity is Severity.WARNING]

    assert (result.result, "missing_scope" in result.reason) == (Result.REJECTED, True)
    assert "scope" in result.remedy
    assert "chat:write" in warned[0].detail


@pytest.mark.parametrize("token", ["xoxb-canary-wrong-token", "xoxp-canary"])
def test_a_wrong_token_is_refused_and_never_shown(twin: SlackTwin, token: str) -> None:
    slack = bot(twin, token)
    result = slack.send(POST)
    finding = slack.check()[0]

    assert (result.result, finding.severity) == (Result.REJECTED, Severity.ERROR)
    assert "canary" not in f"{slack!r}{result}{finding}"


def test_a_private_channel_is_used_where_the_token_may_see_it_and_others_are_used_all_the_same(twin: SlackTwin) -> None:
    twin.channels["C0000004"], twin.messages["C0000004"] = "board", []
    twin.member.add("C0000004")
    twin.private.add("C0000004")
    seen = [bot(twin).check()[-1].detail]
    twin.scopes += ",groups:read"
    seen.append(bot(twin).check()[-1].detail)

    assert seen == ["#escalations", "#board, #escalations"]
    assert bot(twin).send(replace(POST, to=("#board",))).done


def test_check_names_the_bot_and_its_channels(twin: SlackTwin) -> None:
    bot_found, channels = bot(twin).check()

    assert bot_found.severity is channels.severity is Severity.OK
    assert channels.detail == "#escalations"


def test_a_long_text_is_cut_with_a_word_about_it(twin: SlackTwin) -> None:
    result = bot(twin).send(replace(POST, text="<&>" * 30_000))
    posted = twin.posted()[0]

    assert result.done
    assert len(posted["text"]) <= 40_000
    assert posted["text"].endswith("(shortened)")
    assert posted["blocks"] == []


def test_nobody_at_the_door_surely_did_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        number = closed.getsockname()[1]
    slack = open_notifier({"token": TOKEN, "base_url": f"http://127.0.0.1:{number}/api/"})

    assert slack.send(replace(POST, posting=Posting.REPLY, thread_ref="C0000001:1.2")).result is Result.RETRY


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"token": ""},
        {"token": "xoxb-1\n2"},
        {"token": TOKEN, "base_url": "https://slack.example.com/api/"},
        {"token": TOKEN, "base_url": "http://127.0.0.1.example.com/"},
        {"webhook": "https://hooks.example.com/services/T/B/x"},
        {"webhook": "http://hooks.slack.com/services/T/B/x"},
        {"webhook": "https://hooks.slack.com/services/T/B/x", "when_unsure": "perhaps"},
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_remedy(given: dict[str, str]) -> None:
    with pytest.raises(FatalError) as refused:
        open_notifier(given)

    assert refused.value.remedy
    assert "services/T/B/x" not in str(refused.value)


def test_a_webhook_posts_and_says_what_it_cannot_promise(twin: SlackTwin) -> None:
    opened = hook(twin)
    result = opened.send(POST)
    finding = opened.check()[0]

    assert result.result is Result.APPLIED
    assert twin.posted()[0]["text"].startswith(POST.subject)
    assert (finding.severity, "may come twice" in finding.detail) == (Severity.WARNING, True)
    assert opened.capabilities() == Capabilities()
    assert "rehearsal" not in repr(opened)


def test_a_webhooks_repeat_says_that_it_may_be_one(twin: SlackTwin) -> None:
    twin.order("webhook", Fault.DROP_AFTER)
    opened = hook(twin)
    first = opened.send(POST)
    second = opened.send(replace(POST, repeated=True))
    posts = [each["text"] for each in twin.posted()]

    assert (first.result, second.result) == (Result.UNKNOWN, Result.APPLIED)
    assert ["possibly repeated" in text for text in posts] == [False, True]
    assert "possibly repeated" in json.dumps(twin.posted()[1]["blocks"])


def test_a_webhook_that_must_not_repeat_waits_for_a_person(twin: SlackTwin) -> None:
    opened = hook(twin, when_unsure="hold")
    result = opened.send(replace(POST, repeated=True))

    assert (result.result, bool(result.remedy), twin.posted()) == (Result.REJECTED, True, [])
    assert opened.send(POST).done


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.RATE_LIMIT, Result.RETRY),
        (Fault.DROP_BEFORE, Result.UNKNOWN),
        (Fault.BROKEN, Result.UNKNOWN),
        (Fault.HTML, Result.UNKNOWN),
        (Fault.REDIRECT, Result.UNKNOWN),
    ],
)
def test_a_webhooks_ways_to_fail(twin: SlackTwin, fault: Fault, expected: Result) -> None:
    twin.order("webhook", fault)

    assert hook(twin).send(POST).result is expected


def test_a_webhook_that_is_gone_waits_for_a_person(twin: SlackTwin) -> None:
    gone = hook(twin, "/services/T0000001/B0000001/canary-revoked").send(POST)
    twin.archived.add("C0000001")
    archived = hook(twin).send(POST)

    assert [each.result for each in (gone, archived)] == [Result.REJECTED] * 2
    assert ("no_service" in gone.reason, "channel_is_archived" in archived.reason) == (True, True)
    assert "canary" not in f"{gone}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"text": " "}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"text": "x", "blocks": "{"}, "invalid_blocks_format"),
        ({"text": "x", "blocks": '[{"type": "rich_text", "elements": []}]'}, "invalid_blocks"),
        ({"text": "x", "blocks": '[{"type": "section"}]'}, "invalid_blocks"),
        ({"text": "x", "metadata": "{"}, "invalid_metadata_format"),
        ({"text": "x", "metadata": '{"event_type": "e"}'}, "invalid_metadata_schema"),
        ({"text": "x", "thread_ts": "yesterday"}, "invalid_ts"),
        ({"text": "x", "thread_ts": "1000000000.000000"}, "thread_not_found"),
        ({"text": "x", "channel": "#random"}, "not_in_channel"),
        ({"text": "x", "channel": "C9"}, "channel_not_found"),
    ],
)
def test_the_twin_refuses_what_slack_refuses(twin: SlackTwin, arguments: dict[str, str], said: str) -> None:
    reply = twin.perform("chat.postMessage", TOKEN, {"channel": "C0000001", **arguments})

    assert reply == {"ok": False, "error": said}
