"""Reads what is in Slack: the bot's channels, and the keys of its messages."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from connectors import deadline

EVENT = "escalation"
"""The event type of our metadata."""

FAULTS = (OSError, http.client.HTTPException, SlackClientError, ValueError, KeyError, TypeError)
"""What a call can end in: no line, a broken line, a refusal, or an answer that is not of Slack's shape."""

T = TypeVar("T")
_CALL_DEADLINE = 15.0
_DEADLINE = 120.0
_CLOCKS_APART = timedelta(hours=1)
_OLDEST_THREAD = timedelta(days=90)
_PAGE = 200


class UnfinishedError(TimeoutError):
    """A look-up that did not come to its end: what it did not find may be there."""


def bounded(call: Callable[[], T]) -> T:
    """Make one call, or raise TimeoutError."""
    return deadline.bounded(call, _CALL_DEADLINE, "slack-call")


def joined(client: WebClient) -> Sequence[tuple[str, str]]:
    """Name and id of each channel that the bot is in; private ones where its token may see them (`groups:read`)."""
    try:
        return _joined(client, "public_channel,private_channel")
    except SlackApiError as error:
        if error.response.get("error") != "missing_scope":
            raise
        return _joined(client, "public_channel")


def _joined(client: WebClient, kinds: str) -> Sequence[tuple[str, str]]:
    pages = _pages(client.users_conversations, time.monotonic() + _DEADLINE, types=kinds, exclude_archived=True)
    return [(str(each["name"]), str(each["id"])) for page in pages for each in page["channels"]]


def located(client: WebClient, keys: Sequence[str], since: datetime) -> Mapping[str, str]:
    """`channel:ts` of each key that is there since. Raises when it could not look everywhere."""
    wanted, found = set(keys), dict[str, str]()
    until = time.monotonic() + _DEADLINE
    for _, channel in joined(client):
        for key, ts in _keys(client, channel, since - _CLOCKS_APART, until):
            if key in wanted:
                found.setdefault(key, f"{channel}:{ts}")
            if len(found) == len(wanted):
                return found
    return found


def _keys(client: WebClient, channel: str, oldest: datetime, until: float) -> Iterator[tuple[str, str]]:
    """Keys in the channel, newest first. An answer counts though its thread is older."""
    first = oldest.timestamp()
    for message in _messages(client.conversations_history, until, channel, oldest - _OLDEST_THREAD):
        if float(message["ts"]) >= first:
            yield from _key(message)
        if float(message.get("latest_reply") or 0) >= first:
            for answer in _messages(client.conversations_replies, until, channel, oldest, ts=message["ts"]):
                yield from _key(answer)


def _messages(
    method: Callable[..., SlackResponse], until: float, channel: str, oldest: datetime, **more: object
) -> Iterator[Mapping[str, Any]]:
    start = f"{oldest.timestamp():.6f}"
    for page in _pages(method, until, channel=channel, oldest=start, inclusive=True, include_all_metadata=True, **more):
        yield from page["messages"]


def _pages(method: Callable[..., SlackResponse], until: float, **arguments: object) -> Iterator[SlackResponse]:
    cursor = ""
    while True:
        at = {"cursor": cursor} if cursor else {}
        page = bounded(partial(method, **arguments, limit=_PAGE, **at))
        yield page
        following = str((page.get("response_metadata") or {}).get("next_cursor") or "")
        if not following and page.get("has_more"):
            raise UnfinishedError("Slack has more but names no next page")
        if not following:
            return
        if following == cursor or time.monotonic() > until:
            raise UnfinishedError("Slack's pages do not come to an end")
        cursor = following


def _key(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    metadata = message.get("metadata") or {}
    key = (metadata.get("event_payload") or {}).get("key")
    if metadata.get("event_type") == EVENT and key:
        yield str(key), str(message["ts"])
