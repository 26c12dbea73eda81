"""The page's web server: GET only, nothing it does changes anything.

On loopback it answers to loopback names alone, so that a foreign page cannot reach it under a name of its own (DNS
rebinding); on any other address it wants a token, as Basic password or Bearer.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from worker.core.local_time import LocalTime
from worker.core.routing import title_of
from worker.secrets import Secret
from worker.status.look import Watcher
from worker.status.metrics import metrics
from worker.store.database import StoreError

_PAGES = Path(__file__).parent.parent.parent / "config" / "pages"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_PORT = re.compile(r":\d+$")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Guard(BaseHTTPMiddleware):
    """Who may look: the right host on loopback, or whoever knows the token. /livez is open, it says nothing."""

    def __init__(self, app: object, token: Secret | None) -> None:
        super().__init__(app)  # type: ignore[arg-type]
        self._token = token

    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Refuse, or pass on and add the headers that every answer carries."""
        refusal = None if request.url.path == "/livez" else self._refusal(request)
        response = refusal or await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    def _refusal(self, request: Request) -> Response | None:
        if self._token is not None:
            if hmac.compare_digest(_given(request).encode(), self._token.reveal().encode()):
                return None
            return PlainTextResponse("the token is needed", 401, {"WWW-Authenticate": 'Basic realm="escalations"'})
        host = _PORT.sub("", request.headers.get("host", ""))
        return None if host in _LOOPBACK else PlainTextResponse("this page answers to localhost only", 421)


def _given(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def application(watcher: Watcher, now: Callable[[], datetime], local: LocalTime, token: Secret | None) -> Starlette:
    """The page, the metrics and the two probes."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["when"] = local.when
    environment.filters["near"] = local.near
    environment.filters["span"] = local.span
    environment.filters["local"] = local.retold
    environment.filters["role"] = title_of

    def page(request: Request) -> Response:
        try:
            look = watcher.look(now())
        except StoreError as error:
            return HTMLResponse(environment.get_template("trouble.html.j2").render(error=error), 503)
        renews = "renew" in request.query_params  # asked for: a page that changes by itself is in a reader's way
        return HTMLResponse(environment.get_template("status.html.j2").render(look=look, now=look.at, renews=renews))

    def scrape(_request: Request) -> Response:
        try:
            return Response(metrics(watcher.look(now())), media_type="text/plain; version=0.0.4; charset=utf-8")
        except StoreError as error:
            return PlainTextResponse(f"{error}. {error.remedy}", 503)

    def ready(_request: Request) -> Response:
        try:
            troubles = watcher.look(now()).troubles
        except StoreError as error:
            troubles = (f"{error}. {error.remedy}",)
        return JSONResponse({"ready": not troubles, "troubles": troubles}, 503 if troubles else 200)

    def alive(_request: Request) -> Response:
        return PlainTextResponse("alive")

    routes = [
        Route(path, answer, methods=["GET"])
        for path, answer in (("/", page), ("/metrics", scrape), ("/readyz", ready), ("/livez", alive))
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, token=token)])
