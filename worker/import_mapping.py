"""How an export is read: which column is which field, what it holds, how its numbers and dates are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from worker.core.money import NumberStyle
from worker.documents import Document, Fault, FaultyDocumentError, nearest, read_document
from worker.parsed import shown
from worker.settings import SHIPPED

_KINDS = ("text", "number", "date", "time", "truth")
_TOP = ("account", "case", "dispute", "numbers", "dates", "zone")
_ANY_DAY = datetime(2027, 11, 24, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Column:
    """One field of the CRM: the columns that may hold it, and what it holds."""

    names: tuple[str, ...]
    kind: str = "text"
    required: bool = False


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """How an export is read. `numbers` None: the style is told from each column, and refused when both fit."""

    objects: Mapping[str, Mapping[str, Column]]
    numbers: NumberStyle | None
    dates: tuple[str, ...]
    zone: ZoneInfo


def load_import_mapping(path: Path) -> ImportMapping:
    """Read a mapping from a path, or by name from the shipped ones. Raises FaultyDocumentError."""
    found = path if path.exists() else SHIPPED / "mappings" / path.name
    document = read_document(found)
    top = document.value
    if not isinstance(top, dict):
        raise FaultyDocumentError([document.fault((), "an import mapping has the keys account, case and dispute")])
    faults: list[Fault] = []
    objects = {
        name: _columns(document, name, spec, faults)
        for name, spec in top.items()
        if name in ("account", "case", "dispute")
    }
    unknown = set(top) - set(_TOP)
    faults.extend(document.fault((name,), f"unknown key; {nearest(name, _TOP)}", key=True) for name in sorted(unknown))
    mapping = ImportMapping(objects, _style(document, faults), _dates(document, faults), _zone(document, faults))
    if faults:
        raise FaultyDocumentError(faults)
    return mapping


def _style(document: Document, faults: list[Fault]) -> NumberStyle | None:
    said = _top(document).get("numbers")
    if said in (None, "detect"):
        return None
    try:
        return NumberStyle(str(said))
    except ValueError:
        known = ", ".join(("detect", *NumberStyle))
        faults.append(document.fault(("numbers",), f"expected one of {known}, not {shown(said)}"))
        return None


def _dates(document: Document, faults: list[Fault]) -> tuple[str, ...]:
    said = _top(document).get("dates", ["%Y-%m-%d"])
    forms = said if isinstance(said, list) else [said]
    for place, form in enumerate(forms):
        if not isinstance(form, str) or not _reads_a_date(form):
            at = ("dates", place) if isinstance(said, list) else ("dates",)
            faults.append(document.fault(at, f"expected a form such as %d/%m/%Y, not {shown(form)}"))
    return tuple(str(form) for form in forms)


def _reads_a_date(form: str) -> bool:
    try:
        written = _ANY_DAY.strftime(form)
        return datetime.strptime(written, form).date() == _ANY_DAY.date()  # noqa: DTZ007  only the day is compared
    except (ValueError, re.error):
        return False


def _zone(document: Document, faults: list[Fault]) -> ZoneInfo:
    said = _top(document).get("zone", "Asia/Jakarta")
    try:
        return ZoneInfo(str(said))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        faults.append(document.fault(("zone",), f"expected a time zone such as Asia/Jakarta, not {shown(said)}"))
        return ZoneInfo("UTC")


def _top(document: Document) -> dict[str, object]:
    return document.value if isinstance(document.value, dict) else {}


def _columns(document: Document, name: str, spec: object, faults: list[Fault]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    if not isinstance(spec, dict):
        faults.append(document.fault((name,), f"expected fields with their columns, not {shown(spec)}"))
        return columns
    for target, each in spec.items():
        value = each if isinstance(each, dict) else {"column": each}
        names = value.get("column")
        kind = str(value.get("type", "text"))
        if kind not in _KINDS:
            faults.append(document.fault((name, target, "type"), f"{kind!r} is none of {', '.join(_KINDS)}"))
        listed = tuple(names) if isinstance(names, list) else (names,)
        if not listed or not all(isinstance(one, str) and one for one in listed):
            faults.append(document.fault((name, target), f"expected the name of a column, not {shown(names)}"))
            continue
        columns[str(target)] = Column(listed, kind, value.get("required") is True)
    if "id" not in columns:
        faults.append(document.fault((name,), "the column of the record's id is missing: add id"))
    return columns
