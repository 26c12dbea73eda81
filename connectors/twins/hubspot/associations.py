"""Associations between records, read in batches of up to 1,000 and made one by one or in batches.

Sources: "Associations v4" of HubSpot's API guides and its changelog (1,000 inputs of a batch read, 2,000 of a create).
Under v4 `toObjectId` is a number, in dated versions text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.twins.hubspot.asking import Ask
from connectors.twins.hubspot.errors import RefusedError, misshapen, not_found
from connectors.twins.hubspot.objects import Objects
from connectors.twins.hubspot.schema import Kind, ObjectType, Portal
from connectors.twins.hubspot.store import Link, Store
from connectors.twins.hubspot.values import iso
from connectors.twins.web import Reply

MOST_READ = 1_000
MOST_MADE = 2_000


class Associations:
    """Answers below /associations, and below /objects/{type}/{id}/associations. `page` is the size for one record."""

    def __init__(self, portal: Portal, store: Store, objects: Objects) -> None:
        self.portal, self.store, self.objects = portal, store, objects
        self.page = 500

    def answer(self, ask: Ask) -> Reply:
        """Do one request below /associations. Raises RefusedError."""
        match (ask.method, ask.parts):
            case ("POST", (of_name, to_name, "batch", "read")):
                return self._read(self.objects.type(of_name), self.objects.type(to_name), ask)
            case ("POST", (of_name, to_name, "batch", "create")):
                return self._make(self.objects.type(of_name), self.objects.type(to_name), ask)
            case ("GET", (of_name, to_name, "labels")):
                kinds = self.portal.between(self.objects.type(of_name), self.objects.type(to_name))
                return Reply.of({"results": [_kind(each) for each in kinds]})
        raise not_found()

    def of_record(self, of: ObjectType, rest: Sequence[str], ask: Ask) -> Reply:
        """Do one request below /objects/{type}/{id}/associations. Raises RefusedError."""
        match (ask.method, tuple(rest)):
            case ("GET", (record_id, "associations", to_name)):
                self.objects.found(of, record_id)
                to = self.objects.type(to_name)
                return Reply.of(self._page(of, record_id, to, int(ask.one("after", "0") or 0), ask))
            case ("PUT", (record_id, "associations", "default", to_name, to_id)):
                kinds = self.portal.between(of, self.objects.type(to_name))
                return self._put(of, record_id, kinds[-1], to_id)
            case ("PUT", (record_id, "associations", _, to_id, number)) if number.isdigit():
                kind = self._known(of, int(number))
                self._put(of, record_id, kind, to_id)
                return Reply.of(self.objects.shown(self.objects.found(of, record_id), None))
        raise not_found()

    def _put(self, of: ObjectType, record_id: str, kind: Kind, to_id: str) -> Reply:
        self.objects.found(of, record_id)
        self.objects.found(self.portal.types[kind.to], to_id)
        self.store.link(kind, record_id, to_id)
        return Reply.of({"status": "COMPLETE", "results": [_made(kind, record_id, to_id)]})

    def _read(self, of: ObjectType, to: ObjectType, ask: Ask) -> Reply:
        inputs = _inputs(ask, MOST_READ, {"id", "after"})
        results, errors = [], []
        for each in inputs:
            page = self._page(of, str(each["id"]), to, int(each.get("after") or 0), ask)
            if page["results"]:
                found = {"from": {"id": str(each["id"])}, "to": page["results"]}
                results.append(found | ({"paging": page["paging"]} if "paging" in page else {}))
            else:
                errors.append(_nothing(of, to, str(each["id"])))
        return self._finished(ask, results, errors)

    def _page(self, of: ObjectType, record_id: str, to: ObjectType, after: int, ask: Ask) -> dict[str, Any]:
        by_record: dict[str, list[Link]] = {}
        for each in self.store.links(of, record_id, to):
            by_record.setdefault(each.to_id, []).append(each)
        rows = list(by_record.items())
        told: dict[str, Any] = {"results": [_shown(*row, ask) for row in rows[after : after + self.page]]}
        end = after + self.page
        return told | ({"paging": {"next": {"after": str(end), "link": f"?after={end}"}}} if end < len(rows) else {})

    def _make(self, of: ObjectType, to: ObjectType, ask: Ask) -> Reply:
        inputs = _inputs(ask, MOST_MADE, {"from", "to", "types"})
        results = []
        for each in inputs:
            from_id, to_id = str(each["from"]["id"]), str(each["to"]["id"])
            self.objects.found(of, from_id)
            self.objects.found(to, to_id)
            for given in each["types"]:
                kind = self._known(of, int(given["associationTypeId"]))
                self.store.link(kind, from_id, to_id)
                results.append(_made(kind, from_id, to_id))
        return self._finished(ask, results, [], 201)

    def _known(self, of: ObjectType, number: int) -> Kind:
        kind = self.portal.kinds.get(number)
        if kind is None or kind.of != of.name:
            raise RefusedError(f"association type {number} does not go from {of.prefix}")
        return kind

    def _finished(self, ask: Ask, results: Any, errors: Any, status: int = 200) -> Reply:
        now = iso(self.store.clock())
        told: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        if not errors:
            return Reply.of(told, status)
        return Reply.of(told | {"numErrors": len(errors), "errors": errors}, status if ask.dated else 207)


def _inputs(ask: Ask, most: int, known: set[str]) -> Sequence[Mapping[str, Any]]:
    inputs = ask.object(("inputs",)).get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(each, dict) and set(each) <= known for each in inputs):
        raise misshapen(f"inputs is no list of objects with {', '.join(sorted(known))}")
    if len(inputs) > most:
        raise RefusedError(
            f"The maximum number of inputs supported in a batch request is {most}. Received {len(inputs)}."
        )
    return inputs


def _shown(to_id: str, links: Sequence[Link], ask: Ask) -> dict[str, Any]:
    types = [{"category": one.kind.category, "typeId": one.kind.type_id, "label": one.kind.label} for one in links]
    return {"toObjectId": to_id if ask.dated else int(to_id), "associationTypes": types}


def _kind(kind: Kind) -> dict[str, Any]:
    return {"category": kind.category, "typeId": kind.type_id, "label": kind.label}


def _made(kind: Kind, from_id: str, to_id: str) -> dict[str, Any]:
    spec = {"associationCategory": kind.category, "associationTypeId": kind.type_id}
    return {"from": {"id": from_id}, "to": {"id": to_id}, "associationSpec": spec}


def _nothing(of: ObjectType, to: ObjectType, record_id: str) -> dict[str, Any]:
    context = {"fromObjectId": [record_id], "fromObjectType": [of.singular], "toObjectType": [to.singular]}
    told = RefusedError(
        f"No {to.singular} is associated with {of.singular} {record_id}.", "OBJECT_NOT_FOUND", context=context
    )
    return told.item() | {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}
