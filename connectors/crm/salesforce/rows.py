"""Answers into rows: a page is decoded in one step with msgspec, parents' fields put where the shape wants them.

Salesforce nests what a dotted field asks for: `Owner.Manager.Name` comes as {"Owner": {"Manager": {"Name": ...}}}. The
shape has it flat, so the parents are decoded in a step of their own and their fields set on the new rows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Generic

import msgspec
from msgspec.structs import force_setattr

from connectors.base import BadRow, R
from connectors.crm.salesforce.ids import eighteen

_REFERENCE = "account_id"
_UNREADABLE = (msgspec.DecodeError, msgspec.ValidationError, UnicodeError, RecursionError)
_Tree = dict[str, "Any"]


class RowDecoder(Generic[R]):
    """Turns records with `fields` (the CRM's names, dotted where they are a parent's) into rows of one shape."""

    def __init__(self, shape: type[R], fields: Sequence[str]) -> None:
        names = dict(zip(shape.__struct_encode_fields__, shape.__struct_fields__, strict=True))
        self._leaves: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        for each in fields:
            *way, leaf = each.split(".")
            if way:
                self._leaves.setdefault(tuple(way), []).append((names[each], leaf))
        parents = msgspec.defstruct("Parents", _branches(_tree(fields)), kw_only=True, gc=False)
        self._refers = _REFERENCE in shape.__struct_fields__
        self._page = msgspec.json.Decoder(list[shape], float_hook=Decimal)  # type: ignore[valid-type]
        self._parents = msgspec.json.Decoder(list[parents], float_hook=Decimal)  # type: ignore[valid-type]
        self._raw = msgspec.json.Decoder(list[msgspec.Raw])

    def page(self, records: bytes | msgspec.Raw) -> tuple[list[R], list[BadRow]]:
        """The records of a page; one by one only when they cannot be decoded together, to tell good from bad."""
        try:
            return self._rows(records), []
        except _UNREADABLE:
            return self._one_by_one(records)

    def _rows(self, records: bytes | msgspec.Raw) -> list[R]:
        rows = self._page.decode(records)
        if self._leaves:
            for row, parents in zip(rows, self._parents.decode(records), strict=True):
                self._fill(row, parents)
        if self._refers:
            for row in rows:
                _lengthen(row)
        return rows

    def _fill(self, row: R, parents: msgspec.Struct) -> None:
        """Rows are frozen; this one was made just now and nobody has seen it yet."""
        for way, leaves in self._leaves.items():
            parent: object = parents
            for step in way:
                parent = getattr(parent, step, None)
            if parent is not None:
                for name, leaf in leaves:
                    force_setattr(row, name, getattr(parent, leaf))

    def _one_by_one(self, records: bytes | msgspec.Raw) -> tuple[list[R], list[BadRow]]:
        good: list[R] = []
        bad: list[BadRow] = []
        for record in self._raw.decode(records):
            body = bytes(record)
            try:
                good += self._rows(b"[" + body + b"]")
            except _UNREADABLE as error:
                bad.append(BadRow(_id_in(body), f"not a record: {error}", body[:2000].decode("utf-8", "replace")))
        return good, bad


def _lengthen(row: R) -> None:
    """A text field may hold the short form of an id; it is the same account."""
    reference = getattr(row, _REFERENCE)
    if isinstance(reference, str) and len(reference) == 15:
        force_setattr(row, _REFERENCE, eighteen(reference))


def _tree(fields: Sequence[str]) -> _Tree:
    tree: _Tree = {}
    for path in fields:
        node = tree
        for step in path.split(".") if "." in path else ():
            node = node.setdefault(step, {})
    return tree


def _branches(tree: _Tree) -> list[Any]:
    """Struct fields for a tree of names: a leaf holds anything, a branch a struct of its own or null."""
    made: list[Any] = []
    for name, below in tree.items():
        kind = msgspec.defstruct(name, _branches(below), kw_only=True, gc=False) | None if below else object
        made.append((name, kind, msgspec.field(name=name, default=None)))
    return made


class _Identified(msgspec.Struct, frozen=True):
    record_id: str = msgspec.field(name="Id", default="")


_IDENTIFIED = msgspec.json.Decoder(_Identified)


def _id_in(body: bytes) -> str:
    try:
        return _IDENTIFIED.decode(body).record_id  # passes over what cannot be decoded
    except _UNREADABLE:
        return ""


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
        row = self._shape(**values)
        if _REFERENCE in values:
            _lengthen(row)
        return row


def _reader(kind: str) -> Callable[[str], object]:
    if kind == "boolean":
        return _truth
    return Decimal if kind in _NUMBERS else str


def _truth(cell: str) -> bool:
    if cell not in ("true", "false"):
        raise ValueError(f"{cell!r} is neither true nor false")
    return cell == "true"
