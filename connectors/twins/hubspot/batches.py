"""batch/read, create, update, upsert and archive: up to 100 inputs in one call.

Sources: "Batch" pages of each object, "Multi-status errors" of "Error handling", and the changelog on
objectWriteTraceId: without it in each input one bad input fails all; with it the good ones are written. Ids that are
not there are told apart in any case; the same id twice fails all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.twins.hubspot.asking import Ask
from connectors.twins.hubspot.errors import RefusedError, misshapen, not_found
from connectors.twins.hubspot.objects import Objects
from connectors.twins.hubspot.schema import ObjectType
from connectors.twins.hubspot.store import Store
from connectors.twins.hubspot.values import iso
from connectors.twins.web import Reply

MOST = 100
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "create": ("properties", "associations", "objectWriteTraceId"),
    "update": ("id", "idProperty", "properties", "objectWriteTraceId"),
    "upsert": ("id", "idProperty", "properties", "objectWriteTraceId"),
    "archive": ("id",),
    "read": ("id",),
}
Input = Mapping[str, Any]
Told = dict[str, Any]


class Batches:
    """Answers below /objects/{type}/batch."""

    def __init__(self, store: Store, objects: Objects) -> None:
        self.store, self.objects = store, objects

    def answer(self, of: ObjectType, name: str, ask: Ask) -> Reply:
        """Do one request. Raises RefusedError."""
        if ask.method != "POST" or name not in _FIELDS:
            raise not_found()
        if name == "read":
            return self._read(of, ask)
        inputs = self._inputs(ask.object(("inputs",)), name)
        does = {"create": self._create, "update": self._update, "upsert": self._upsert, "archive": self._archive}[name]
        if name != "create":
            _distinct(inputs)
        return self._run(ask, inputs, lambda each: does(of, each, ask), created=name == "create")

    def _run(self, ask: Ask, inputs: Sequence[Input], write: Callable[[Input], Told], *, created: bool) -> Reply:
        traces = [each.get("objectWriteTraceId") for each in inputs]
        partly = all(traces) and len(set(traces)) == len(traces)
        results: list[Told] = []
        errors: list[Told] = []
        with self.store.trial():
            for each in inputs:
                try:
                    with self.store.trial():
                        results.append(write(each))
                except RefusedError as error:
                    if not partly and error.status != 404:
                        raise
                    errors.append(_failed(error, each))
        return self._finished(ask, results, errors, 201 if created else 200)

    def _create(self, of: ObjectType, each: Input, ask: Ask) -> Told:
        return self.objects.shown(self.objects.create(of, each, ask), None) | _trace(each)

    def _update(self, of: ObjectType, each: Input, ask: Ask) -> Told:
        record = self.objects.found(of, str(each["id"]), str(each.get("idProperty") or ""))
        self.objects.update(record, each, ask)
        return self.objects.shown(record, None) | _trace(each)

    def _upsert(self, of: ObjectType, each: Input, ask: Ask) -> Told:
        by, value = each.get("idProperty"), str(each["id"])
        if not by:
            raise misshapen("idProperty is missing: an upsert goes by a unique property")
        self.objects.unique(of, by)
        record = self.store.with_value(of, by, value)
        if record is not None:
            self.objects.update(record, each, ask)
            return self.objects.shown(record, None) | {"new": False} | _trace(each)
        properties = {by: value, **(each.get("properties") or {})}
        made = self.objects.create(of, {"properties": properties}, ask)
        return self.objects.shown(made, None) | {"new": True} | _trace(each)

    def _archive(self, of: ObjectType, each: Input, _: Ask) -> Told:
        record = self.objects.found(of, str(each["id"]))
        self.store.archive(record)
        return {"id": record.record_id}

    def _read(self, of: ObjectType, ask: Ask) -> Reply:
        body = ask.object(("inputs", "properties", "propertiesWithHistory", "idProperty"))
        inputs = self._inputs(body, "read")
        _distinct(inputs)
        results: list[Told] = []
        missing: list[str] = []
        for each in inputs:
            try:
                record = self.objects.found(of, str(each["id"]), body.get("idProperty") or "")
            except RefusedError as error:
                if error.status != 404:
                    raise
                missing.append(str(each["id"]))
                continue
            version = record.seen(self.store.clock())
            results.append(self.objects.shown(record, body.get("properties") or [], version))
        return self._finished(ask, results, [_absent(of, missing)] if missing else [], 200)

    def _inputs(self, body: Mapping[str, Any], name: str) -> Sequence[Input]:
        inputs = body.get("inputs")
        if not isinstance(inputs, list) or not all(isinstance(each, dict) for each in inputs):
            raise misshapen("inputs is missing or no list of objects")
        if len(inputs) > MOST:
            told = f"The maximum number of inputs supported in a batch request is {MOST}. Received {len(inputs)}."
            raise RefusedError(told)
        for each in inputs:
            unknown = set(each) - set(_FIELDS[name])
            if unknown or (name != "create" and not each.get("id")):
                raise misshapen(
                    f"an input of {name} has {', '.join(sorted(each))}; it takes {', '.join(_FIELDS[name])}"
                )
        return inputs

    def _finished(self, ask: Ask, results: list[Told], errors: list[Told], status: int) -> Reply:
        now = iso(self.store.clock())
        told: Told = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        if not errors:
            return Reply.of(told, status)
        more = {"numErrors": len(errors), "errors": errors}
        return Reply.of(told | more, status if ask.dated else 207)


def _distinct(inputs: Sequence[Input]) -> None:
    ids = [str(each["id"]) for each in inputs]
    twice = sorted({each for each in ids if ids.count(each) > 1})
    if twice:
        told = f"Duplicate IDs found in batch input: [{', '.join(twice)}]. IDs must be unique"
        raise RefusedError(told, context={"ids": twice})


def _failed(error: RefusedError, each: Input) -> Told:
    trace = {"objectWriteTraceId": [each["objectWriteTraceId"]]} if each.get("objectWriteTraceId") else {}
    ids = {"ids": [str(each["id"])]} if each.get("id") else {}
    return error.item({**trace, **ids})


def _absent(of: ObjectType, ids: Sequence[str]) -> Told:
    told = f"Could not get some {of.prefix} objects, they may be deleted or not exist. Check that ids are valid."
    return RefusedError(told, "OBJECT_NOT_FOUND", 404, context={"ids": ids}).item()


def _trace(each: Input) -> Told:
    return {"objectWriteTraceId": each["objectWriteTraceId"]} if each.get("objectWriteTraceId") else {}
