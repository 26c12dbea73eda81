"""What the org has: its objects and fields as this user may see them. Every name in a query or a write comes from here.

A field that the user has no permission for is not listed at all: hidden and missing look the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import quote

import msgspec

from connectors.base import FatalError, RetryableError
from connectors.crm.salesforce.answers import failure
from connectors.crm.salesforce.client import Client, RefusedError

_KEPT = timedelta(hours=6)
_ABSENT_KEPT = timedelta(minutes=10)


class PicklistValue(msgspec.Struct, frozen=True):
    """One value of a picklist."""

    value: str
    active: bool = True


class Field(msgspec.Struct, frozen=True, rename="camel"):
    """One field, as describe tells it."""

    name: str
    type: str
    length: int = 0
    calculated: bool = False
    updateable: bool = False
    createable: bool = False
    filterable: bool = True
    sortable: bool = True
    external_id: bool = False
    unique: bool = False
    restricted_picklist: bool = False
    picklist_values: list[PicklistValue] = []
    relationship_name: str | None = None
    reference_to: list[str] = []

    @property
    def choices(self) -> list[str]:
        """The picklist's values that may be written."""
        return [each.value for each in self.picklist_values if each.active]


class _Described(msgspec.Struct, frozen=True):
    name: str
    fields: list[Field]
    createable: bool = False
    updateable: bool = False


class ObjectInfo:
    """One object and its fields."""

    def __init__(self, described: _Described) -> None:
        self.name = described.name
        self.createable, self.updateable = described.createable, described.updateable
        self.fields = {each.name: each for each in described.fields}
        self._parents = {
            each.relationship_name: each.reference_to
            for each in described.fields
            if each.relationship_name and each.reference_to
        }

    def parents(self, relationship: str) -> list[str]:
        """The objects that a relationship leads to."""
        return self._parents.get(relationship, [])


_DESCRIBED = msgspec.json.Decoder(_Described)


class Schema:
    """Describes each object a few times a day. Safe to share between threads."""

    def __init__(self, client: Client, clock: Callable[[], float]) -> None:
        self._client, self._clock = client, clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[ObjectInfo | None, float]] = {}

    def find(self, name: str) -> ObjectInfo | None:
        """The object, or None when the org has none of that name that this user may see."""
        with self._lock:
            known = self._known.get(name)
            if known is not None and self._clock() < known[1]:
                return known[0]
            info = self._described(name)
            kept = _KEPT if info is not None else _ABSENT_KEPT
            self._known[name] = info, self._clock() + kept.total_seconds()
            return info

    def get(self, name: str) -> ObjectInfo:
        """The object. Raises FatalError when it is not there."""
        info = self.find(name)
        if info is None:
            raise FatalError(
                f"Salesforce has no object {name} that the worker may see",
                f"deploy it, or give the integration user permission; or correct `object: {name}` in the mapping",
            )
        return info

    def forget(self, name: str) -> None:
        """Look again next time: the org's answer did not agree with what was known."""
        with self._lock:
            self._known.pop(name, None)

    def field(self, name: str, path: str) -> Field | None:
        """The field that a dotted path such as Owner.Manager.Name leads to, or None."""
        info = self.find(name)
        head, dot, rest = path.partition(".")
        if info is None:
            return None
        if not dot:
            return info.fields.get(head)
        return next((found for parent in info.parents(head) if (found := self.field(parent, rest))), None)

    def missing(self, name: str, paths: Iterable[str]) -> list[str]:
        """The paths that lead nowhere."""
        return [path for path in paths if self.field(name, path) is None]

    def _described(self, name: str) -> ObjectInfo | None:
        if not name.replace("_", "").isalnum() or not name.isascii():
            return None
        try:
            answer = self._client.get(f"sobjects/{quote(name)}/describe", f"describing {name}")
        except RefusedError as error:
            if error.problem.status == HTTPStatus.NOT_FOUND or error.problem.code == "INVALID_TYPE":
                return None
            raise failure(error.problem, f"describing {name}") from None
        try:
            return ObjectInfo(_DESCRIBED.decode(answer.body))
        except msgspec.DecodeError:
            raise RetryableError(
                f"Salesforce described {name} in words that are not understood", "it is tried again"
            ) from None
