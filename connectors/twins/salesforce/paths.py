"""From a dotted name in a query to a value: up to five steps from a record to its parents.

Source: "Relationship Queries" of the SOQL and SOSL Reference: at most five levels, at most 55 relationships a query. A
reference to several objects (the owner of a case) shows the fields of the Name object only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors.twins.salesforce.errors import RefusedError, beyond
from connectors.twins.salesforce.schema import Field, Org, SObject
from connectors.twins.salesforce.soql import refused
from connectors.twins.salesforce.store import Store, Values

LEVELS = 5
RELATIONSHIPS = 55
REFERENCE = "Please reference your WSDL or the describe call for the appropriate names."
_NAME_FIELDS = frozenset(
    {"id", "name", "firstname", "lastname", "email", "title", "username", "isactive", "phone", "type", "alias"}
)


@dataclass(frozen=True, slots=True)
class Path:
    """The way from a record to a field of its own or of a parent."""

    store: Store
    steps: tuple[Field, ...]
    field: Field

    def owner(self, row: Values) -> Values:
        """The record that the field stands in; empty where a parent is missing."""
        for step in self.steps:
            parent = self.store.get(row.get(step.name.lower()) or "")
            if parent is None:
                return {}
            row = parent
        return row

    def value(self, row: Values) -> Any:
        """The value, None where a parent is missing."""
        return self.owner(row).get(self.field.name.lower())


class Paths:
    """Resolves the names of one query."""

    def __init__(self, org: Org, store: Store, start: SObject, text: str) -> None:
        self.org, self.store, self.start, self.text = org, store, start, text
        self._relationships: set[tuple[str, ...]] = set()

    def resolve(self, dotted: str, at: int) -> Path:
        """Raises RefusedError with INVALID_FIELD for what is not there or not to be seen."""
        *relationships, name = dotted.split(".")
        if relationships and relationships[0].lower() == self.start.name.lower():
            raise beyond("the object's own name before a field")
        if len(relationships) > LEVELS:
            told = f"SOQL relationship path is too long: {dotted}"
            raise refused(self.text, at, "MALFORMED_QUERY", told)
        self._count(relationships, at)
        of: SObject | None = self.start
        steps: list[Field] = []
        for each in relationships:
            assert of is not None
            step = of.by_relationship(each)
            if step is None or self.org.field(of, step.name) is None:
                raise self._no_relation(each, at)
            steps.append(step)
            of = self.org.object(step.parents[-1])
            if of is None:
                raise self._no_relation(each, at)
        assert of is not None
        return Path(self.store, tuple(steps), self._field(of, steps[-1] if steps else None, name, at))

    def _field(self, of: SObject, step: Field | None, name: str, at: int) -> Field:
        if step is not None and len(step.parents) > 1:
            known = of.fields.get(name.lower()) if name.lower() in _NAME_FIELDS else None
            of = SObject("Name", "")
        else:
            known = self.org.field(of, name)
        if known is None:
            told = f"No such column '{name}' on entity '{of.name}'. If you are attempting to use a custom field,"
            told += " be sure to append the '__c' after the custom field name. "
            raise refused(self.text, at, "INVALID_FIELD", told + REFERENCE)
        return known

    def _count(self, relationships: list[str], at: int) -> None:
        for length in range(1, len(relationships) + 1):
            self._relationships.add(tuple(each.lower() for each in relationships[:length]))
        if len(self._relationships) > RELATIONSHIPS:
            told = f"maximum number of relationships exceeded: {RELATIONSHIPS}"
            raise refused(self.text, at, "MALFORMED_QUERY", told)

    def _no_relation(self, name: str, at: int) -> RefusedError:
        told = f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom"
        told += " relationship, be sure to append the '__r' after the custom relationship name. "
        return refused(self.text, at, "INVALID_FIELD", told + REFERENCE)
