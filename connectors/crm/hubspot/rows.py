"""HubSpot's records as the mapping's rows: properties, with what they refer to merged in under dotted names.

`hubspot_owner_id.name`, `.email` and `.active` are of the owner that any property names;
`hs_pipeline_stage.ticketState` is of the stage's definition; `associations.company` is the id of the primary company,
and `associations.contact.jobtitle` a property of the primary contact. `merged_into` is the id under which HubSpot
answers for a record that was merged away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import msgspec

from connectors.base import BadRow, R

MERGED_INTO = "merged_into"
"""The name under which a mapping finds the id of the record that one was merged into; no property of HubSpot's."""

_ASSOCIATIONS = "associations"
_STAGE = "hs_pipeline_stage"
_OWNER_PARTS = frozenset({"name", "email", "active"})
_KEPT = 2000


class Record(msgspec.Struct, frozen=True, rename="camel"):
    """One record as HubSpot sends it."""

    id: str
    properties: dict[str, str | None]
    updated_at: str | None = None
    archived: bool = False


class _Named(msgspec.Struct, frozen=True):
    id: str = ""


_record = msgspec.json.Decoder(Record)
_named = msgspec.json.Decoder(_Named)


@dataclass(frozen=True, slots=True)
class Reference:
    """A dotted name: `part` of what `source` (a property, or an object type) refers to."""

    name: str
    source: str
    part: str


@dataclass(frozen=True, slots=True)
class Wanted(Generic[R]):
    """What a shape needs of HubSpot."""

    shape: type[R]
    id_name: str
    modified_name: str
    deleted_name: str
    properties: tuple[str, ...]
    owners: tuple[Reference, ...]
    stages: tuple[Reference, ...]
    links: tuple[Reference, ...]

    @property
    def targets(self) -> Mapping[str, Sequence[str]]:
        """The object types that records are looked up in, with the properties that are needed of each."""
        found: dict[str, list[str]] = {}
        for each in self.links:
            found.setdefault(each.source, []).extend([each.part] if each.part else [])
        return found

    def row(self, values: Mapping[str, object]) -> R:
        """One row. Raises msgspec.ValidationError for values that do not fit."""
        return msgspec.convert(values, self.shape)


def wanted(shape: type[R]) -> Wanted[R]:
    """Sort the names of a shape by where their values come from."""
    names = dict(zip(shape.__struct_fields__, shape.__struct_encode_fields__, strict=True))
    identity, modified, deleted = (names.pop(name) for name in ("record_id", "modified_at", "deleted"))
    dotted = [_reference(name) for name in names.values() if "." in name]
    plain = [name for name in names.values() if "." not in name]
    bases = [each.source for each in dotted if not _is_link(each)]
    return Wanted(
        shape,
        identity,
        modified,
        deleted,
        tuple(dict.fromkeys((identity, modified, *plain, *bases))),
        tuple(each for each in dotted if each.part in _OWNER_PARTS and each.source != _STAGE and not _is_link(each)),
        tuple(each for each in dotted if each.source == _STAGE),
        tuple(each for each in dotted if _is_link(each)),
    )


def _is_link(reference: Reference) -> bool:
    return reference.name.startswith(f"{_ASSOCIATIONS}.")


def _reference(name: str) -> Reference:
    first, _, rest = name.partition(".")
    if first != _ASSOCIATIONS:
        return Reference(name, first, rest)
    source, _, part = rest.partition(".")
    return Reference(name, source, part)


def base_of(name: str) -> str:
    """The property that a name of the mapping rests on; empty for associations and what every record has."""
    first = name.partition(".")[0]
    return "" if first in (_ASSOCIATIONS, "archived", MERGED_INTO) else first


def records(raws: Sequence[msgspec.Raw]) -> tuple[list[Record], list[BadRow]]:
    """Each record by itself, so that one bad one is told from the good ones."""
    good: list[Record] = []
    bad: list[BadRow] = []
    for raw in raws:
        try:
            record = _record.decode(raw)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            bad.append(spoilt(raw, f"not a record of HubSpot: {error}"))
            continue
        if record.id.isdecimal():
            good.append(record)
        else:
            bad.append(spoilt(raw, "its id is no number"))
    return good, bad


def spoilt(raw: msgspec.Raw, reason: str) -> BadRow:
    """A record that cannot be read, by its id if at least that can."""
    body = bytes(raw)
    try:
        name = _named.decode(raw).id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        name = ""
    return BadRow(name, reason, body[:_KEPT].decode("utf-8", "replace"))


def merged_ids(record: Record) -> Iterator[str]:
    """The ids of records that were merged into this one."""
    for each in (record.properties.get("hs_merged_object_ids") or "").split(";"):
        if each.strip() and each.strip() != record.id:
            yield each.strip()
