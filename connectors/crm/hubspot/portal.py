"""What a portal consists of: properties, owners, pipelines. Read when needed, kept for an hour."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import msgspec

from connectors.crm.hubspot.client import Client, Request
from connectors.crm.hubspot.paths import Endpoint

_AGE = 3600.0
_YOUNG = 300.0
_OWNERS_A_PAGE = "100"

T = TypeVar("T")


class Choice(msgspec.Struct, frozen=True, rename="camel"):
    """One option of an enumeration."""

    value: str
    label: str | None = None
    display_order: int | None = None
    hidden: bool | None = None
    description: str | None = None


class Rights(msgspec.Struct, frozen=True, rename="camel"):
    """What may be changed about a property."""

    read_only_value: bool | None = None


class Property(msgspec.Struct, frozen=True, rename="camel"):
    """A property's definition."""

    name: str
    type: str | None = None
    has_unique_value: bool | None = None
    calculated: bool | None = None
    options: tuple[Choice, ...] | None = None
    modification_metadata: Rights | None = None

    @property
    def read_only(self) -> bool:
        """Whether its value is HubSpot's own affair."""
        rights = self.modification_metadata
        return bool(self.calculated or (rights is not None and rights.read_only_value))


class Properties(msgspec.Struct, frozen=True):
    """HubSpot's answer to a request for an object's properties."""

    results: tuple[Property, ...]


class Owner(msgspec.Struct, frozen=True, rename="camel"):
    """A person, or a queue, that records can belong to."""

    id: str
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    archived: bool = False

    @property
    def name(self) -> str:
        """First and last name, or the address."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.email or self.id


class Next(msgspec.Struct, frozen=True):
    """Where the following page begins."""

    after: str


class Paging(msgspec.Struct, frozen=True):
    """HubSpot's paging object."""

    next: Next | None = None


class _Owners(msgspec.Struct, frozen=True):
    results: tuple[Owner, ...]
    paging: Paging | None = None


class _Stage(msgspec.Struct, frozen=True):
    id: str
    label: str | None = None
    metadata: dict[str, object] | None = None


class _Pipeline(msgspec.Struct, frozen=True):
    id: str
    stages: tuple[_Stage, ...] = ()


class _Pipelines(msgspec.Struct, frozen=True):
    results: tuple[_Pipeline, ...]


@dataclass(slots=True)
class _Kept(Generic[T]):
    """Something read once, and when."""

    value: T
    at: float


class Portal:
    """One HubSpot account's definitions and people."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.RLock()
        self._kept: dict[str, _Kept[object]] = {}

    def _get(self, name: str, fetch: Callable[[], T], age: float = _AGE) -> T:
        with self._lock:
            kept = self._kept.get(name)
            now = self._client.clock.monotonic()
            if kept is None or now - kept.at >= age:
                kept = self._kept[name] = _Kept(fetch(), now)
            return cast("T", kept.value)  # a name always stands for the same kind of thing

    def forget(self, object_type: str) -> None:
        """Read an object's properties again when they are asked for next: they have just been changed."""
        with self._lock:
            self._kept.pop(f"properties {object_type}", None)

    def properties(self, object_type: str) -> Mapping[str, Property]:
        """The properties of an object, by name."""

        def fetch() -> Mapping[str, Property]:
            request = Request(Endpoint.PROPERTIES, {"type": object_type})
            return {each.name: each for each in self._client.read(request, Properties).results}

        return self._get(f"properties {object_type}", fetch)

    def owners(self, wanted: Sequence[str] = ()) -> Mapping[str, Owner]:
        """Owners by id, those who left included. An unknown id makes it look again, at most every five minutes."""
        known = self._get("owners", self._owners)
        if any(each not in known for each in wanted):
            known = self._get("owners", self._owners, _YOUNG)
        return known

    def _owners(self) -> Mapping[str, Owner]:
        found = [owner for archived in ("false", "true") for owner in self._owner_pages(archived)]
        return {owner.id: owner for owner in reversed(found)}

    def _owner_pages(self, archived: str) -> Sequence[Owner]:
        found: list[Owner] = []
        after: list[tuple[str, str]] = []
        while True:
            query = [("limit", _OWNERS_A_PAGE), ("archived", archived), *after]
            page = self._client.read(Request(Endpoint.OWNERS, {}, query=query), _Owners)
            found += page.results
            if page.paging is None or page.paging.next is None:
                return found
            after = [("after", page.paging.next.after)]

    def stages(self, object_type: str) -> Mapping[str, Mapping[str, object]]:
        """What is known of each pipeline stage by its id: HubSpot's metadata (`ticketState`, `isClosed`) and label."""

        def fetch() -> Mapping[str, Mapping[str, object]]:
            pipelines = self._client.read(Request(Endpoint.PIPELINES, {"type": object_type}), _Pipelines)
            stages = [stage for pipeline in pipelines.results for stage in pipeline.stages]
            return {stage.id: {**(stage.metadata or {}), "label": stage.label} for stage in stages}

        return self._get(f"stages {object_type}", fetch)
