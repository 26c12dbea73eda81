"""Texts and values as a field of Salesforce takes them: cut to its length, cleaned of what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.base import Value
from connectors.crm.salesforce.schema import Field

CUT = "\n[cut: the rest is in the worker's own record]"
_TEXTS = frozenset({"string", "textarea", "email", "url", "phone"})


def fitted(text: str, length: int, mark: str = "…") -> str:
    """At most `length` UTF-16 units, which is how Salesforce counts; never a half of a character."""
    clean = text.encode("utf-8", "replace").decode().replace("\x00", "")
    if length <= 0 or units(clean) <= length:
        return clean
    room, kept = length - units(mark), 0
    for index, letter in enumerate(clean):
        kept += units(letter)
        if kept > room:
            return clean[:index] + mark
    return clean


def units(text: str) -> int:
    """How long Salesforce takes a text to be: a letter outside the basic plane counts twice."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def worded(value: Value, field: Field | None) -> object:
    """A value as JSON for a field. Salesforce keeps no empty text: it is null."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time without a zone is never written")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, str):
        return fitted(value, field.length if field and field.type in _TEXTS else 0) or None
    return value
