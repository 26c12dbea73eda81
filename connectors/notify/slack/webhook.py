"""Slack by an incoming webhook: for workspaces that allow no bot. Less is possible, and `check` says so.

A webhook names no message and reads none: nothing can be edited, threaded or looked up. A message whose answer was lost
is sent again and says that it may be a repeat, or waits for a person with `when_unsure: hold`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from slack_sdk import WebhookClient
from slack_sdk.webhook import WebhookResponse

from connectors.base import Capabilities, Finding, Result, Severity, WriteResult
from connectors.notifier import Message
from connectors.notify.slack.answers import lost, posted
from connectors.notify.slack.reading import FAULTS, bounded
from connectors.notify.slack.wording import rich, whole

_NO_PROOF = "a webhook cannot look up what it posted: after a lost answer a message may come twice"
_REPEAT = "(possibly repeated: the answer to an earlier attempt was lost)"


class SlackWebhook:
    """Posts to the one channel of a webhook. `hold`: what may have arrived waits for a person instead of a repeat."""

    def __init__(self, client: WebhookClient, *, hold: bool) -> None:
        self._client = client
        self._hold = hold

    def __repr__(self) -> str:
        return f"SlackWebhook({urlsplit(self._client.url).hostname})"

    def capabilities(self) -> Capabilities:
        """Nothing can be found again, nothing is exactly once."""
        return Capabilities()

    def check(self) -> Sequence[Finding]:
        """Only what a webhook cannot promise: trying one out would post something."""
        remedy = "use a bot token where each message must come exactly once"
        return [Finding(Severity.WARNING, "Slack webhook", _NO_PROOF, remedy)]

    def send(self, message: Message) -> WriteResult:
        """Post it. Without an answer it may have been posted: UNKNOWN, or with `hold` set aside for a person."""
        if message.repeated and self._hold:
            reason = "the answer to an earlier attempt was lost, and `when_unsure` is hold"
            return WriteResult(Result.REJECTED, reason=reason, remedy="look there; `retry` if it is missing")
        text = "\n".join(part for part in (whole(message), _REPEAT if message.repeated else "") if part)
        blocks = [*rich(message), *(_remark() if message.repeated else [])]
        body = {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}
        call = partial(self._client.send_dict, {name: value for name, value in body.items() if value != []})
        try:
            answer: WebhookResponse = bounded(call)
        except FAULTS as error:
            return lost(error)
        return posted(answer, message.key)

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:  # noqa: ARG002
        """Nothing can be found again."""
        return {}

    def close(self) -> None:
        """Nothing to close: each call has its own connection."""


def _remark() -> list[dict[str, object]]:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": _REPEAT, "style": {"italic": True}}]}
    return [{"type": "rich_text", "elements": [section]}]
