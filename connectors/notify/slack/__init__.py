"""Slack: with a bot token, with buttons as well where there is an app-level token, or by an incoming webhook."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

from connectors.base import FatalError
from connectors.notify.slack.bot import SlackNotifier
from connectors.notify.slack.buttons import SlackWithButtons
from connectors.notify.slack.line import StraightWebClient, StraightWebhookClient
from connectors.notify.slack.webhook import SlackWebhook

_API = "https://slack.com/api/"
_HOOKS = "https://hooks.slack.com/services/"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TIMEOUT = 10


def open_notifier(settings: Mapping[str, object]) -> SlackNotifier | SlackWebhook:
    """Secret `token` (a bot token), or secret `webhook` (an incoming webhook's address) with option `when_unsure`.

    Secret `app_token` beside the bot's gives the messages buttons. Option `base_url`, for rehearsals, may name this
    machine only; so may a webhook that is not Slack's.
    """
    token, webhook, app_token = (str(settings.get(name) or "") for name in ("token", "webhook", "app_token"))
    if webhook and not token and not app_token:
        return _by_webhook(webhook, str(settings.get("when_unsure") or "resend"))
    address = str(settings.get("base_url") or _API)
    if not token:
        raise FatalError("Slack has no bot token", "give the notifier `secrets: {token: {env: SLACK_BOT_TOKEN}}`")
    for given in (token, app_token):
        if not given.isascii() or " " in given or (given and not given.isprintable()):
            raise FatalError("the Slack token has characters that no token has", "copy it again, without line breaks")
    if address != _API and urlsplit(address).hostname not in _LOOPBACK:
        raise FatalError("`base_url` of Slack may name this machine only", "remove `base_url`")
    client = StraightWebClient(
        token=token, base_url=address.rstrip("/") + "/", timeout=_TIMEOUT, retry_handlers=[], logger=_silence()
    )
    return SlackWithButtons(client, app_token) if app_token else SlackNotifier(client)


def _by_webhook(address: str, when_unsure: str) -> SlackWebhook:
    parts = urlsplit(address)
    if not (address.startswith(_HOOKS) or parts.hostname in _LOOPBACK) or not address.isprintable():
        raise FatalError("the webhook is no address of Slack", f"copy it again: it starts with {_HOOKS}")
    if when_unsure not in ("resend", "hold"):
        raise FatalError(f"`when_unsure` of Slack is {when_unsure!r}", "write resend or hold")
    client = StraightWebhookClient(address, timeout=_TIMEOUT, retry_handlers=[], logger=_silence())
    return SlackWebhook(client, hold=when_unsure == "hold")


def _silence() -> logging.Logger:
    """A logger that says nothing: the client would log whole messages at level DEBUG."""
    logger = logging.getLogger(__name__)
    logger.setLevel(logging.CRITICAL + 1)
    return logger


__all__ = ["SlackNotifier", "SlackWebhook", "SlackWithButtons", "open_notifier"]
