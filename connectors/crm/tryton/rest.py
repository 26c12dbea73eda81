"""HTTP to one Tryton: a bounded request, and what its answer means.

Tryton answers in two tongues: JSON for what it understood, HTML for an unknown key, record, model or field. An answer
that is neither raises; it is never taken for "no records".
"""

from __future__ import annotations

import base64
import html
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

import requests

from connectors.base import FatalError, RetryableError
from connectors.deadline import bounded

_MOST_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_PASSING = frozenset({408, 423, 425, 429, 503})
_PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `at` is the server's clock, UTC to the second; None where it sends none."""

    status: int
    body: object
    said: str = ""
    at: datetime | None = None
    after: timedelta | None = None

    @property
    def passing(self) -> bool:
        """Whether it was surely not done, and may be done a little later."""
        return self.status in _PASSING

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300


class NotSentError(Exception):
    """No byte of the request reached the server."""


class NoAnswerError(Exception):
    """The request may have been carried out, and nobody knows."""


class _Bearer(requests.auth.AuthBase):
    """The key as a header. Set as `auth`, since the library would otherwise prefer what a .netrc file says."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class Rest:
    """One database of one server, as one user. Times in seconds: `timeout` of each read, `deadline` of a whole call."""

    def __init__(
        self,
        url: str,
        database: str,
        key: str,
        company: int | None = None,
        ca_file: str = "",
        timeout: float = 10,
        deadline: float = 60,
    ) -> None:
        self.url = url.rstrip("/")
        self.database = database
        self._key = key
        self._timeout = timeout
        self._deadline = deadline
        self._verify: str | bool = ca_file or True
        self._local = _is_local(self.url)
        self._context = {"active_test": False, **({"company": company} if company else {})}
        self._session = self._opened()

    def _opened(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = not self._local
        session.auth = _Bearer(self._key)
        session.verify = self._verify
        session.headers.update(
            {
                "Accept": "application/json",
                "Accept-Language": "en",
                "User-Agent": "crm-escalation-worker",
                "X-Tryton-Context": packed(self._context),
            }
        )
        return session

    def get(self, path: str, parameters: Sequence[tuple[str, str]] = ()) -> Answer:
        """Read. Raises RetryableError where there is no answer, FatalError where there will be none."""
        try:
            answer = self._ask("GET", self._model(path), parameters, None)
        except (NotSentError, NoAnswerError) as error:
            raise RetryableError(
                f"Tryton at {self.url}: {error}", "is the server up, and can it be reached?"
            ) from error
        self.refuse_for_all(answer)
        return answer

    def post(self, path: str, body: Mapping[str, object], parameters: Sequence[tuple[str, str]] = ()) -> Answer:
        """Write. Raises NotSentError, or NoAnswerError when it may have happened; any answer is for the caller."""
        return self._ask("POST", self._model(path), parameters, body)

    def server_version(self) -> str:
        """The server's series, such as 8.0; empty where it does not say."""
        body = {"id": 1, "method": "common.server.version", "params": []}
        try:
            answer = self._ask("POST", f"{self.url}/rpc/", (), body)
        except (NotSentError, NoAnswerError) as error:
            raise RetryableError(
                f"Tryton at {self.url}: {error}", "is the server up, and can it be reached?"
            ) from error
        result = answer.body.get("result") if isinstance(answer.body, dict) else None
        return result if isinstance(result, str) else ""

    def refuse_for_all(self, answer: Answer) -> None:
        """Raise where an answer says that nothing else would fare better: the key, the rights, the address."""
        if answer.status == 401:
            raise FatalError(
                f"Tryton at {self.url} does not know the key",
                "is it the key of a user application 'REST API' in the state validated? see deploy/tryton/README.md",
            )
        if answer.status == 403:
            raise FatalError(
                f"Tryton at {self.url} forbids this to the key's user",
                "put the user into the group 'Escalation Worker'; see deploy/tryton/README.md",
            )
        if answer.passing:
            raise RetryableError(f"Tryton at {self.url} asks to wait: {answer.said}", after=answer.after)

    def _model(self, path: str) -> str:
        return f"{self.url}/{quote(self.database, safe='')}/rest/model/{path}"

    def _ask(
        self, method: str, url: str, parameters: Sequence[tuple[str, str]], body: Mapping[str, object] | None
    ) -> Answer:
        if not self._local and not url.startswith("https://"):
            raise FatalError(f"Tryton at {self.url}: the key would travel in the open", "give an https address")
        began = time.monotonic()
        try:
            return bounded(lambda: self._exchange(method, url, parameters, body, began), self._deadline, "tryton")
        except TimeoutError as error:
            self._session = self._opened()  # the old one may still be at work in its thread
            raise NoAnswerError(str(error)) from error

    def _exchange(
        self,
        method: str,
        url: str,
        parameters: Sequence[tuple[str, str]],
        body: Mapping[str, object] | None,
        began: float,
    ) -> Answer:
        try:
            with self._session.request(
                method,
                url,
                params=list(parameters),
                data=None if body is None else json.dumps(body),
                headers={} if body is None else {"Content-Type": "application/json"},
                timeout=(self._timeout, self._timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                return self._answered(response, self._content(response, began))
        except requests.exceptions.SSLError as error:
            raise FatalError(
                f"Tryton at {self.url}: {_short(error)}", "is the certificate valid? see ca_file"
            ) from error
        except requests.exceptions.ConnectTimeout as error:
            raise NotSentError(_short(error)) from error
        except requests.exceptions.ConnectionError as error:
            raise (NotSentError if "NewConnectionError" in repr(error) else NoAnswerError)(_short(error)) from error
        except (requests.exceptions.RequestException, ValueError, RecursionError) as error:
            raise NoAnswerError(_short(error)) from error

    def _content(self, response: requests.Response, began: float) -> bytes:
        held = bytearray()
        for chunk in response.iter_content(_CHUNK):
            held += chunk
            if len(held) > _MOST_BYTES:
                raise ValueError(f"the answer is larger than {_MOST_BYTES} bytes")
            if time.monotonic() - began > self._deadline:
                raise ValueError(f"the answer takes longer than {self._deadline} s")
        return bytes(held)

    def _answered(self, response: requests.Response, content: bytes) -> Answer:
        if 300 <= response.status_code < 400:
            target = response.headers.get("Location", "elsewhere")
            raise FatalError(f"Tryton at {self.url} sends us to {target}", "give the address where it really is")
        at, after = _moment(response.headers.get("Date")), _wait(response.headers.get("Retry-After"))
        if "json" in response.headers.get("Content-Type", ""):
            body = json.loads(content, parse_float=Decimal)
            said = str(body.get("message") or "") if isinstance(body, dict) else ""
            return Answer(response.status_code, body, said, at, after)
        if 200 <= response.status_code < 300:
            raise NoAnswerError("the answer is not JSON: does another program answer at this address?")
        return Answer(response.status_code, None, _plain(content, response.reason), at, after)

    def close(self) -> None:
        """Let go of connections."""
        self._session.close()


def packed(value: object) -> str:
    """A JSON value as Tryton takes it in addresses and headers."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def _plain(content: bytes, reason: str) -> str:
    """What an HTML page says in its first paragraph."""
    found = _PARAGRAPH.search(content[:20_000].decode("utf-8", "replace"))
    return html.unescape(found[1]).strip() if found else reason


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _moment(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header or "").astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _wait(header: str | None) -> timedelta | None:
    return timedelta(seconds=int(header)) if header and header.isdigit() else None


def _short(error: Exception) -> str:
    """What went wrong, without the request's address, which is long."""
    return f"{type(error).__name__}: {str(error).split(' with url:')[0]}"[:200]
