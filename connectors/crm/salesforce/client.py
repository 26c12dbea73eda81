"""One call to one org: token, address, limits and errors; the only place that uses simple-salesforce.

Its own log-ins and retries stay unused: they hammer the token endpoint, and drop headers when they repeat a call. A
dead session is renewed once here, and the same call is repeated with the same headers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError

from connectors.base import ConnectorError, FatalError, RetryableError
from connectors.crm.salesforce.answers import Problem, UnansweredError, failure, is_dead_session, problems
from connectors.crm.salesforce.budget import Budget
from connectors.crm.salesforce.credentials import Token, TokenProvider
from connectors.crm.salesforce.options import Options
from connectors.crm.salesforce.transport import ElsewhereError, open_session
from connectors.half_characters import mended

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_NOT_SENT = (requests.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.SSLError, ElsewhereError)
_QUOTA = "REQUEST_LIMIT_EXCEEDED"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `at` is Salesforce's own clock, to the second."""

    body: bytes = field(repr=False)
    at: datetime
    headers: Mapping[str, str] = field(repr=False)


class RefusedError(Exception):
    """Salesforce refused this call as a whole, for a reason that the caller may know how to answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Client:
    """Speaks to one org. Holds one HTTP session, one token provider, one budget."""

    def __init__(
        self,
        options: Options,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.options, self.clock, self.now = options, clock, now
        self.budget = Budget(clock, now)
        self._session = open_session(options)
        self._tokens = TokenProvider(options, self._session, clock, now)
        self._made: tuple[Token, Salesforce] | None = None

    def __repr__(self) -> str:
        return f"Client({self.options.host})"

    @property
    def root(self) -> str:
        """The path of every resource, for addresses inside composite calls."""
        return f"/services/data/v{self.options.api_version}"

    def user_id(self) -> str:
        """The integration user's own id."""
        return self._tokens.current().user_id

    def get(self, path: str, doing: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Read. `path` is below the version, or a whole path as Salesforce gives it for a next page."""
        return self._guarded("GET", path, doing, None, headers or {}, None)

    def delete(self, path: str, doing: str) -> Answer:
        """Take something away."""
        return self._guarded("DELETE", path, doing, None, {}, None)

    def send(self, method: str, path: str, body: object, doing: str, until: float | None = None) -> Answer:
        """Write, or read with a body. `until` bounds the call on the clock of this client."""
        return self._guarded(method, path, doing, _ENCODER.encode(body), {}, until)

    def _guarded(
        self, method: str, path: str, doing: str, body: bytes | None, headers: Mapping[str, str], until: float | None
    ) -> Answer:
        """Raises RefusedError for what Salesforce refuses, else a ConnectorError."""
        try:
            return self._renewing(method, path, body, headers, self._left(until))
        except requests.RequestException as error:
            raise self._silent(error, doing) from None
        except RefusedError as error:
            if error.problem.code == _QUOTA and "concurrent" not in error.problem.message.casefold():
                self.budget.exhausted()
            raise

    def _left(self, until: float | None) -> float:
        if until is None:
            return self.options.deadline
        left = until - self.clock()
        if left <= 0:
            raise RetryableError("Salesforce: no time was left for this call", "it is tried again")
        return min(left, self.options.deadline)

    def _renewing(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], total: float) -> Answer:
        token = self._tokens.current()
        try:
            return self._once(token, method, path, body, headers, total)
        except RefusedError as error:
            if not is_dead_session(error.problem):
                raise
        token = self._tokens.renew(token)
        try:
            return self._once(token, method, path, body, headers, total)
        except RefusedError as error:
            if is_dead_session(error.problem):
                said = f"Salesforce: a fresh token was refused: {error.problem}"
                latched = FatalError(said, "see the integration user's login history and its permission to use the API")
                self._tokens.latch(latched)
                raise latched from None
            raise

    def _once(
        self, token: Token, method: str, path: str, body: bytes | None, headers: Mapping[str, str], total: float
    ) -> Answer:
        org = self._org(token)
        url = f"https://{org.sf_instance}{path}" if path.startswith("/") else org.base_url + path
        try:
            # restful() would decode every page a second time, into dictionaries; this is the call below it.
            response = org._call_salesforce(
                method, url, data=body, headers={**headers, "X-PrettyPrint": "0"}, timeout=total, allow_redirects=False
            )
        except SalesforceError as error:
            raise RefusedError(self._problem(error)) from None
        self.budget.note(response.headers.get("Sforce-Limit-Info", ""))
        return Answer(mended(response.content), self._clock_of(response), response.headers)

    def _org(self, token: Token) -> Salesforce:
        if self._made is None or self._made[0] is not token:
            org = Salesforce(
                session_id=token.value,
                instance_url=self.options.instance_url,
                session=self._session,
                version=self.options.api_version,
            )
            self._made = token, org
        return self._made[1]

    def _problem(self, error: SalesforceError) -> Problem:
        content: object = error.content  # decoded JSON, or a text where it was none
        body = content.encode() if isinstance(content, str) else msgspec.json.encode(content)
        return problems(body, error.status)[0]

    def _clock_of(self, response: requests.Response) -> datetime:
        try:
            return parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)
        except (KeyError, ValueError, TypeError):
            return self.now()

    def _silent(self, error: requests.RequestException, doing: str) -> ConnectorError:
        """An error of the line. Only a connection that never stood proves that nothing happened."""
        said = f"Salesforce, {doing}: no answer from {self.options.host} ({type(error).__name__})"
        remedy = "it is tried again; if it lasts, check instance_url and the way through your network"
        if isinstance(error, _NOT_SENT) or _never_connected(error):
            return RetryableError(said, remedy)
        return UnansweredError(said, remedy)

    def close(self) -> None:
        """Let go of the connections; may be called twice."""
        self._session.close()


def _never_connected(error: BaseException) -> bool:
    seen = repr(error)
    return isinstance(error, requests.ConnectionError) and (
        "NewConnectionError" in seen or "NameResolutionError" in seen
    )


def reading(call: Callable[[], Answer], doing: str) -> Answer:
    """For calls that only read: whatever Salesforce refuses becomes an error by what to do next."""
    try:
        return call()
    except RefusedError as error:
        raise failure(error.problem, doing) from None
