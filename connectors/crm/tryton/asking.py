"""A query as Tryton takes it: which fields, which records, in which order, how many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from connectors.base import Cursor, Value
from connectors.crm.tryton.rest import packed
from connectors.crm.tryton.tagged import said

Domain = list[object]
Parameters = list[tuple[str, str]]


def parameters(fields: Iterable[str], domain: Domain, order: Sequence[str], size: int) -> Parameters:
    """The address's parameters of one page."""
    chosen = [("f", name) for name in fields]
    return [
        *chosen,
        ("d", packed(domain)),
        ("o", packed([[name, "ASC"] for name in order])),
        ("s", str(size)),
    ]


def since(changed: str, cursor: Cursor | None) -> Domain:
    """Everything from a cursor on: all with its stamp when it names no record, else those behind that record."""
    if cursor is None:
        return []
    stamp = said(cursor.stamp)
    if not cursor.record_id:
        return [[changed, ">=", stamp]]
    return ["OR", [[changed, ">", stamp]], [[changed, "=", stamp], ["id", ">", int(cursor.record_id)]]]


def alternatives(where: Sequence[Mapping[str, Sequence[Value]]]) -> Domain:
    """Any of the alternatives, in each of which every field holds one of its values."""
    return ["OR", *([_one_of(name, values) for name, values in each.items()] for each in where)]


def _one_of(name: str, values: Sequence[Value]) -> Domain:
    words = [said(value) for value in values if value is not None]
    if None not in values:
        return [name, "in", words]
    return ["OR", [name, "=", None], [name, "in", words]] if words else [name, "=", None]


def numbered(ids: Iterable[str]) -> list[int]:
    """Ids as Tryton has them; what is no number is no id of Tryton's."""
    return sorted({int(each) for each in ids if each.isascii() and each.isdigit()})
