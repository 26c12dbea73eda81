"""Answers into rows: a page is decoded in one step with msgspec, parents' fields put where the shape wants them.

Salesforce nests what a dotted field asks for: `Owner.Manager.Name` comes as {"Owner": {"Manager": {"Name": ...}}}. The
shape has it flat, so a second struct is made for the wire, once a query.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import Any, Generic

import msgspec

from connectors.base import BadRow, R
from connectors.crm.salesforce.ids import eighteen

_REFERENCES = frozenset({"account_id"})
_UNREADABLE = (msgspec.DecodeError, msgspec.ValidationError, UnicodeError, RecursionError)
_Tree = dict[str, "Any"]


class RowDecoder(Generic[R]):
    """Turns records with `fields` (the CRM's names, dotted where they are a parent's) into rows of one shape."""

    def __init__(self, shape: type[R], fields: Sequence[str]) -> None:
        self._shape = shape
        names = dict(zip(shape.__struct_encode_fields__, shape.__struct_fields__, strict=True))
        self._flat = [(names[each], each) for each in fields if "." not in each]
        self._nested = [(names[each], each.split(".")) for each in fields if "." in each]
        self._names = [name for name, _ in self._flat]
        self._get = attrgetter(*self._names)
        self._wire = _wire_of(self._flat, [path for _, path in self._nested], shape)
        self._page = msgspec.json.Decoder(list[self._wire], float_hook=Decimal)  # type: ignore[name-defined]
        self._one = msgspec.json.Decoder(self._wire, float_hook=Decimal)
        self._raw = msgspec.json.Decoder(list[msgspec.Raw])

    def page(self, records: msgspec.Raw) -> tuple[list[R], list[BadRow]]:
        """The records of a page; one by one only when they cannot be decoded together, to tell good from bad."""
        try:
            return [self._row(each) for each in self._page.decode(records)], []
        except _UNREADABLE:
            return self._one_by_one(records)

    def _one_by_one(self, records: msgspec.Raw) -> tuple[list[R], list[BadRow]]:
        good: list[R] = []
        bad: list[BadRow] = []
        for record in self._raw.decode(records):
            body = bytes(record)
            try:
                good.append(self._row(self._one.decode(body)))
            except _UNREADABLE as error:
                bad.append(BadRow(_id_in(body), f"not a record: {error}", body[:2000].decode("utf-8", "replace")))
        return good, bad

    def _row(self, wire: Any) -> R:
        values = dict(zip(self._names, self._get(wire), strict=True))
        for name, path in self._nested:
            value = wire
            for step in path:
                value = getattr(value, step, None)
            values[name] = value
        for name in _REFERENCES & values.keys():
            if isinstance(values[name], str):
                values[name] = eighteen(values[name])
        return self._shape(**values)


def _wire_of(flat: Sequence[tuple[str, str]], paths: Sequence[Sequence[str]], shape: type[R]) -> type[msgspec.Struct]:
    """The struct that the wire fills: flat fields under the shape's own names, parents under the CRM's."""
    types = {each.name: each.type for each in msgspec.structs.fields(shape)}
    optional: list[Any] = [
        (
            name,
            types[name] if types[name] in (str, bool) else object,
            msgspec.field(name=field, default=_default(types[name])),
        )
        for name, field in flat
        if types[name] is not str
    ]
    needed: list[Any] = [(name, str, msgspec.field(name=field)) for name, field in flat if types[name] is str]
    return msgspec.defstruct("Wire", [*needed, *optional, *_parents(_tree(paths))], kw_only=True, gc=False)


def _default(kind: object) -> object:
    return False if kind is bool else None


def _tree(paths: Sequence[Sequence[str]]) -> _Tree:
    tree: _Tree = {}
    for path in paths:
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    return tree


def _parents(tree: _Tree) -> list[Any]:
    """Struct fields for a tree of names: a leaf holds anything, a branch a struct of its own or null."""
    made: list[Any] = []
    for name, below in tree.items():
        kind = msgspec.defstruct(name, _parents(below), kw_only=True, gc=False) | None if below else object
        made.append((name, kind, msgspec.field(name=name, default=None)))
    return made


def _id_in(body: bytes) -> str:
    try:
        found = msgspec.json.decode(body)
    except _UNREADABLE:
        return ""
    return str(found.get("Id", "")) if isinstance(found, dict) else ""


_NUMBERS = frozenset({"double", "currency", "percent", "int", "long"})


class CsvDecoder(Generic[R]):
    """Turns the CSV of Bulk API 2.0, where all is text and null is empty, into rows. `types`: describe's, by field."""

    def __init__(self, shape: type[R], types: Mapping[str, str]) -> None:
        names = dict(zip(shape.__struct_encode_fields__, shape.__struct_fields__, strict=True))
        self._shape = shape
        self._columns: dict[str, tuple[str, Callable[[str], object]]] = {
            each: (names[each], _reader(kind)) for each, kind in types.items()
        }

    def pages(self, body: bytes, size: int) -> Iterator[tuple[list[R], list[BadRow]]]:
        """The rows of one set of results, `size` at a time."""
        lines = csv.reader(io.StringIO(body.decode("utf-8"), newline=""))
        header = next(lines, [])
        good: list[R] = []
        bad: list[BadRow] = []
        for cells in lines:
            try:
                good.append(self._row(header, cells))
            except (ValueError, InvalidOperation, KeyError) as error:
                record_id = dict(zip(header, cells, strict=False)).get("Id", "")
                bad.append(BadRow(record_id, f"not a record: {error}", ",".join(cells)[:2000]))
            if len(good) + len(bad) >= size:
                yield good, bad
                good, bad = [], []
        if good or bad:
            yield good, bad

    def _row(self, header: Sequence[str], cells: Sequence[str]) -> R:
        values: dict[str, Any] = {}
        for column, cell in zip(header, cells, strict=True):
            name, read = self._columns[column]
            values[name] = read(cell) if cell else (False if name == "deleted" else None)
        if not values.get("record_id") or not values.get("modified_at"):
            raise ValueError("it has no id or no stamp")
        return self._shape(**values)


def _reader(kind: str) -> Callable[[str], object]:
    if kind == "boolean":
        return _truth
    return Decimal if kind in _NUMBERS else str


def _truth(cell: str) -> bool:
    if cell not in ("true", "false"):
        raise ValueError(f"{cell!r} is neither true nor false")
    return cell == "true"
