"""Who may call: a Service Key (or legacy private app) that does not expire, and OAuth tokens of 30 minutes.

Sources: "Authentication" and "OAuth" of HubSpot's developer docs; "Scopes": what is missing is named in the refusal.
From version 2026-09 on the token endpoint takes nothing in the query.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from connectors.twins.hubspot.asking import ENFORCING, Ask
from connectors.twins.hubspot.errors import CORRELATION, RefusedError
from connectors.twins.hubspot.schema import Portal
from connectors.twins.web import Call, Clock, Reply

LIFE = timedelta(seconds=1800)
_SCOPES = "https://developers.hubspot.com/scopes"


@dataclass(slots=True)
class App:
    """The credentials that are good, and the scopes that were granted; None means all of them."""

    key: str = "pat-na1-00000000-twin-0000-rehearsal"
    client_id: str = "00000000-twin-0000-0000-000000000000"
    client_secret: str = "00000000-twin-0000-secret-rehearsal0"  # noqa: S105 - good for this twin only
    refresh_token: str = "na1-0000-twin-refresh-rehearsal"  # noqa: S105 - the same
    scopes: set[str] | None = None
    older_keys: set[str] = field(default_factory=set)


class Sessions:
    """Knows tokens. `issued` counts what the token endpoint gave."""

    def __init__(self, app: App, portal: Portal, clock: Clock) -> None:
        self.app, self.portal, self.clock = app, portal, clock
        self.issued = 0
        self._until: dict[str, datetime] = {}

    def open(self, call: Call) -> Reply:
        """Answer the token endpoint."""
        form = dict(parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True))
        if f"/oauth/{ENFORCING}/" not in call.path:
            form = {**{name: values[0] for name, values in call.query.items()}, **form}
        app = self.app
        if form.get("client_id") != app.client_id or form.get("client_secret") != app.client_secret:
            return _denied("BAD_CLIENT_ID", "missing or unknown client id")
        if form.get("grant_type") != "refresh_token":
            return _denied("BAD_GRANT_TYPE", "missing or unknown grant type")
        if form.get("refresh_token") != app.refresh_token:
            return _denied("BAD_REFRESH_TOKEN", "missing or invalid refresh token")
        self.issued += 1
        token = f"twin-{secrets.token_hex(16)}"
        self._until[token] = self.clock() + LIFE
        told = {"access_token": token, "refresh_token": app.refresh_token, "expires_in": 1800, "token_type": "bearer"}
        return Reply.of(told)

    def admit(self, token: str) -> None:
        """Let a token pass. Raises RefusedError with 401."""
        if token and (token == self.app.key or token in self.app.older_keys):
            return
        until = self._until.get(token)
        if until is None:
            told = "Authentication credentials not found. This API supports OAuth 2.0 authentication"
            raise RefusedError(told, "INVALID_AUTHENTICATION", 401)
        if until <= self.clock():
            past = int((self.clock() - until).total_seconds())
            told = f"The OAuth token used to make this call expired {past} second(s) ago."
            raise RefusedError(told, "EXPIRED_AUTHENTICATION", 401, context={"expire time": [until.isoformat()]})

    def expire(self) -> None:
        """All OAuth tokens end now."""
        self._until = dict.fromkeys(self._until, self.clock())

    def permit(self, ask: Ask) -> None:
        """Refuse a call whose scope was not granted. Raises RefusedError with 403."""
        needed = self._needed(ask)
        if self.app.scopes is None or not needed or needed in self.app.scopes:
            return
        told = (
            "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
        )
        errors = [
            {"message": "One or more of the following scopes are required.", "context": {"missingScopes": [needed]}}
        ]
        more = {"links": {"scopes": _SCOPES}}
        raise RefusedError(f"{told}{_SCOPES}.", "MISSING_SCOPES", 403, errors, {"missingScopes": [needed]}, more)

    def _needed(self, ask: Ask) -> str:
        fixed = {"owners": "crm.objects.owners.read", "settings/currencies": "settings.currencies.read"}
        if ask.resource in fixed:
            return fixed[ask.resource]
        reads = ask.method == "GET" or ask.parts[-1:] in (("search",), ("read",))
        kind = "read" if reads else "write"
        if ask.resource == "lists":
            return f"crm.lists.{kind}"
        of = self.portal.type(ask.parts[0]) if ask.parts else None
        if of is None or ask.resource not in ("objects", "properties"):
            return ""
        if ask.resource == "properties":
            return f"crm.schemas.{of.name}.{kind}"
        return of.scope if "." not in of.scope else f"{of.scope}.{kind}"


def _denied(status: str, message: str) -> Reply:
    return Reply.of({"status": status, "message": message, "correlationId": CORRELATION}, 400)
