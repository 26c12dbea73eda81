"""What an org is made of: objects, fields, who may see them. Types as in "Field Types" of the Object Reference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Field types, by the names that describe uses."""

    ID = "id"
    STRING = "string"
    TEXTAREA = "textarea"
    BOOLEAN = "boolean"
    INT = "int"
    DOUBLE = "double"
    CURRENCY = "currency"
    PERCENT = "percent"
    DATE = "date"
    DATETIME = "datetime"
    PICKLIST = "picklist"
    MULTIPICKLIST = "multipicklist"
    REFERENCE = "reference"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"


NUMBERS = frozenset({Kind.INT, Kind.DOUBLE, Kind.CURRENCY, Kind.PERCENT})
TEXTS = frozenset({Kind.STRING, Kind.TEXTAREA, Kind.EMAIL, Kind.PHONE, Kind.URL, Kind.PICKLIST, Kind.MULTIPICKLIST})
LONG_TEXT = 255
"""A text area longer than this can be neither filtered nor sorted by."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `relationship` is the name to go to the parent by; `calculated` ones are set by nobody."""

    name: str
    kind: Kind = Kind.STRING
    label: str = ""
    length: int = 255
    precision: int = 18
    scale: int = 2
    values: tuple[str, ...] = ()
    restricted: bool = False
    required: bool = False
    unique: bool = False
    external_id: bool = False
    case_sensitive: bool = False
    parents: tuple[str, ...] = ()
    relationship: str = ""
    calculated: bool = False
    writable: bool = True
    once: bool = False
    default: Any = None
    auto_number: str = ""

    @property
    def custom(self) -> bool:
        """Whether somebody added it to the org."""
        return self.name.endswith("__c")

    @property
    def filterable(self) -> bool:
        """Whether WHERE and ORDER BY may name it."""
        return not (self.kind is Kind.TEXTAREA and self.length > LONG_TEXT)

    @property
    def settable(self) -> bool:
        """Whether a write may name it at all."""
        return self.writable and not self.calculated and not self.auto_number and self.kind is not Kind.ID


@dataclass(slots=True)
class SObject:
    """One object and its fields, by their names in lower case: names are not told apart by case."""

    name: str
    prefix: str
    label: str = ""
    fields: dict[str, Field] = field(default_factory=dict)

    @property
    def custom(self) -> bool:
        """Whether somebody added it to the org."""
        return self.name.endswith("__c")

    def add(self, fields: Iterable[Field]) -> None:
        """More fields; one of the same name is replaced."""
        self.fields |= {each.name.lower(): each for each in fields}

    def by_relationship(self, name: str) -> Field | None:
        """The reference field that a relationship name goes by."""
        wanted = name.lower()
        return next((each for each in self.fields.values() if each.relationship.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class Rule:
    """A validation rule: when a saved record of the object shows `breaks`, the write fails with `message`."""

    object_name: str
    breaks: Any
    message: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class May:
    """What the integration user may do with the records of an object."""

    create: bool = True
    edit: bool = True
    delete: bool = True


@dataclass(slots=True)
class Org:
    """All objects, and what the integration user may not see or write (names in lower case)."""

    objects: dict[str, SObject] = field(default_factory=dict)
    hidden: set[tuple[str, str]] = field(default_factory=set)
    read_only: set[tuple[str, str]] = field(default_factory=set)
    withheld: set[str] = field(default_factory=set)
    permissions: dict[str, May] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    rates: dict[str, Any] = field(default_factory=dict)
    currency: str = "IDR"

    def add(self, *objects: SObject) -> None:
        """More objects; fields of one that is there are added to it."""
        for each in objects:
            known = self.objects.setdefault(each.name.lower(), each)
            if known is not each:
                known.add(each.fields.values())

    def add_fields(self, object_name: str, *fields: Field) -> None:
        """More fields for an object that is there."""
        self.objects[object_name.lower()].add(fields)

    def object(self, name: str) -> SObject | None:
        """An object that the user may see."""
        return None if name.lower() in self.withheld else self.objects.get(name.lower())

    def field(self, of: SObject, name: str) -> Field | None:
        """A field that the user may see."""
        hidden = (of.name.lower(), name.lower()) in self.hidden
        return None if hidden else of.fields.get(name.lower())

    def visible(self, of: SObject) -> list[Field]:
        """The fields of an object that the user may see."""
        return [each for name, each in of.fields.items() if (of.name.lower(), name) not in self.hidden]

    def may(self, of: SObject) -> May:
        """What the user may do with the records of an object."""
        return self.permissions.get(of.name.lower(), May())

    def writable(self, of: SObject, known: Field) -> bool:
        """Whether the user may set a field."""
        return known.settable and (of.name.lower(), known.name.lower()) not in self.read_only
