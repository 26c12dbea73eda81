"""Properties and their groups: read, made, changed.

Source: "Properties" of HubSpot's API guides: type and fieldType go together, the group must be there, a name is taken
once (409), uniqueness is settable at creation only and ten times an object, options carry displayOrder in dated
versions; activities are not among the objects whose properties may be unique.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.twins.hubspot.asking import Ask
from connectors.twins.hubspot.errors import RefusedError, misshapen, not_found
from connectors.twins.hubspot.objects import Objects
from connectors.twins.hubspot.schema import FIELD_TYPES, ObjectType, Portal, Property
from connectors.twins.web import Reply

UNIQUE = 10
_KNOWN = (
    *("name", "label", "type", "fieldType", "groupName", "description", "options", "displayOrder", "hasUniqueValue"),
    *("hidden", "formField", "externalOptions", "referencedObjectType", "calculationFormula", "dataSensitivity"),
)


class Properties:
    """Answers below /properties."""

    def __init__(self, portal: Portal, objects: Objects) -> None:
        self.portal, self.objects = portal, objects

    def answer(self, ask: Ask) -> Reply:
        """Do one request. Raises RefusedError."""
        if not ask.parts:
            raise not_found()
        of = self.objects.type(ask.parts[0])
        match (ask.method, ask.parts[1:]):
            case (_, ()):
                return self._all(of, ask)
            case (_, ("groups", *rest)):
                return self._groups(of, rest, ask)
            case ("POST", ("batch", name)):
                return self._batch(of, name, ask)
            case (_, (name,)):
                return self._one(self._found(of, name), ask)
        raise not_found()

    def _all(self, of: ObjectType, ask: Ask) -> Reply:
        if ask.method == "POST":
            return Reply.of(told(self._make(of, ask.object(_KNOWN), ask)), 201)
        return Reply.of({"results": [told(each) for each in of.properties.values() if not each.archived]})

    def _one(self, known: Property, ask: Ask) -> Reply:
        if ask.method == "DELETE":
            known.archived = True
            return Reply(204)
        return Reply.of(told(self._change(known, ask) if ask.method == "PATCH" else known))

    def _found(self, of: ObjectType, name: str) -> Property:
        known = of.properties.get(name)
        if known is None or known.archived:
            raise not_found(f'Property "{name}" does not exist')
        return known

    def _make(self, of: ObjectType, body: Mapping[str, Any], ask: Ask) -> Property:
        name = body.get("name")
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise RefusedError(f"Property name {name!r} is invalid: small letters, digits and underscores")
        if name in of.properties and not of.properties[name].archived:
            raise RefusedError(f"Property named '{name}' already exists.", "OBJECT_ALREADY_EXISTS", 409)
        made = _read(body, ask)
        if made.group not in of.groups:
            raise RefusedError(f"Property group {made.group!r} does not exist")
        if made.unique:
            self._unique(of)
        of.properties[name] = made
        return made

    def _unique(self, of: ObjectType) -> None:
        if of.activity and not self.portal.unique_notes:
            raise RefusedError(f"hasUniqueValue is not supported for {of.prefix}")
        custom = [each for each in of.properties.values() if each.unique and not each.defined_by_hubspot]
        if len(custom) >= UNIQUE:
            raise RefusedError(f"{of.prefix} has {UNIQUE} unique properties; there can be no more")

    def _change(self, known: Property, ask: Ask) -> Property:
        body = ask.object(_KNOWN)
        if "hasUniqueValue" in body and body["hasUniqueValue"] != known.unique:
            raise RefusedError("hasUniqueValue can only be set when a property is created")
        pair = (body.get("type", known.type), body.get("fieldType", known.field_type))
        _paired(*pair)
        known.type, known.field_type = pair
        known.label = body.get("label", known.label)
        known.options = _options(body, ask) if "options" in body else known.options
        return known

    def _batch(self, of: ObjectType, name: str, ask: Ask) -> Reply:
        inputs = ask.object(("inputs", "archived")).get("inputs")
        if not isinstance(inputs, list) or name not in ("create", "read"):
            raise misshapen("inputs is missing or no list")
        if name == "read":
            found = [told(of.properties[each["name"]]) for each in inputs if each["name"] in of.properties]
            return Reply.of({"status": "COMPLETE", "results": found})
        for each in inputs:
            if unknown := set(each) - set(_KNOWN):
                raise misshapen(f'Unrecognized field "{min(unknown)}"')
        before = dict(of.properties)
        try:
            made = [self._make(of, each, ask) for each in inputs]
        except RefusedError:
            of.properties = before
            raise
        return Reply.of({"status": "COMPLETE", "results": [told(each) for each in made]}, 201)

    def _groups(self, of: ObjectType, rest: list[str], ask: Ask) -> Reply:
        if ask.method == "GET" and not rest:
            return Reply.of({"results": [_group(name, label) for name, label in of.groups.items()]})
        if ask.method == "GET" and rest[0] in of.groups:
            return Reply.of(_group(rest[0], of.groups[rest[0]]))
        if ask.method != "POST":
            raise not_found()
        body = ask.object(("name", "label", "displayOrder"))
        if body["name"] in of.groups:
            raise RefusedError(f"Property group named '{body['name']}' already exists.", "OBJECT_ALREADY_EXISTS", 409)
        of.groups[body["name"]] = body.get("label", "")
        return Reply.of(_group(body["name"], body.get("label", "")), 201)


def told(known: Property) -> dict[str, Any]:
    """A property as JSON."""
    return {
        "name": known.name,
        "label": known.label or known.name,
        "type": known.type,
        "fieldType": known.field_type,
        "description": known.description,
        "groupName": known.group,
        "options": known.options,
        "displayOrder": -1,
        "calculated": known.computed,
        "externalOptions": known.owner,
        **({"referencedObjectType": "OWNER"} if known.owner else {}),
        "archived": known.archived,
        "hasUniqueValue": known.unique,
        "hidden": False,
        "hubspotDefined": known.defined_by_hubspot,
        "modificationMetadata": {
            "archivable": not known.defined_by_hubspot,
            "readOnlyDefinition": known.defined_by_hubspot,
            "readOnlyOptions": known.defined_by_hubspot,
            "readOnlyValue": known.read_only or known.computed,
        },
        "formField": True,
    }


def _read(body: Mapping[str, Any], ask: Ask) -> Property:
    kind, field_type = str(body.get("type")), str(body.get("fieldType"))
    _paired(kind, field_type)
    if not body.get("label"):
        raise RefusedError("label must not be empty")
    owner = body.get("referencedObjectType") == "OWNER" and body.get("externalOptions") is True
    made = Property(body["name"], kind, field_type, body["label"], str(body.get("groupName")), defined_by_hubspot=False)
    made.options = _options(body, ask)
    made.unique, made.owner, made.description = body.get("hasUniqueValue") is True, owner, body.get("description", "")
    if kind == "bool" and sorted(made.values) != ["false", "true"]:
        raise RefusedError("Properties of type bool need the options true and false")
    if kind == "enumeration" and not made.options and not owner:
        raise RefusedError("Properties of type enumeration need options")
    return made


def _paired(kind: str, field_type: str) -> None:
    if field_type not in FIELD_TYPES.get(kind, frozenset()):
        raise RefusedError(f"{field_type} is not a valid fieldType for type {kind}")


def _options(body: Mapping[str, Any], ask: Ask) -> list[dict[str, Any]]:
    options = body.get("options") or []
    needed = {"label", "value"} | ({"displayOrder"} if ask.dated else set())
    for each in options:
        missing = needed - set(each)
        if missing:
            raise misshapen(f"an option lacks {', '.join(sorted(missing))}")
    return [dict(each) for each in options]


def _group(name: str, label: str) -> dict[str, Any]:
    return {"name": name, "label": label or name, "displayOrder": -1, "archived": False}
