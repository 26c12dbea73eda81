"""How Salesforce says no: an HTTP status and a list of code, message and, for records, the fields.

Shapes: "Status Codes and Error Responses" of the REST API Developer Guide. What the vendor would accept and this twin
does not speak is told as TWIN_SUBSET with 501, so that nobody takes it for the vendor's answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.twins.web import Reply


class RefusedError(Exception):
    """A refusal of the whole call, or of one record in a batch."""

    def __init__(self, code: str, message: str, fields: Sequence[str] | None = None, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.fields, self.status = code, message, fields, status

    def body(self) -> list[dict[str, Any]]:
        """As the REST resources answer."""
        told: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        return [told | ({"fields": list(self.fields)} if self.fields is not None else {})]

    def item(self) -> dict[str, Any]:
        """As one record of a collection answers."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}

    def reply(self) -> Reply:
        """The answer to the call."""
        return Reply.of(self.body(), self.status)


def not_found(message: str = "The requested resource does not exist") -> RefusedError:
    """404, with the vendor's usual words."""
    return RefusedError("NOT_FOUND", message, status=404)


def beyond(what: str) -> RefusedError:
    """The vendor may know this; the twin does not."""
    return RefusedError("TWIN_SUBSET", f"the rehearsal server does not speak this part of the API: {what}", status=501)


def malformed(message: str) -> RefusedError:
    """A body that is no JSON, or not of the expected form."""
    return RefusedError("JSON_PARSER_ERROR", message)
