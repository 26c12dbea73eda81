"""Slack with a bot token and an app-level token: the messages carry buttons, whose clicks come over a socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from slack_sdk import WebClient

from connectors.base import (
    Capabilities,
    ConnectorError,
    FatalError,
    Finding,
    Result,
    RetryableError,
    Severity,
    WriteResult,
)
from connectors.hearing import Click, Hearing
from connectors.notifier import Message
from connectors.notify.slack.answers import fate
from connectors.notify.slack.bot import SCOPES, SlackNotifier
from connectors.notify.slack.envelope import ACTION
from connectors.notify.slack.reading import FAULTS, bounded
from connectors.notify.slack.socket import Socket, why_not
from connectors.notify.slack.wording import Element, clean, plain, rich, spoken

_LABEL = 75
"""Characters of a button's label; Slack takes no more."""
_NO_EMAIL = "give the bot the scopes users:read and users:read.email, and install the app again"
_OUTSIDERS = ("deleted", "is_bot", "is_stranger", "is_restricted", "is_ultra_restricted")


class SlackWithButtons(SlackNotifier):
    """A bot that also hears who pressed its buttons."""

    scopes = SCOPES | {"users:read", "users:read.email"}

    def __init__(self, client: WebClient, app_token: str) -> None:
        super().__init__(client)
        self._app_token = app_token
        self._socket: Socket | None = None
        self._own: tuple[object, object] | None = None

    def capabilities(self) -> Capabilities:
        """The same, with buttons."""
        return replace(super().capabilities(), buttons=True)

    def check(self) -> Sequence[Finding]:
        """Also whether a socket could be opened; none is."""
        return [*super().check(), self._socket_finding()]

    def _socket_finding(self) -> Finding:
        try:
            self._address()
        except FAULTS as error:
            found = why_not(error)
            return Finding(Severity.WARNING, "Slack buttons", found.failure, found.remedy or "repeat in a minute")
        return Finding(Severity.OK, "Slack buttons", "the app-level token opens a socket")

    def _blocks(self, message: Message) -> list[Element]:
        """A text that is too long for blocks stands without its button."""
        blocks = rich(message)
        if not blocks or not message.buttons:
            return blocks
        return [*blocks, {"type": "actions", "elements": [_button(each.label, each.value) for each in message.buttons]}]

    def listen(self, keep: Callable[[Click], object]) -> None:
        """Open the line, and keep it open until `close`."""
        self._hush()
        self._socket = Socket(self._address, keep)
        self._socket.start()

    def hearing(self) -> Hearing:
        """How the line stands. No I/O."""
        return Hearing() if self._socket is None else self._socket.hearing

    def _address(self) -> str:
        answer = bounded(lambda: self._client.apps_connections_open(app_token=self._app_token))
        return str(answer["url"])

    def address_of(self, user: str) -> str:
        """The e-mail address of a member of our workspace or organization; nobody else's is believed."""
        try:
            if self._own is None:
                own = bounded(self._client.auth_test)
                self._own = own["team_id"], own.get("enterprise_id")
            told: Mapping[str, Any] = bounded(lambda: self._client.users_info(user=user))["user"]
        except FAULTS as error:
            raise _unheard(error) from None
        if any(told.get(each) for each in _OUTSIDERS) or not self._is_ours(told):
            return ""
        profile = told.get("profile") or {}
        return str(profile.get("email") or "")

    def _is_ours(self, told: Mapping[str, Any]) -> bool:
        team, enterprise = self._own or (None, None)
        theirs = (told.get("enterprise_user") or {}).get("enterprise_id")
        return told.get("team_id") == team or (enterprise is not None and theirs == enterprise)

    def whisper(self, user: str, place: str, text: str) -> WriteResult:
        """Tell one person something that nobody else in the channel sees."""
        said, blocks = plain(text), spoken(text)
        try:
            answer = bounded(
                lambda: self._client.chat_postEphemeral(
                    channel=place, user=user, text=said, blocks=blocks, parse="none", link_names=False
                )
            )
        except FAULTS as error:
            return fate(error, reading=True)
        return WriteResult(Result.APPLIED, str(answer.get("message_ts") or ""))

    def close(self) -> None:
        """Close the line."""
        self._hush()

    def _hush(self) -> None:
        if self._socket is not None:
            self._socket.close()


def _button(label: str, value: str) -> Element:
    text = {"type": "plain_text", "text": clean(label)[:_LABEL], "emoji": False}
    return {"type": "button", "action_id": ACTION, "text": text, "value": value, "style": "primary"}


def _unheard(error: Exception) -> ConnectorError:
    result = fate(error, reading=True)
    reason = f"cannot ask Slack who pressed the button: {result.reason}"
    if result.result is Result.REJECTED:
        return FatalError(reason, _NO_EMAIL if "missing_scope" in result.reason else result.remedy)
    return RetryableError(reason, result.remedy, result.retry_after)
