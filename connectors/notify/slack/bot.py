"""Slack with a bot token: one message an escalation, edited as it goes on, answered in its thread.

Slack promises no idempotency for posts. Every message therefore carries its key as metadata, and what became of an
unanswered post is looked up in the channel's history. Only channels that the bot has joined are used, because only
there can it read what it wrote.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from slack_sdk import WebClient
from slack_sdk.web import SlackResponse

from connectors.base import Capabilities, Finding, Result, RetryableError, Severity, WriteResult
from connectors.notifier import Message, Posting
from connectors.notify.slack.answers import fate, told
from connectors.notify.slack.reading import EVENT, FAULTS, bounded, joined, located
from connectors.notify.slack.wording import Element, rich, whole

SCOPES = frozenset({"chat:write", "channels:history", "channels:read"})


class SlackNotifier:
    """Posts, edits and answers as a bot. `remote_id` is `channel:ts`."""

    scopes = SCOPES

    def __init__(self, client: WebClient) -> None:
        self._client = client
        self._ids: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"SlackNotifier({self._client.base_url})"

    def capabilities(self) -> Capabilities:
        """A post is not unique by itself, but can be found again by its key."""
        return Capabilities(finds=True, threads=True, lookup_lag=timedelta(seconds=10))

    def check(self) -> Sequence[Finding]:
        """Whether the token is good, which scopes are missing, and which channels the bot has joined."""
        try:
            answer = bounded(self._client.auth_test)
            channels = joined(self._client)
        except FAULTS as error:
            result = fate(error, reading=True)
            return [Finding(Severity.ERROR, "Slack", result.reason, result.remedy or "repeat in a minute")]
        bot = f"bot {answer.get('user')} of {answer.get('team')}"
        return [
            Finding(Severity.OK, "Slack", bot),
            *_missing(self.scopes, answer),
            _channels([name for name, _ in channels]),
        ]

    def send(self, message: Message) -> WriteResult:
        """Post, edit or answer. What may have reached Slack without an answer is UNKNOWN."""
        if not whole(message).strip():
            return WriteResult(Result.REJECTED, reason="no text", remedy="give the template a text, then `retry`")
        if message.posting is Posting.EDIT:
            return self._edit(message)
        if message.posting is Posting.REPLY:
            channel, _, thread = message.thread_ref.partition(":")
            return self._post(message, channel, thread) if thread else _no_thread(message)
        if len(message.to) != 1:
            reason = f"a message goes to one channel, not to {len(message.to)}"
            return WriteResult(Result.REJECTED, reason=reason, remedy="name one channel in `to` of the notifier")
        try:
            channel = self._channel(message.to[0])
        except FAULTS as error:
            return fate(error, reading=True)
        return self._post(message, channel, "") if channel else _not_joined(message.to[0])

    def _channel(self, name: str) -> str:
        """The id of a channel that the bot is in, empty when it is not. Known ids are remembered."""
        wanted = name.removeprefix("#")
        if wanted not in self._ids:
            channels = joined(self._client)
            self._ids = {each: each for _, each in channels} | dict(channels)
        return self._ids.get(wanted, "")

    def _post(self, message: Message, channel: str, thread: str) -> WriteResult:
        return _written(
            lambda: self._client.chat_postMessage(
                channel=channel,
                text=whole(message),
                blocks=self._blocks(message),
                thread_ts=thread or None,
                mrkdwn=False,
                parse="none",
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
                metadata={"event_type": EVENT, "event_payload": {"key": message.key}},
                client_msg_id=str(uuid.uuid5(uuid.NAMESPACE_URL, message.key)),
            )
        )

    def _edit(self, message: Message) -> WriteResult:
        channel, _, ts = message.thread_ref.partition(":")
        if not ts:
            return _no_thread(message)
        # Slack keeps metadata that is not named: the key of the first post stays findable.
        return _written(
            lambda: self._client.chat_update(
                channel=channel,
                ts=ts,
                text=whole(message),
                blocks=self._blocks(message),
                parse="none",
                link_names=False,
            )
        )

    def _blocks(self, message: Message) -> list[Element]:
        """What people see; without any they see the text."""
        return rich(message)

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:
        """Keys of messages and answers that are there. Raises RetryableError when it could not look everywhere."""
        try:
            return located(self._client, keys, since) if keys else {}
        except FAULTS as error:
            result = fate(error, reading=True)
            reason = f"cannot look into Slack: {result.reason}"
            raise RetryableError(reason, result.remedy, result.retry_after) from None

    def close(self) -> None:
        """Nothing to close: each call has its own connection."""


def _written(call: Callable[[], SlackResponse]) -> WriteResult:
    try:
        return told(bounded(call))
    except FAULTS as error:
        return fate(error)


def _no_thread(message: Message) -> WriteResult:
    reason = f"{message.thread_ref!r} is no message of Slack"
    return WriteResult(Result.REJECTED, reason=reason, remedy="none: the first message of this thread was not sent")


def _not_joined(name: str) -> WriteResult:
    remedy = f"invite the bot to {name}, or correct `to` of the notifier, then `retry`"
    return WriteResult(Result.REJECTED, reason=f"the bot is not in a channel {name}", remedy=remedy)


def _missing(scopes: frozenset[str], answer: SlackResponse) -> Sequence[Finding]:
    """A warning for scopes that the token lacks, as far as Slack names its scopes."""
    named = next((value for name, value in answer.headers.items() if name.lower() == "x-oauth-scopes"), "")
    missing = scopes - {each.strip() for each in str(named).split(",")}
    if not named or not missing:
        return []
    detail = f"the token lacks {', '.join(sorted(missing))}"
    return [Finding(Severity.WARNING, "Slack scopes", detail, "add them to the app and install it again")]


def _channels(names: Sequence[str]) -> Finding:
    if not names:
        return Finding(Severity.ERROR, "Slack channels", "the bot is in no channel", "invite it: /invite @bot")
    return Finding(Severity.OK, "Slack channels", ", ".join(f"#{name}" for name in sorted(names)[:20]))
