"""The token endpoint and the sessions it opens: client credentials, and a signed assertion (JWT bearer).

Sources: "OAuth 2.0 Client Credentials Flow for Server-to-Server Integration" and "OAuth 2.0 JWT Bearer Flow" of
Salesforce Help: RS256, `iss` the consumer key, `sub` a username, `aud` the login host or the org's My Domain, `exp` at
most three minutes ahead; errors as "OAuth 2.0 Error Codes" lists them. 3,600 logins an hour and user at most.
"""

from __future__ import annotations

import base64
import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import jwt

from connectors.twins.web import Call, Clock, Reply

_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SKEW = timedelta(seconds=5)
LOGINS_AN_HOUR = 3_600
JWT_LIFE = timedelta(minutes=3)


class _DeniedError(Exception):
    """One of the OAuth error codes with its description."""


@dataclass(slots=True)
class App:
    """The External Client App: its consumer key and secret, and who may log in by it."""

    consumer_key: str = "3MVG9twin.rehearsal.consumer.key"
    consumer_secret: str = "0000TWIN0000REHEARSAL0000"  # noqa: S105 - good for this twin only
    username: str = "escalation-worker@twin.example"
    public_key: str = ""
    audiences: set[str] = field(default_factory=lambda: {"https://login.salesforce.com"})


class Sessions:
    """Opens and knows sessions. `life` is the org's session timeout; `blocked` and `unapproved` refuse every login."""

    def __init__(self, app: App, clock: Clock, url: str, user_id: str) -> None:
        self.app, self.clock, self.url, self.user_id = app, clock, url, user_id
        self.life = timedelta(hours=2)
        self.blocked = self.unapproved = False
        self.opened = 0
        self._until: dict[str, datetime] = {}
        self._logins: deque[datetime] = deque()

    def open(self, call: Call) -> Reply:
        """Answer the token endpoint."""
        form = dict(parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True))
        try:
            self._storm()
            self._check(form, call)
        except _DeniedError as error:
            code, description = error.args
            status = 401 if code == "invalid_client_credentials" else 400
            return Reply.of({"error": code, "error_description": description}, status)
        return Reply.of(self._session())

    def good(self, token: str) -> bool:
        """Whether a token opens the org now. Using it keeps the session alive."""
        until = self._until.get(token)
        if until is None or until <= self.clock():
            return False
        self._until[token] = self.clock() + self.life
        return True

    def _storm(self) -> None:
        now = self.clock()
        while self._logins and self._logins[0] <= now - timedelta(hours=1):
            self._logins.popleft()
        if len(self._logins) >= LOGINS_AN_HOUR:
            raise _DeniedError("invalid_grant", "login rate exceeded")
        self._logins.append(now)

    def _check(self, form: dict[str, str], call: Call) -> None:
        grant = form.get("grant_type", "")
        if call.method != "POST" or "x-www-form-urlencoded" not in call.headers.get("content-type", ""):
            raise _DeniedError("unsupported_grant_type", "grant type not supported")
        if grant == "client_credentials":
            self._client(form, call)
        elif grant == _JWT_GRANT:
            self._assertion(form.get("assertion", ""))
        else:
            raise _DeniedError("unsupported_grant_type", "grant type not supported")
        if self.blocked:
            raise _DeniedError("invalid_grant", "user is inactive or locked out")

    def _client(self, form: dict[str, str], call: Call) -> None:
        key, secret = form.get("client_id", ""), form.get("client_secret", "")
        if call.headers.get("authorization", "").lower().startswith("basic "):
            key, secret = _basic(call.headers["authorization"])
        if key != self.app.consumer_key:
            raise _DeniedError("invalid_client_id", "client identifier invalid")
        if secret != self.app.consumer_secret:
            raise _DeniedError("invalid_client", "invalid client credentials")
        if self.unapproved:
            raise _DeniedError("invalid_grant", "no client credentials user enabled")

    def _assertion(self, assertion: str) -> None:
        try:
            options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
            claims = jwt.decode(assertion, self.app.public_key, algorithms=["RS256"], options=options)
        except (jwt.PyJWTError, ValueError):
            raise _DeniedError("invalid_grant", "invalid assertion") from None
        if claims.get("iss") != self.app.consumer_key:
            raise _DeniedError("invalid_client_id", "client identifier invalid")
        if claims.get("aud") not in self.app.audiences | {self.url}:
            raise _DeniedError("invalid_grant", "audience is invalid")
        self._in_time(claims.get("exp"))
        if claims.get("sub") != self.app.username or self.unapproved:
            raise _DeniedError("invalid_grant", "user hasn't approved this consumer")

    def _in_time(self, expires: object) -> None:
        try:
            left = float(str(expires)) - self.clock().timestamp()
        except ValueError:
            raise _DeniedError("invalid_grant", "invalid assertion") from None
        if not 0 < left <= (JWT_LIFE + _SKEW).total_seconds():
            raise _DeniedError("invalid_grant", "invalid assertion")

    def _session(self) -> dict[str, str]:
        self.opened += 1
        token = f"00D5g0000000001!twin.{secrets.token_hex(16)}"
        self._until[token] = self.clock() + self.life
        return {
            "access_token": token,
            "instance_url": self.url,
            "id": f"https://login.salesforce.com/id/00D5g0000000001EAA/{self.user_id}",
            "token_type": "Bearer",
            "issued_at": str(int(self.clock().timestamp() * 1000)),
            "scope": "api",
        }


def _basic(header: str) -> tuple[str, str]:
    try:
        key, _, secret = base64.b64decode(header.split(" ", 1)[1]).decode().partition(":")
    except ValueError:
        return "", ""
    return key, secret
