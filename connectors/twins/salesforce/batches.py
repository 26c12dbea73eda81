"""composite/sobjects: up to 200 records in one call, each with its own result, in the order given.

Source: "sObject Collections" of the REST API Developer Guide: 200 with HTTP 200 even when all fail; `allOrNone` undoes
the rest; at most ten chunks of one type each; upsert by one external id of one type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from connectors.twins.salesforce.asking import Answer, Ask
from connectors.twins.salesforce.errors import RefusedError, malformed, not_found
from connectors.twins.salesforce.rows import Rows
from connectors.twins.salesforce.schema import SObject
from connectors.twins.salesforce.store import Store, Undo
from connectors.twins.salesforce.writing import Writer

MOST = 200
CHUNKS = 10
_ROLLED_BACK = RefusedError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
    [],
)
Record = Mapping[str, Any]
Result = dict[str, Any]


class Collections:
    """Answers below /composite/sobjects."""

    def __init__(self, store: Store, rows: Rows, writer: Writer) -> None:
        self.store, self.rows, self.writer = store, rows, writer

    def answer(self, ask: Ask) -> Answer:
        """Do one request. Raises RefusedError."""
        match (ask.method, ask.parts[2:]):
            case ("POST", ()):
                return self._each(ask, self._create)
            case ("PATCH", ()):
                return self._each(ask, self._update)
            case ("PATCH", (name, key_name)):
                return self._upsert(ask, name, key_name)
            case ("DELETE", ()):
                return self._delete(ask)
            case ("GET", (name,)):
                ids = [each for each in ask.one("ids").split(",") if each]
                return self._read(ask, name, ids, ask.names)
            case ("POST", (name,)):
                body = ask.record()
                return self._read(ask, name, body.get("ids", []), body.get("fields", []))
        raise not_found()

    def _each(self, ask: Ask, write: Callable[[SObject, Record], Result]) -> Answer:
        records, strict = _records(ask)
        types = [str((each.get("attributes") or {}).get("type", "")) for each in records]
        if len(list(groupby(types))) > CHUNKS:
            raise RefusedError("INVALID_INPUT", f"more than {CHUNKS} chunks of records of one type")
        return self._run(strict, [(each, self._typed(kind, write)) for each, kind in zip(records, types, strict=True)])

    def _typed(self, kind: str, write: Callable[[SObject, Record], Result]) -> Callable[[Record], Result]:
        def one(record: Record) -> Result:
            if not kind:
                raise RefusedError("INVALID_INPUT", "attributes.type is missing", [])
            return write(self._object(kind), record)

        return one

    def _object(self, name: str) -> SObject:
        of = self.rows.org.object(name)
        if of is None:
            raise RefusedError("INVALID_TYPE", f"sObject type '{name}' is not supported.", [])
        return of

    def _upsert(self, ask: Ask, name: str, key_name: str) -> Answer:
        records, strict = _records(ask)
        of = self.rows.object(name)
        key = self.rows.key(of, key_name)
        values = [str(_given(each, key.name)) for each in records]

        def one(record: Record) -> Result:
            value = _given(record, key.name)
            if value is None:
                raise RefusedError("MISSING_ARGUMENT", f"{key.name} not specified", [])
            if values.count(str(value)) > 1:
                raise RefusedError("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", [key.name])
            rest = {each: given for each, given in record.items() if each.lower() != key.name.lower()}
            made, created = self.writer.upsert(of, key, str(value), rest)
            return {"id": made, "success": True, "errors": [], "created": created}

        return self._run(strict, [(each, one) for each in records])

    def _create(self, of: SObject, record: Record) -> Result:
        if _given(record, "Id") is not None:
            raise RefusedError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ["Id"])
        return {"id": self.writer.create(of, record), "success": True, "errors": []}

    def _update(self, of: SObject, record: Record) -> Result:
        record_id = _given(record, "Id")
        if not record_id:
            raise RefusedError("MISSING_ARGUMENT", "Id not specified in an update call", [])
        rest = {each: value for each, value in record.items() if each.lower() != "id"}
        return {"id": self.writer.update(of, str(record_id), rest), "success": True, "errors": []}

    def _delete(self, ask: Ask) -> Answer:
        ids = [each for each in ask.one("ids").split(",") if each]
        _bounded(ids)

        def one(record: Record) -> Result:
            row = self.store.rows.get(record["Id"])
            if row is None:
                raise RefusedError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [])
            self.writer.delete(row.of, record["Id"])
            return {"id": record["Id"], "success": True, "errors": []}

        return self._run(ask.one("allOrNone") == "true", [({"Id": each}, one) for each in ids])

    def _run(self, strict: bool, writes: Sequence[tuple[Record, Callable[[Record], Result]]]) -> Answer:
        results: list[Result] = []
        try:
            with self.store.trial():
                results = [_tried(record, write) for record, write in writes]
                if strict and not all(each["success"] for each in results):
                    raise Undo
        except Undo:
            pass
        if strict and not all(each["success"] for each in results):
            results = [_rolled_back(each) if each["success"] else each for each in results]
        return Answer(value=results)

    def _read(self, ask: Ask, name: str, ids: Sequence[str], fields: list[str]) -> Answer:
        of = self.rows.object(name)
        if not fields:
            raise RefusedError("MISSING_ARGUMENT", "fields is missing")
        found = []
        for each in ids:
            row = self.store.get(each)
            there = row is not None and not row["isdeleted"] and self.store.rows[each].of is of
            found.append(self.rows.shown(of, row, fields, ask.version) if there and row is not None else None)
        return Answer(value=found)


def _records(ask: Ask) -> tuple[list[Record], bool]:
    body = ask.record()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise malformed("The request body has no list of records at [line:1, column:1]")
    unknown = set(body) - {"records", "allOrNone"}
    if unknown:
        raise malformed(f'Unrecognized field "{min(unknown)}" at [line:1, column:2]')
    _bounded(records)
    return records, body.get("allOrNone", False) is True


def _bounded(given: Sequence[Any]) -> None:
    if len(given) > MOST:
        told = f"record limit reached. cannot submit more than {MOST} records into this call"
        raise RefusedError("EXCEEDED_ID_LIMIT", told)


def _tried(record: Record, write: Callable[[Record], Result]) -> Result:
    try:
        return write(record)
    except RefusedError as error:
        return _failed(error)


def _failed(error: RefusedError) -> Result:
    return {"success": False, "errors": [error.item()]}


def _rolled_back(result: Result) -> Result:
    return {"id": result["id"], **_failed(_ROLLED_BACK)}


def _given(record: Record, name: str) -> Any:
    return next((value for each, value in record.items() if each.lower() == name.lower()), None)
