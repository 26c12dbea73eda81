"""What a portal is made of: object types, properties, groups, pipelines, owners, and the kinds of association.

Sources: "Properties", "Pipelines", "Owners" and "Associations" of HubSpot's API guides. Type and fieldType pairs as in
"Property type and fieldType values".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

FIELD_TYPES: Mapping[str, frozenset[str]] = {
    "bool": frozenset({"booleancheckbox", "calculation_equation"}),
    "enumeration": frozenset({"booleancheckbox", "checkbox", "radio", "select", "calculation_equation"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"date"}),
    "string": frozenset({"file", "text", "textarea", "calculation_equation", "html", "phonenumber"}),
    "number": frozenset({"number", "calculation_equation"}),
    "object_coordinates": frozenset({"text"}),
    "json": frozenset({"text"}),
}


@dataclass(slots=True)
class Property:
    """One property. `computed` ones are set by the portal; they do not move the last-modified stamp."""

    name: str
    type: str = "string"
    field_type: str = "text"
    label: str = ""
    group: str = ""
    options: list[dict[str, Any]] = field(default_factory=list)
    unique: bool = False
    read_only: bool = False
    computed: bool = False
    owner: bool = False
    defined_by_hubspot: bool = True
    description: str = ""
    archived: bool = False

    @property
    def values(self) -> list[str]:
        """The internal values that an enumeration or bool takes."""
        return [str(each["value"]) for each in self.options]


@dataclass(slots=True)
class ObjectType:
    """One kind of record. `stamp` names the last-modified property; `shown` are the properties that come unasked."""

    name: str
    type_id: str
    singular: str
    stamp: str = "hs_lastmodifieddate"
    shown: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    scope: str = ""
    activity: bool = False
    schema_scope: bool = True
    properties: dict[str, Property] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """How messages name it."""
        return self.singular.upper()

    def add(self, properties: Iterable[Property]) -> None:
        """More properties."""
        self.properties |= {each.name: each for each in properties}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a pipeline."""

    stage_id: str
    label: str
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of association, seen from one side."""

    type_id: int
    of: str
    to: str
    label: str | None = None
    category: str = "HUBSPOT_DEFINED"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the portal's administrator: what breaks it is refused, from version 2026-09 on."""

    object_name: str
    breaks: Callable[[Mapping[str, str]], bool]
    message: str


@dataclass(slots=True)
class Portal:
    """All of it, with what the account is."""

    types: dict[str, ObjectType] = field(default_factory=dict)
    kinds: dict[int, Kind] = field(default_factory=dict)
    pipelines: dict[str, dict[str, tuple[Stage, ...]]] = field(default_factory=dict)
    owners: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    unique_notes: bool = False
    portal_id: int = 24_110_001
    currency: str = "IDR"
    zone: str = "Asia/Jakarta"

    def type(self, name: str) -> ObjectType | None:
        """An object type by its name, its singular, its id or its full name."""
        for each in self.types.values():
            if name.lower() in (each.name, each.singular, each.type_id, f"p{self.portal_id}_{each.singular}"):
                return each
        return None

    def between(self, of: ObjectType, to: ObjectType) -> list[Kind]:
        """The kinds of association from one type to another, the primary one first."""
        return [each for each in self.kinds.values() if (each.of, each.to) == (of.name, to.name)]
