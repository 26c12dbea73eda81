"""The struct into which a kind of record is decoded: the core's field names, under the CRM's own."""

from __future__ import annotations

import msgspec

from connectors.base import Row
from worker.core.model import RecordKind
from worker.mapping_file import KindMap


def names_used(each: KindMap) -> list[tuple[str, str]]:
    """Core names with the CRM fields that they need, currencies and extras included."""
    used = [(name, spec.field) for name, spec in each.fields.items()]
    used += [(f"{name}_currency", spec.currency_field) for name, spec in each.fields.items() if spec.currency_field]
    return used + [(f"extra_{name}", target) for name, target in each.extra.items()]


def shape_of(kind: RecordKind, each: KindMap) -> type[Row]:
    """A struct whose fields carry the CRM's names: only those of the record itself must be there."""
    names = {"record_id": each.id_field, "modified_at": each.modified_field, "deleted": each.deleted_field}
    fields: list[tuple[str, object, object]] = [
        ("record_id", str, msgspec.field(name=names["record_id"])),
        ("modified_at", str, msgspec.field(name=names["modified_at"])),
        ("deleted", bool, msgspec.field(name=names["deleted"], default=False)),
    ]
    fields += [(core, object, msgspec.field(name=name, default=None)) for core, name in names_used(each)]
    made = msgspec.defstruct(
        f"{kind.value.title()}Row", fields, bases=(Row,), frozen=True, kw_only=True, omit_defaults=True
    )
    assert issubclass(made, Row)
    return made
