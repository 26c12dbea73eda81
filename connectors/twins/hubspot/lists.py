"""Lists (segments): made by a filter, found by name.

Source: "Lists" and "List filters overview" of HubSpot's API guides: names are unique; the root branch is OR, below it
stand AND branches with the filters; a search asks for listIds and processingTypes in dated versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.twins.hubspot.asking import Ask
from connectors.twins.hubspot.errors import RefusedError, misshapen, not_found
from connectors.twins.hubspot.objects import Objects
from connectors.twins.web import Reply

_KNOWN = (
    "name",
    "objectTypeId",
    "processingType",
    "filterBranch",
    "listFolderId",
    "customProperties",
    "membershipSettings",
)
_SEARCH = ("query", "listIds", "processingTypes", "additionalProperties", "offset", "count", "objectTypeId", "sort")


class Lists:
    """Answers below /lists. `known` holds what there is."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.known: list[dict[str, Any]] = []

    def answer(self, ask: Ask) -> Reply:
        """Do one request. Raises RefusedError."""
        match (ask.method, ask.parts):
            case ("POST", ()):
                return Reply.of({"list": self._make(ask.object(_KNOWN))})
            case ("POST", ("search",)):
                return self._search(ask)
            case ("GET", ("object-type-id", type_id, "name", name)):
                found = [each for each in self.known if (each["objectTypeId"], each["name"]) == (type_id, name)]
                return self._one(found, ask)
            case ("GET", (list_id,)):
                return self._one([each for each in self.known if each["listId"] == list_id], ask)
        raise not_found()

    def _one(self, found: list[dict[str, Any]], ask: Ask) -> Reply:
        if not found:
            raise not_found("List does not exist")
        hidden = set() if ask.one("includeFilters") == "true" else {"filterBranch"}
        return Reply.of({"list": {name: value for name, value in found[0].items() if name not in hidden}})

    def _make(self, body: Mapping[str, Any]) -> dict[str, Any]:
        name = body.get("name")
        if (
            not name
            or not body.get("objectTypeId")
            or body.get("processingType") not in ("MANUAL", "DYNAMIC", "SNAPSHOT")
        ):
            raise misshapen("a list needs name, objectTypeId and processingType")
        self.objects.type(str(body["objectTypeId"]))
        if any(each["name"].lower() == str(name).lower() for each in self.known):
            raise RefusedError(f"List name must be unique: a list named {name!r} exists already")
        if body["processingType"] != "MANUAL":
            self._filtered(str(body["objectTypeId"]), body.get("filterBranch"))
        made = {"listId": str(len(self.known) + 1), "listVersion": 1, "processingStatus": "COMPLETE", **body}
        self.known.append(made)
        return made

    def _filtered(self, type_id: str, branch: Any) -> None:
        if not isinstance(branch, dict) or branch.get("filterBranchType") != "OR" or branch.get("filters"):
            raise RefusedError("The root filter branch must be of type OR and have no filters of its own")
        for inner in branch.get("filterBranches") or []:
            if inner.get("filterBranchType") != "AND":
                raise RefusedError("Below the root stand branches of type AND")
            for each in inner.get("filters") or []:
                if each.get("filterType") != "PROPERTY" or not isinstance(each.get("operation"), dict):
                    raise RefusedError("This rehearsal knows filters of type PROPERTY with an operation")
                if each.get("property") not in self.objects.type(type_id).properties:
                    raise RefusedError(f"Property {each.get('property')} does not exist")

    def _search(self, ask: Ask) -> Reply:
        body = ask.object(_SEARCH)
        if ask.dated and not {"listIds", "processingTypes"} <= set(body):
            raise misshapen("listIds and processingTypes are required")
        wanted = str(body.get("query") or "").lower()
        found = [each for each in self.known if wanted in each["name"].lower()]
        start, count = int(body.get("offset") or 0), int(body.get("count") or 20)
        page = found[start : start + count]
        more = start + count < len(found)
        return Reply.of({"lists": page, "hasMore": more, "offset": start + len(page), "total": len(found)})
