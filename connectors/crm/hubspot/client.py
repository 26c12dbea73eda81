"""The one way to HubSpot: paced, authorised, timed, and classified. An answer, a refusal, or a lost call comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec

from connectors.base import FatalError, RetryableError
from connectors.crm.hubspot.answers import Meaning, Policy, Refusal, refusal
from connectors.crm.hubspot.credentials import Credential, OAuthGrant, ServiceKey
from connectors.crm.hubspot.options import Options
from connectors.crm.hubspot.pace import Clock, Pace
from connectors.crm.hubspot.paths import Endpoint, Paths
from connectors.crm.hubspot.wire import Answer, Call, LostError, Wire
from connectors.half_characters import mended

T = TypeVar("T")

_ADMISSIONS = 4
_KEY_REMEDY = "put in a service key that is not rotated or deleted, and reload"
_SCOPES_REMEDY = "add them to the service key: deploy/hubspot/README.md"
_CLOCK_STEP = timedelta(seconds=2)
"""Below this a difference of the clocks is the time that an answer takes, and the Date header's whole seconds."""


class RefusedError(Exception):
    """HubSpot understood and said no."""

    def __init__(self, answer: Refusal) -> None:
        super().__init__(str(answer))
        self.answer = answer


class ForbiddenError(FatalError):
    """The key is good and lacks a scope."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `write`: it changes something; it may use the reserve of the day, and is doubtful when it is lost."""

    endpoint: Endpoint
    parts: Mapping[str, str]
    body: object = None
    query: Sequence[tuple[str, str]] = ()
    method: str = ""
    write: bool = False

    @property
    def verb(self) -> str:
        """GET without a body, unless told."""
        return self.method or ("GET" if self.body is None else "POST")


class Client:
    """Asks HubSpot. Safe to share between threads. `calls` counts what went out."""

    def __init__(self, options: Options, settings: Mapping[str, object], clock: Clock | None = None) -> None:
        self.options = options
        self.clock = clock or Clock()
        self.pace = Pace(options.plan, self.clock, options.zone)
        self.calls = 0
        self._paths = Paths(options.api_version)
        self._ahead = timedelta(0)
        self._wire = Wire(options)
        self._serving = threading.local()
        self.credential = self._credential(settings)

    def __repr__(self) -> str:
        return f"Client({self.options.host}, {self.options.api_version})"

    def _credential(self, settings: Mapping[str, object]) -> Credential:
        if not settings.get("refresh_token"):
            return ServiceKey(str(settings.get("token") or ""))
        app, secret, refresh = (str(settings.get(n) or "") for n in ("client_id", "client_secret", "refresh_token"))
        return OAuthGrant(app, secret, refresh, self._fetch_token, self.clock.monotonic)

    def until(self) -> float:
        """The end of an operation that begins now, on the monotonic clock."""
        return self.clock.monotonic() + self.options.deadline

    def server_now(self) -> datetime:
        """HubSpot's own clock, by the Date of its answers; ours until there was one."""
        return self.clock.now() + self._ahead

    @contextmanager
    def from_reserve(self) -> Iterator[None]:
        """What is read meanwhile, in this thread, serves a write: it may use what the day keeps for writing."""
        before = getattr(self._serving, "a_write", False)
        self._serving.a_write = True
        try:
            yield
        finally:
            self._serving.a_write = before

    def read(self, request: Request, shape: type[T]) -> T:
        """Ask for something and decode it. Raises RetryableError for anything lost or not understood."""
        try:
            return self.change(request, shape, self.until())
        except LostError as error:
            raise RetryableError(f"{error}", "check the network and HubSpot's status page") from error
        except RefusedError as error:
            remedy = "run `check`: it names what the mapping and the portal do not agree on"
            raise FatalError(f"{error} ({request.endpoint} {request.parts.get('type', '')})", remedy) from error

    def change(self, request: Request, shape: type[T], until: float) -> T:
        """Write something and decode what came of it. Raises RefusedError, LostError, RetryableError, FatalError."""
        body = self._send(request, until)
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise LostError(f"HubSpot's answer to {request.endpoint} is not understood ({len(body)} bytes)") from error

    def _send(self, request: Request, until: float) -> bytes:
        """The body of a successful answer. A call that the rate limit kept out goes again within its deadline."""
        search, renewed = request.endpoint is Endpoint.SEARCH, False
        for _ in range(_ADMISSIONS):
            reserve = request.write or bool(getattr(self._serving, "a_write", False))
            self.pace.take(search=search, write=reserve, until=until)
            token = self.credential.token()
            answer = self._call(request, token, until)
            if 200 <= answer.status < 300:
                return mended(answer.body)
            told = refusal(answer.status, answer.headers, answer.body)
            if told.meaning is Meaning.LIMITED:
                self._limited(told, search=search, until=until)
            elif told.status == 401 and not renewed and self.credential.renew(token):
                renewed = True
            else:
                raise _raised(told)
        raise RetryableError("HubSpot keeps refusing for its rate limit", after=timedelta(seconds=10))

    def _limited(self, told: Refusal, *, search: bool, until: float) -> None:
        """Slow everybody down; give up here when the wait is longer than this operation may take."""
        self.pace.refused(told, search=search)
        wait = self.pace.rest_of_day() if told.policy == Policy.DAILY else told.after or timedelta(0)
        if self.clock.monotonic() + wait.total_seconds() > until:
            raise RetryableError(str(told), "HubSpot's API limit is used up", wait)

    def _call(self, request: Request, token: str, until: float) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Accept-Encoding": "gzip"}
        path = self._paths.path(request.endpoint, **request.parts)
        answer = self._exchange(Call(request.verb, path, headers, request.query, request.body), until)
        self.pace.heard(answer.headers, search=request.endpoint is Endpoint.SEARCH)
        return answer

    def _fetch_token(self, form: Mapping[str, str]) -> bytes:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        call = Call("POST", self._paths.path(Endpoint.TOKEN), headers, form=list(form.items()))
        try:
            answer = self._exchange(call, self.until())
        except LostError as error:
            raise RetryableError(f"the access token cannot be renewed: {error}") from error
        if answer.status in (400, 401, 403):
            raise FatalError(f"HubSpot rejects the OAuth grant ({answer.status})", "install the app again, and reload")
        if answer.status != 200:
            raise RetryableError(f"the access token cannot be renewed: HTTP {answer.status}")
        return answer.body

    def _exchange(self, call: Call, until: float) -> Answer:
        left = until - self.clock.monotonic()
        if left <= 0:
            raise RetryableError("the time for this operation was used up before HubSpot was asked")
        self.calls += 1
        answer = self._wire.exchange(call, min(left, self.options.deadline))
        self._learn_clock(answer.headers.get("date", ""))
        return answer

    def _learn_clock(self, shown: str) -> None:
        try:
            moment = parsedate_to_datetime(shown)
        except ValueError:
            return
        ahead = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - self.clock.now()
        self._ahead = ahead if abs(ahead) > _CLOCK_STEP else timedelta(0)

    def close(self) -> None:
        """Let go of the connections; may be called twice."""
        self._wire.close()


def _raised(told: Refusal) -> Exception:
    match told.meaning:
        case Meaning.UNAUTHORISED:
            return FatalError(f"HubSpot does not accept the key ({told.status})", _KEY_REMEDY)
        case Meaning.FORBIDDEN:
            return ForbiddenError(f"{told}; missing scopes: {', '.join(told.scopes) or 'not named'}", _SCOPES_REMEDY)
        case Meaning.LATER:
            return RetryableError(str(told), after=told.after)
        case Meaning.DOUBTFUL:
            return LostError(str(told))
    if told.readable:
        return RefusedError(told)
    return LostError(f"HTTP {told.status} with an answer that is not HubSpot's")
