"""The one line to Salesforce: every call has a timeout, a total deadline, a size limit, and one host to go to."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import requests
from requests.adapters import HTTPAdapter

from connectors.crm.salesforce.options import Options

_CONNECT_SECONDS = 5.0
_CHUNK = 262_144
_CONNECTIONS = 8


class OverdueError(requests.Timeout):
    """The answer was still coming when its total deadline was over."""


class TooLargeError(requests.RequestException):
    """The answer was larger than the limit."""


class ElsewhereError(requests.RequestException):
    """A request was about to leave for another host than the org's."""


class TransportAdapter(HTTPAdapter):
    """What every request passes. `timeout`, where a caller gives one, is the total for this call in seconds.

    simple-salesforce writes https into each address; where the options allow plain http to this machine, the scheme is
    put back here.
    """

    def __init__(self, options: Options) -> None:
        parts = urlsplit(options.instance_url)
        self._host, self._plain = parts.netloc, parts.scheme == "http"
        self._silence, self._total = options.timeout, options.deadline
        self._largest = options.largest_answer_mb * 1024 * 1024
        super().__init__(pool_connections=1, pool_maxsize=_CONNECTIONS, max_retries=0, pool_block=True)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002  requests' own signature
        timeout: object = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send, and read the whole answer within the deadline."""
        self._aim(request)
        total = min(float(timeout), self._total) if isinstance(timeout, (int, float)) else self._total
        until = time.monotonic() + total
        silence = (min(_CONNECT_SECONDS, total), min(self._silence, total))
        response = super().send(
            request,
            stream=True,
            timeout=silence,
            verify=verify,
            cert=cert,
            proxies=None if self._plain else proxies,
        )
        response._content = self._body(response, until)  # read here, because only here the deadline is known
        return response

    def _aim(self, request: requests.PreparedRequest) -> None:
        parts = urlsplit(request.url or "")
        if parts.netloc != self._host:
            raise ElsewhereError(
                f"a request to {parts.hostname} was stopped: this connector speaks to {self._host} only"
            )
        request.url = parts._replace(scheme="http" if self._plain else "https").geturl()

    def _body(self, response: requests.Response, until: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(_CHUNK):
            size += len(chunk)
            if size > self._largest:
                response.close()
                raise TooLargeError(f"the answer is larger than {self._largest // 1024 // 1024} MB")
            if time.monotonic() > until:
                response.close()
                raise OverdueError("the answer was not complete when its time was over")
            chunks.append(chunk)
        return b"".join(chunks)


def open_session(options: Options) -> requests.Session:
    """A session whose every request passes the adapter; it takes no password from a .netrc file."""
    session = requests.Session()
    session.trust_env = False
    host = urlsplit(options.instance_url).hostname or ""
    if not proxy_bypass(host):
        session.proxies = {scheme: url for scheme, url in getproxies().items() if scheme in ("http", "https")}
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    adapter = TransportAdapter(options)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
