"""Slack's own clients, but on a straight line: they would follow a redirect to another host and take the token along,
and would read an answer of any size.
"""

from __future__ import annotations

from email.message import Message
from http.client import HTTPResponse
from typing import IO, Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

from slack_sdk import WebClient, WebhookClient
from slack_sdk.webhook import WebhookResponse

_LARGEST = 8_000_000
"""Bytes of an answer; a full page of history stays far below."""


class _NoRedirect(HTTPRedirectHandler):
    """Leaves a redirect what it is: an answer that is not Slack's."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        """Follow nothing."""


_OPENER = build_opener(_NoRedirect)


def _answered(request: Request, timeout: float) -> tuple[HTTPResponse, str]:
    answer: HTTPResponse = _OPENER.open(request, timeout=timeout)
    with answer:
        body = answer.read(_LARGEST + 1)
    if len(body) > _LARGEST:
        raise ValueError("the answer is too large to be Slack's")
    return answer, body.decode(answer.headers.get_content_charset() or "utf-8")


class StraightWebClient(WebClient):
    """Calls Slack's methods."""

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:  # noqa: ARG002
        answer, body = _answered(req, self.timeout)
        return {"status": answer.status, "headers": answer.headers, "body": body}


class StraightWebhookClient(WebhookClient):
    """Posts to a webhook."""

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        answer, body = _answered(req, self.timeout)
        return WebhookResponse(url=url, status_code=answer.status, body=body, headers=dict(answer.headers.items()))
