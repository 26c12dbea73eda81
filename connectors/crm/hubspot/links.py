"""Which record belongs to which: associations, read a thousand at a time, the primary one first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from connectors.base import RetryableError
from connectors.crm.hubspot.answers import ItemError, said
from connectors.crm.hubspot.client import Client, Request
from connectors.crm.hubspot.paths import Endpoint
from connectors.crm.hubspot.portal import Paging

LINKS_A_CALL = 1000
_PLURALS = {"company": "companies", "contact": "contacts", "deal": "deals", "ticket": "tickets", "note": "notes"}
# HubSpot's own association types that mean "primary": ticket to company, deal to company, contact to company.
_PRIMARY = frozenset({26, 5, 1})
_NONE = "OBJECT_NOT_FOUND"

T = TypeVar("T")


class _Type(msgspec.Struct, frozen=True, rename="camel"):
    category: str = ""
    type_id: int = 0
    label: str | None = None


class _Target(msgspec.Struct, frozen=True, rename="camel"):
    to_object_id: str | int
    association_types: tuple[_Type, ...] = ()

    @property
    def rank(self) -> tuple[bool, int]:
        primary = any(
            each.type_id in _PRIMARY or (each.label or "").casefold() == "primary" for each in self.association_types
        )
        return not primary, int(self.to_object_id)


class _From(msgspec.Struct, frozen=True):
    id: str


class _Result(msgspec.Struct, frozen=True, rename={"source": "from"}):
    source: _From
    to: tuple[_Target, ...]
    paging: Paging | None = None


class _Links(msgspec.Struct, frozen=True):
    results: tuple[_Result, ...]
    errors: tuple[ItemError, ...] = ()


def plural(object_type: str) -> str:
    """An object type as paths have it."""
    return _PLURALS.get(object_type, object_type)


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def linked(client: Client, source: str, target: str, ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The records of type `target` that each id is associated with, the primary first; no entry where none is.

    Raises RetryableError for anything that HubSpot could not tell: not told is never "none".
    """
    found: dict[str, list[_Target]] = {}
    pending: list[dict[str, str]] = [{"id": each} for each in dict.fromkeys(ids)]
    while pending:
        inputs, pending = pending[:LINKS_A_CALL], pending[LINKS_A_CALL:]
        parts = {"type": plural(source), "to": plural(target)}
        page = client.read(Request(Endpoint.LINKS, parts, {"inputs": inputs}), _Links)
        _check(page.errors)
        for result in page.results:
            found.setdefault(result.source.id, []).extend(result.to)
            if result.paging is not None and result.paging.next is not None:
                pending.append({"id": result.source.id, "after": result.paging.next.after})
    return {
        key: [str(each.to_object_id) for each in sorted(to, key=lambda t: t.rank)] for key, to in found.items() if to
    }


def _check(errors: Sequence[ItemError]) -> None:
    """A record without associations is told as an error of its own kind; any other error stops the reading."""
    for error in errors:
        if error.category != _NONE and "NO_ASSOCIATIONS" not in str(error.sub_category):
            raise RetryableError(f"HubSpot could not read associations: {said(error)}")
