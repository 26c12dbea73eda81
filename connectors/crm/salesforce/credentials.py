"""Access tokens: one log-in at a time, renewed before they end, never asked for again after a rejected grant.

Salesforce blocks a user for an hour after 3,600 log-ins; so a failure is followed by a pause, and a grant that was
rejected is not tried again by this process. Sources: Client Credentials Flow, JWT Bearer Flow (Salesforce Help).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import jwt
import msgspec
import requests

from connectors.base import ConnectorError, FatalError, RetryableError
from connectors.crm.salesforce.answers import Problem, problems
from connectors.crm.salesforce.options import Auth, Options

_RENEW_AFTER = timedelta(minutes=30)
ASSERTION_LIFE = timedelta(minutes=3)
_SKEW_TOLD = timedelta(seconds=90)
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_PASSING = frozenset(
    {"rate_limit_exceeded", "server_error", "temporarily_unavailable", "unknown_error", "LOGIN_RATE_EXCEEDED"}
)
_RELATCH = timedelta(minutes=15)


class _Granted(msgspec.Struct):
    access_token: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and whose it is."""

    value: str = field(repr=False)
    user_id: str = ""
    since: float = 0.0


class TokenProvider:
    """Hands out the token that is good now. Safe to share between threads."""

    def __init__(
        self,
        options: Options,
        session: requests.Session,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._options, self._session = options, session
        self._clock, self._now = clock, now
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._failures = 0
        self._not_before = 0.0
        self._latched: FatalError | None = None
        self._latched_until = 0.0

    def current(self) -> Token:
        """A token younger than half an hour. Raises FatalError or RetryableError, without a call while it must rest."""
        with self._lock:
            token = self._token
            if token is not None and self._clock() - token.since < _RENEW_AFTER.total_seconds():
                return token
            return self._log_in()

    def renew(self, dead: Token) -> Token:
        """A token after `dead` was refused; when another thread has renewed it meanwhile, that one."""
        with self._lock:
            if self._token is not None and self._token is not dead:
                return self._token
            self._token = None
            return self._log_in()

    def latch(self, error: FatalError) -> None:
        """Refuse for a quarter of an hour: a fresh token was refused as well, and more log-ins would not help."""
        with self._lock:
            self._token = None
            self._latched, self._latched_until = error, self._clock() + _RELATCH.total_seconds()

    def _log_in(self) -> Token:
        if self._latched is not None:
            if self._clock() < self._latched_until:
                raise FatalError(str(self._latched), self._latched.remedy)
            self._latched = None
        wait = self._not_before - self._clock()
        if wait > 0:
            raise RetryableError(
                "Salesforce: the last log-in failed", "it is tried again after a pause", timedelta(seconds=wait)
            )
        try:
            self._token = self._asked()
        except ConnectorError as error:
            self._remember(error)
            raise
        self._failures, self._not_before = 0, 0.0
        return self._token

    def _remember(self, error: ConnectorError) -> None:
        self._failures += 1
        self._not_before = self._clock() + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**self._failures)
        if isinstance(error, FatalError):
            self._latched, self._latched_until = error, float("inf")

    def _asked(self) -> Token:
        url = f"{self._options.instance_url.rstrip('/')}/services/oauth2/token"
        try:
            answer = self._session.post(url, data=self._form(), allow_redirects=False)
        except requests.RequestException as error:
            raise RetryableError(
                f"Salesforce: {self._options.host} did not answer the log-in ({type(error).__name__})",
                "check instance_url, and the way through your network",
            ) from None
        if answer.status_code != requests.codes.ok:
            raise self._refusal(answer)
        try:
            granted = msgspec.json.decode(answer.content, type=_Granted)
        except msgspec.DecodeError:
            raise RetryableError("Salesforce: the log-in was answered without a token", "it is tried again") from None
        return Token(granted.access_token, granted.id.rpartition("/")[2], self._clock())

    def _form(self) -> dict[str, str]:
        if self._options.auth is Auth.JWT:
            return {"grant_type": _JWT_GRANT, "assertion": self._assertion()}
        return {
            "grant_type": "client_credentials",
            "client_id": self._options.client_id,
            "client_secret": self._options.client_secret,
        }

    def _assertion(self) -> str:
        claims = {
            "iss": self._options.client_id,
            "sub": self._options.username,
            "aud": self._options.audience or self._options.instance_url.rstrip("/"),
            "exp": int((self._now() + ASSERTION_LIFE).timestamp()),
        }
        try:
            return jwt.encode(claims, self._options.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            raise FatalError(
                "Salesforce: private_key is not a private RSA key", "give the PEM text of the key"
            ) from None

    def _refusal(self, answer: requests.Response) -> ConnectorError:
        problem = problems(answer.content, answer.status_code)[0]
        said = f"Salesforce: log-in refused: {problem}"
        if answer.status_code in (400, 401, 403) and problem.code and problem.code not in _PASSING:
            return FatalError(said, self._remedy(problem, answer.headers.get("Date", "")))
        if 300 <= answer.status_code < 400 or answer.status_code == requests.codes.not_found:
            return FatalError(said, "correct instance_url to the org's My Domain address")
        return RetryableError(said, "it is tried again after a pause")

    def _remedy(self, problem: Problem, date: str) -> str:
        skew = self._skew(date)
        if self._options.auth is Auth.JWT and problem.code == "invalid_grant" and abs(skew) > _SKEW_TOLD:
            side = "ahead of" if skew > timedelta(0) else "behind"
            minutes = abs(skew).total_seconds() / 60
            return f"this machine's clock is {minutes:.0f} minutes {side} Salesforce's: set it, then restart the worker"
        return (
            "see the External Client App (flow, run-as user, key and secret, who may use it); then restart the worker"
        )

    def _skew(self, date: str) -> timedelta:
        try:
            return self._now() - parsedate_to_datetime(date)
        except (ValueError, TypeError):
            return timedelta(0)
