"""Composite calls: up to 25 subrequests that count as one. Source: REST API Developer Guide, Composite Resources."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from connectors.base import RetryableError
from connectors.crm.salesforce.answers import UnansweredError, failed_write
from connectors.crm.salesforce.client import Answer, Client, RefusedError


class Part(msgspec.Struct, rename="camel"):
    """The answer to one subrequest. The HTTP status of the whole is 200 even when every part failed."""

    http_status_code: int
    reference_id: str
    body: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def status(self) -> int:
        """The subrequest's HTTP status."""
        return self.http_status_code


class _Whole(msgspec.Struct, rename="camel"):
    composite_response: list[Part]


_WHOLE = msgspec.json.Decoder(_Whole)


class Composite:
    """Collects subrequests, in order, and sends them once."""

    def __init__(self, client: Client, *, all_or_none: bool) -> None:
        self._client = client
        self._all_or_none = all_or_none
        self._parts: list[dict[str, object]] = []

    def add(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> str:
        """One more subrequest; returns the name under which its answer comes."""
        name = f"r{len(self._parts)}"
        part: dict[str, object] = {"method": method, "url": f"{self._client.root}/{path}", "referenceId": name}
        if body is not None:
            part["body"] = body
        if headers:
            part["httpHeaders"] = dict(headers)
        self._parts.append(part)
        return name

    def read(self, doing: str, until: float | None = None) -> tuple[Answer, dict[str, Part]]:
        """Send subrequests that only read. Raises a ConnectorError when the call as a whole is refused."""
        try:
            return self.send(doing, until)
        except UnansweredError as error:
            raise RetryableError(str(error), error.remedy, error.after) from None

    def send(self, doing: str, until: float | None) -> tuple[Answer, dict[str, Part]]:
        """Send. Raises UnansweredError when it may have happened, another ConnectorError when it surely did not."""
        whole = {
            "allOrNone": self._all_or_none,
            # Collated subrequests are not run in order.
            "collateSubrequests": False,
            "compositeRequest": self._parts,
        }
        try:
            answer = self._client.send("POST", "composite", whole, doing, until)
        except RefusedError as error:
            raise failed_write(error.problem, doing) from None
        try:
            parts = _WHOLE.decode(answer.body).composite_response
        except msgspec.DecodeError as error:
            raise UnansweredError(f"Salesforce, {doing}: not a composite answer: {error}", "it is looked up") from None
        return answer, {each.reference_id: each for each in parts}
