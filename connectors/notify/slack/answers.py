"""What an answer of Slack, or its absence, means for a message."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from dataclasses import replace
from datetime import timedelta
from urllib.error import URLError

from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse
from slack_sdk.webhook import WebhookResponse

from connectors.base import Result, WriteResult

_LOGIN = "give the bot a valid token (SLACK_BOT_TOKEN), then `retry`"
_SCOPE = "add the missing scope in the app's OAuth settings, install it again, then `retry`"
_CHANNEL = "invite the bot to the channel, or correct the channel in the settings, then `retry`"
_RULES = "ask a workspace administrator to let the bot post there, then `retry`"
_GONE = "nothing, if somebody deleted it on purpose"

_REMEDIES = {
    **dict.fromkeys(
        ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "invalid_token"), _LOGIN
    ),
    **dict.fromkeys(("missing_scope", "no_permission", "not_allowed_token_type", "ekm_access_denied"), _SCOPE),
    **dict.fromkeys(("channel_not_found", "not_in_channel", "is_archived", "channel_is_archived"), _CHANNEL),
    **dict.fromkeys(("restricted_action", "restricted_action_read_only_channel", "access_denied"), _RULES),
    **dict.fromkeys(("restricted_action_thread_only_channel", "restricted_action_non_threadable_channel"), _RULES),
    **dict.fromkeys(("message_not_found", "thread_not_found", "edit_window_closed"), _GONE),
    "cant_update_message": "use the token that the message was posted with",
    "msg_too_long": "shorten the text in config/templates",
    "no_text": "give the template a text",
}
_SLOW_DOWN = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded", "team_added_to_org"})
# Slack says of these that part of the call may have been done.
_DOUBTFUL = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "accesslimited"})
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})
_CODE = re.compile(r"[a-z0-9_]{1,60}")
_WAIT = timedelta(seconds=30)


def told(answer: SlackResponse) -> WriteResult:
    """The fate of a message that Slack says it took."""
    channel, ts = answer.get("channel"), answer.get("ts")
    if not channel or not ts:
        return WriteResult(Result.UNKNOWN, reason="Slack said ok but named no message")
    return WriteResult(Result.APPLIED, f"{channel}:{ts}")


def fate(error: Exception, *, reading: bool = False) -> WriteResult:
    """The fate of a call that failed. A call that only reads can always be repeated: never UNKNOWN.

    Nothing of the request is in `reason`, so no token and no text of a customer.
    """
    result = _refused(error) if isinstance(error, SlackApiError) else lost(error)
    if reading and result.result is Result.UNKNOWN:
        return replace(result, result=Result.RETRY)
    return result


def _refused(error: SlackApiError) -> WriteResult:
    answer = error.response
    status, code = int(answer.status_code), str(answer.get("error") or "")
    if status == 429 or code in _SLOW_DOWN:
        reason = f"Slack asks to wait ({code or status})"
        return WriteResult(Result.RETRY, reason=reason, retry_after=_wait(answer), for_all=True)
    if not _CODE.fullmatch(code):
        return WriteResult(Result.UNKNOWN, reason=f"HTTP {status} with an answer that is not Slack's")
    if status >= 500 or code in _DOUBTFUL:
        return WriteResult(Result.UNKNOWN, reason=f"Slack has a fault ({status} {code})")
    remedy = _REMEDIES.get(code, f"look up `{code}` in Slack's reference of the method, then `retry`")
    return WriteResult(Result.REJECTED, reason=f"Slack refuses: {code}", remedy=remedy)


def posted(answer: WebhookResponse, key: str) -> WriteResult:
    """The fate of a message that was given to a webhook, which says `ok` or one word why not."""
    status, said = int(answer.status_code), str(answer.body or "").strip()
    if status == 200 and said == "ok":
        return WriteResult(Result.APPLIED, key)
    if status == 429:
        return WriteResult(Result.RETRY, reason="Slack asks to wait (429)", retry_after=_wait(answer), for_all=True)
    if status not in (400, 403, 404, 410) or not _CODE.fullmatch(said):
        return WriteResult(Result.UNKNOWN, reason=f"HTTP {status} with an answer that is not Slack's")
    remedy = "make a new webhook for a channel that is there, then `retry`"
    return WriteResult(Result.REJECTED, reason=f"Slack refuses: {said}", remedy=remedy)


def _wait(answer: SlackResponse | WebhookResponse) -> timedelta:
    for name, value in answer.headers.items():
        if name.lower() == "retry-after" and str(value).isascii() and str(value).isdigit():
            return timedelta(seconds=min(int(value), 3600))
    return _WAIT


def lost(error: Exception) -> WriteResult:
    """The fate of a call without an answer. Only what failed before the first byte was sent surely did nothing."""
    if isinstance(error, ValueError | KeyError | TypeError):
        return WriteResult(Result.UNKNOWN, reason=f"Slack's answer is not understood: {type(error).__name__}")
    cause = error.reason if isinstance(error, URLError) else None
    reason = f"no answer from Slack: {type(cause if isinstance(cause, Exception) else error).__name__}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return WriteResult(Result.RETRY, reason=reason, remedy="check the proxy's certificate and the machine's clock")
    refused = isinstance(cause, ConnectionRefusedError | socket.gaierror)
    if refused or (isinstance(cause, OSError) and cause.errno in _NO_WAY):
        return WriteResult(Result.RETRY, reason=reason, remedy="check the network and the proxy")
    return WriteResult(Result.UNKNOWN, reason=reason)
