"""HubSpot's own client library, held to our rules: one pool, no hidden retry, bounded calls, raw bodies, no logs.

Of the library only the transport is used: its typed models cost eighteen times the processor time, drop fields, and
know no dated paths. What it and urllib3 can throw becomes one of two: surely not sent, or lost.
"""

from __future__ import annotations

import http.client
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata

import urllib3
from hubspot.crm.objects import ApiClient, ApiException, Configuration
from hubspot.crm.objects.exceptions import OpenApiException

from connectors.base import FatalError, RetryableError
from connectors.crm.hubspot.options import Options
from connectors.deadline import bounded

_BROKEN_URLLIB3 = "2.6.0"
_MOST_BYTES = 64 * 1024 * 1024
# None of these is an ApiException; the library even trips over its own: a body that is not UTF-8, a TLS fault.
_LOST = (
    *(urllib3.exceptions.HTTPError, OpenApiException, http.client.HTTPException),
    *(OSError, UnicodeError, AttributeError),
)
_NEVER_SENT = (
    *(urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError),
    *(urllib3.exceptions.SSLError, urllib3.exceptions.ProxyError),
)


class LostError(Exception):
    """There was no answer, or none that is HubSpot's: the call may have had its effect."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call: a JSON body, a form, or neither."""

    verb: str
    path: str
    headers: Mapping[str, str]
    query: Sequence[tuple[str, str]] = ()
    body: object = None
    form: Sequence[tuple[str, str]] = ()


class Wire:
    """Makes calls. Safe to share between threads. Raises FatalError for a urllib3 that breaks the library."""

    def __init__(self, options: Options) -> None:
        if metadata.version("urllib3") == _BROKEN_URLLIB3:
            raise FatalError(
                f"urllib3 {_BROKEN_URLLIB3} breaks every call of HubSpot's client library",
                "install what requirements.lock pins, or urllib3 2.6.1 or newer",
            )
        self._timeouts = (options.connect_timeout, options.read_timeout)
        self._api = _api_client(options)

    def exchange(self, call: Call, seconds: float) -> Answer:
        """One call, within so many seconds. Raises RetryableError when it was surely not sent, else LostError."""
        try:
            return bounded(lambda: self._exchange(call), seconds, "hubspot-call")
        except _LOST as error:
            raise _lost(error) from None

    def _exchange(self, call: Call) -> Answer:
        try:
            response = self._api.call_api(
                call.path,
                call.verb,
                query_params=list(call.query),
                header_params=dict(call.headers),
                body=call.body,
                post_params=list(call.form),
                _preload_content=False,
                _request_timeout=self._timeouts,
            )
        except ApiException as error:
            if not error.status:
                raise
            return Answer(error.status, _lower(error.headers), str(error.body or "").encode())
        read = response.read(_MOST_BYTES + 1)
        response.release_conn()
        if len(read) > _MOST_BYTES:
            raise OSError("an answer of more than 64 MB")
        return Answer(response.status, _lower(response.headers), read)

    def close(self) -> None:
        """Let go of the connections."""
        self._api.rest_client.pool_manager.clear()
        self._api.close()


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def _lost(error: Exception) -> Exception:
    """Only what failed before the first byte was sent surely did nothing. No text of a library goes into a message."""
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    name = type(cause).__name__
    if isinstance(cause, _NEVER_SENT):
        remedy = "check the network, the proxy and the certificates"
        return RetryableError(f"HubSpot cannot be reached: {name}", remedy)
    return LostError(f"no answer from HubSpot that can be read: {name}")


def _api_client(options: Options) -> ApiClient:
    with _untouched_logging():
        configuration = Configuration(host=options.host)
        configuration.retries = urllib3.Retry(total=0, respect_retry_after_header=False)
        configuration.proxy = options.proxy or None
        configuration.ssl_ca_cert = options.ca_file or None
        client = ApiClient(configuration=configuration)
    client.user_agent = "crm-escalation-worker"
    return client


@contextmanager
def _untouched_logging() -> Iterator[None]:
    """The library sets the level of urllib3's logger, and httplib's, for the whole process: put them back."""
    logger = logging.getLogger("urllib3")
    level, noise = logger.level, http.client.HTTPConnection.debuglevel
    try:
        yield
    finally:
        logger.setLevel(level)
        http.client.HTTPConnection.debuglevel = noise
