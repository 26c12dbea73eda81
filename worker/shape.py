"""Checks a document against the models of `worker.schema`, and says what is wrong in our own words."""

from __future__ import annotations

import copy
from functools import cache

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from worker.documents import Document, Fault, FaultyDocumentError, nearest
from worker.parsed import KeyPath
from worker.schema import PolicyFile

_ROUNDS = 8
_STAND_IN: dict[str, object] = {"connectors": {"embedded": {}}}
_WORDS = {
    "string_type": "expected a text; put it in quotes if it looks like a number",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "list_type": "expected a list, such as [a, b]",
    "dict_type": "expected keys with values",
    "model_type": "expected keys with values",
    "too_short": "needs at least one entry",
    "string_too_short": "must not be empty",
    "missing": "is missing",
}


def shaped(document: Document, faults: list[Fault]) -> PolicyFile:
    """The file as models. Its faults are added to `faults`, and what is wrong is left out so that the rest is checked.

    FaultyDocumentError when nothing can be made of it.
    """
    value = copy.deepcopy(document.value) if document.value is not None else {}
    for _ in range(_ROUNDS):
        try:
            return PolicyFile.model_validate(value)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            faults += [_fault(document, detail) for detail in details]
            if not isinstance(value, dict):
                break
            for detail in details:
                _leave_out(value, detail)
            value.update({key: stand_in for key, stand_in in _STAND_IN.items() if not value.get(key)})
    raise FaultyDocumentError(faults)


def _fault(document: Document, detail: ErrorDetails) -> Fault:
    path, at_key = _path(detail)
    if detail["type"] == "extra_forbidden":
        return document.fault(path, f"unknown key; {nearest(str(path[-1]), _known(path[:-1]))}", key=True)
    return document.fault(path, _message(detail, at_key=at_key), key=at_key)


def _message(detail: ErrorDetails, *, at_key: bool) -> str:
    if at_key:
        return f"this name does not fit: it must match {detail.get('ctx', {}).get('pattern', 'the form in the README')}"
    if detail["type"] == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    return _WORDS.get(detail["type"], detail["msg"].replace("Input should", "should"))


def _path(detail: ErrorDetails) -> tuple[KeyPath, bool]:
    path = detail["loc"]
    return (path[:-1], True) if path and path[-1] == "[key]" else (path, False)


def _leave_out(value: dict[str, object], detail: ErrorDetails) -> None:
    path, _ = _path(detail)
    path = path[:-1] if detail["type"] == "missing" else path
    holder: object = value
    for step in path[:-1]:
        if isinstance(holder, dict):
            holder = holder.get(step)
        elif isinstance(holder, list):  # a list without one of its members would shift the others: leave it out whole
            break
    if path and isinstance(holder, dict):
        holder.pop(path[-1], None)
    elif isinstance(holder, list):
        holder.clear()


@cache
def _schema() -> dict[str, object]:
    return PolicyFile.model_json_schema()


def _known(path: KeyPath) -> tuple[str, ...]:
    """The keys that may stand at `path`."""
    node: object = _schema()
    for step in path:
        node = _resolved(_child(_resolved(node), step))
    properties = node.get("properties") if isinstance(node, dict) else None
    return tuple(properties) if isinstance(properties, dict) else ()


def _child(node: dict[str, object], step: str | int) -> object:
    for place in (node.get("properties"), node.get("patternProperties")):
        if isinstance(place, dict):
            if step in place:
                return place[step]
            if place is node.get("patternProperties"):
                return next(iter(place.values()), {})
    return node.get("additionalProperties")


def _resolved(node: object) -> dict[str, object]:
    for _ in range(5):
        if not isinstance(node, dict):
            return {}
        choices = node.get("anyOf")
        if isinstance(choices, list):
            node = next((choice for choice in choices if isinstance(choice, dict) and "$ref" in choice), {})
        elif isinstance(node.get("$ref"), str):
            definitions = _schema().get("$defs")
            node = definitions.get(str(node["$ref"]).rpartition("/")[2]) if isinstance(definitions, dict) else {}
        else:
            return node
    return {}
