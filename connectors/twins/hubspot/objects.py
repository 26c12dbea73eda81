"""Records one by one: read, list, create, update, archive; and how they are shown.

Source: "Objects" of HubSpot's API guides: unknown properties are refused on write and left out on read; a list has at
most 100 a page; an update answers with the whole record; a note or task logged on a company moves the company's stamp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.twins.hubspot.asking import Ask
from connectors.twins.hubspot.errors import RefusedError, invalid_values, misshapen, not_found
from connectors.twins.hubspot.schema import Kind, ObjectType, Portal
from connectors.twins.hubspot.store import Record, Store, Version
from connectors.twins.hubspot.values import Fault, iso, taken
from connectors.twins.web import Reply

PAGE = 100
Body = Mapping[str, Any]
_CREATE = ("properties", "associations", "objectWriteTraceId")


class Objects:
    """Answers below /objects, but for batches and the search."""

    def __init__(self, portal: Portal, store: Store) -> None:
        self.portal, self.store = portal, store
        self.refusals: list[tuple[str, RefusedError]] = []

    def type(self, name: str) -> ObjectType:
        """An object type by any of its names. Raises RefusedError."""
        found = self.portal.type(name)
        if found is None:
            raise RefusedError(f"Unable to infer object type from: {name}")
        return found

    def answer(self, of: ObjectType, rest: tuple[str, ...], ask: Ask) -> Reply:
        """Do one request. Raises RefusedError."""
        match (ask.method, rest):
            case ("GET", ()):
                return Reply.of(self._page(of, ask))
            case ("POST", ()):
                body = ask.object(_CREATE)
                return Reply.of(self.shown(self.create(of, body, ask), None), 201)
            case ("GET", (record_id,)):
                return Reply.of(self._read(of, record_id, ask))
            case ("PATCH", (record_id,)):
                record = self.found(of, record_id, ask.one("idProperty"))
                self.update(record, ask.object(("properties", "objectWriteTraceId")), ask)
                return Reply.of(self.shown(record, None))
            case ("DELETE", (record_id,)):
                self.store.archive(self.found(of, record_id))
                return Reply(204)
        raise not_found()

    def found(self, of: ObjectType, record_id: str, by: str = "") -> Record:
        """A record that is there. Raises RefusedError."""
        record = self._by_value(of, by, record_id) if by else self.store.get(of, record_id)
        if record is None:
            raise not_found(f"Object not found.  objectId are usually numeric. ({record_id})")
        return record

    def create(self, of: ObjectType, body: Body, ask: Ask) -> Record:
        """Add a record with its associations, both or neither. Raises RefusedError."""
        values = self.checked(of, _properties(body), "")
        missing = [each for each in of.required if not values.get(each)]
        if missing:
            told = f"Error creating {of.prefix}. Some required properties were not set."
            raise RefusedError(told, context={"properties": missing})
        self._ruled(of, "", values, ask)
        links = [each for given in body.get("associations") or () for each in self._links(of, given)]
        record = self.store.insert(of, self._defaulted(of, values))
        for kind, to_id in links:
            self.store.link(kind, record.record_id, to_id)
            self._logged(of, kind, to_id)
        return record

    def update(self, record: Record, body: Body, ask: Ask) -> None:
        """Change a record. Raises RefusedError."""
        values = self.checked(record.of, _properties(body), record.record_id)
        self._ruled(record.of, record.record_id, {**record.newest.values, **values}, ask)
        self.store.update(record, values)

    def checked(self, of: ObjectType, given: Mapping[str, Any], record_id: str) -> dict[str, str]:
        """The values as they are kept. Raises RefusedError, which tells of all that is wrong."""
        faults: list[Fault] = []
        values: dict[str, str] = {}
        for name, value in given.items():
            known = of.properties.get(name)
            if known is None or known.archived:
                faults.append((name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
                continue
            values[name], fault = taken(self.portal, of, known, value)
            fault = fault or self._taken_already(of, name, values[name], record_id)
            faults += [fault] if fault else []
        if faults:
            raise invalid_values(faults)
        return values

    def shown(self, record: Record, wanted: Sequence[str] | None, version: Version | None = None) -> dict[str, Any]:
        """As JSON. `wanted` None: all that is set; else what is there of it, with what always comes."""
        seen = version or record.newest
        names = list(seen.values) if wanted is None else self._names(record.of, wanted)
        told = {
            "id": record.record_id,
            "properties": {name: seen.values.get(name) for name in sorted(names)},
            "createdAt": seen.values["createdate"],
            "updatedAt": seen.values[record.of.stamp],
            "archived": seen.archived,
        }
        return told | ({"archivedAt": seen.values[record.of.stamp]} if seen.archived else {})

    def _names(self, of: ObjectType, wanted: Sequence[str]) -> set[str]:
        chosen = {name for name in wanted if name in of.properties} if wanted else set(of.shown)
        created = "hs_createdate" if of.activity else "createdate"
        return chosen | {"hs_object_id", created, of.stamp}

    def _page(self, of: ObjectType, ask: Ask) -> dict[str, Any]:
        limit = bounded(ask.one("limit", "10"), PAGE)
        after = ask.one("after", "0")
        if not after.isdigit():
            raise RefusedError(f"The paging cursor is invalid: {after}")
        archived = ask.one("archived") == "true"
        rows = [each for each in self.store.listed(of, archived=archived) if int(each[0].record_id) > int(after)]
        shown = [self._with_links(self.shown(*_ask(each, ask)), each[0], ask) for each in rows[:limit]]
        if len(rows) <= limit:
            return {"results": shown}
        last = shown[-1]["id"]
        return {"results": shown, "paging": {"next": {"after": last, "link": f"{ask.base}?after={last}"}}}

    def _read(self, of: ObjectType, record_id: str, ask: Ask) -> dict[str, Any]:
        if ask.one("archived") == "true":
            record = self.store.records.get((of.name, record_id))
            if record is None or not record.newest.archived:
                raise not_found()
        else:
            record = self.found(of, record_id, ask.one("idProperty"))
        version = record.seen(self.store.clock())
        return self._with_links(self.shown(record, ask.many("properties"), version), record, ask)

    def _with_links(self, told: dict[str, Any], record: Record, ask: Ask) -> dict[str, Any]:
        linked: dict[str, Any] = {}
        for name in ask.many("associations"):
            to = self.type(name)
            found = self.store.links(record.of, record.record_id, to)
            results = [{"id": each.to_id, "type": f"{record.of.singular}_to_{to.singular}"} for each in found]
            if results:
                linked[to.name] = {"results": results}
        return told | ({"associations": linked} if linked else {})

    def _by_value(self, of: ObjectType, name: str, value: str) -> Record | None:
        self.unique(of, name)
        return self.store.with_value(of, name, value)

    def unique(self, of: ObjectType, name: str) -> None:
        """Refuse a property that does not tell records apart."""
        known = of.properties.get(name)
        if known is None or not known.unique:
            told = f"Unable to perform update/upsert by non-unique {of.type_id} property {name}"
            raise RefusedError(f"{told} in portal ID {self.portal.portal_id}")

    def _taken_already(self, of: ObjectType, name: str, value: str, record_id: str) -> Fault | None:
        if not value or not of.properties[name].unique:
            return None
        other = self.store.with_value(of, name, value)
        if other is None or other.record_id == record_id:
            return None
        told = f"Cannot set {name}={value} on {record_id or 'a new record'}. {other.record_id} already has that value."
        return name, "CONFLICTING_UNIQUE_VALUE", told

    def _ruled(self, of: ObjectType, record_id: str, values: Mapping[str, str], ask: Ask) -> None:
        for place, (wanted, error) in enumerate(self.refusals):
            if wanted in (record_id, of.name):
                del self.refusals[place]
                raise error
        for rule in self.portal.rules if ask.enforcing else ():
            if rule.object_name == of.name and rule.breaks(values):
                raise RefusedError(rule.message)

    def _links(self, of: ObjectType, given: Any) -> list[tuple[Kind, str]]:
        try:
            to_id = str(given["to"]["id"])
            types = [(each["associationCategory"], int(each["associationTypeId"])) for each in given["types"]]
        except (KeyError, TypeError, ValueError):
            raise misshapen(
                "an association needs to.id and types with associationCategory and associationTypeId"
            ) from None
        return [(self._kind(of, category, number, to_id), to_id) for category, number in types]

    def _kind(self, of: ObjectType, category: str, number: int, to_id: str) -> Kind:
        kind = self.portal.kinds.get(number)
        if kind is None or kind.of != of.name or kind.category != category:
            told = f"{category} association type {number} does not go from {of.prefix}"
            raise RefusedError(told, context={"associationTypeId": [str(number)]})
        if self.store.get(self.portal.types[kind.to], to_id) is None:
            raise RefusedError(f"{kind.to} {to_id} does not exist", context={"toObjectId": [to_id]})
        return kind

    def _logged(self, of: ObjectType, kind: Kind, to_id: str) -> None:
        """What is logged on a record moves its stamp."""
        target = self.store.get(self.portal.types[kind.to], to_id)
        if of.activity and target is not None and not target.of.activity:
            touched = (
                {"notes_last_updated": iso(self.store.clock())} if "notes_last_updated" in target.of.properties else {}
            )
            self.store.update(target, touched)

    def _defaulted(self, of: ObjectType, values: dict[str, str]) -> dict[str, str]:
        pipelines = self.portal.pipelines.get(of.name)
        name = "hs_pipeline" if of.name == "tickets" else "pipeline"
        return {name: next(iter(pipelines)), **values} if pipelines else values


def bounded(text: str, most: int) -> int:
    """A page size. Raises RefusedError beyond what the endpoint gives."""
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise RefusedError(f"limit must be between 1 and {most}: {text}")
    return int(text)


def _properties(body: Body) -> Mapping[str, str]:
    given = body.get("properties")
    if not isinstance(given, dict):
        raise misshapen("properties is missing or no object")
    for name, value in given.items():
        if not isinstance(value, str):
            raise misshapen(f"Cannot deserialize value of type `java.lang.String` for {name}: {value!r}")
    return given


def _ask(row: tuple[Record, Version], ask: Ask) -> tuple[Record, Sequence[str], Version]:
    return row[0], ask.many("properties"), row[1]
