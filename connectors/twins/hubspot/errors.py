"""How HubSpot says no: status, category, message, and where it helps the errors one by one and their context.

Source: "Error handling" of HubSpot's API reference: every field but the message is optional to a reader. What this
twin does not speak is told as TWIN_SUBSET with 501, so that nobody takes it for HubSpot's answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.twins.web import Reply

CORRELATION = "00000000-0000-4000-8000-000000000000"
Context = Mapping[str, Sequence[str]]


class RefusedError(Exception):
    """A refusal of the whole call, or of one input of a batch."""

    def __init__(
        self,
        message: str,
        category: str = "VALIDATION_ERROR",
        status: int = 400,
        errors: Sequence[Mapping[str, Any]] = (),
        context: Context | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{category}: {message}")
        self.message, self.category, self.status = message, category, status
        self.errors, self.context, self.more = errors, context or {}, more or {}

    def item(self, more: Context | None = None) -> dict[str, Any]:
        """As one of the errors of a batch."""
        told: dict[str, Any] = {"status": "error", "category": self.category, "message": self.message}
        context = {**self.context, **(more or {})}
        return told | ({"context": context} if context else {}) | ({"errors": list(self.errors)} if self.errors else {})

    def reply(self) -> Reply:
        """The answer to the call."""
        return Reply.of(self.item() | {"correlationId": CORRELATION} | dict(self.more), self.status)


def not_found(message: str = "resource not found") -> RefusedError:
    """404."""
    return RefusedError(message, "OBJECT_NOT_FOUND", 404)


def beyond(what: str) -> RefusedError:
    """The vendor may know this; the twin does not."""
    return RefusedError(f"the rehearsal server does not speak this part of the API: {what}", "TWIN_SUBSET", 501)


def invalid_values(faults: Sequence[tuple[str, str, str]]) -> RefusedError:
    """Values that are not valid: (property, code, message) of each, in HubSpot's doubled form."""
    listed = ",".join(
        f'{{"isValid":false,"message":{_quoted(message)},"error":"{code}","name":"{name}",'
        f'"localizedErrorMessage":{_quoted(message)}}}'
        for name, code, message in faults
    )
    errors = [{"message": message, "code": code, "context": {"propertyName": [name]}} for name, code, message in faults]
    return RefusedError(f"Property values were not valid: [{listed}]", errors=errors)


def misshapen(message: str) -> RefusedError:
    """A body that is no JSON, or not of the form that the endpoint reads."""
    return RefusedError(f"Invalid input JSON on line 1, column 1: {message}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
