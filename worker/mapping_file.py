"""A mapping file: which field of a CRM is which, and what its values mean. Every fault with its place, all at once."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from worker.core.model import RecordKind
from worker.documents import Document, Fault, FaultyDocumentError, nearest, read_document
from worker.parsed import KeyPath, shown

CORE_FIELDS: dict[RecordKind, tuple[str, ...]] = {
    RecordKind.ACCOUNT: (
        *("name", "owner_id", "owner_name", "owner_email", "owner_active"),
        *("manager_id", "manager_name", "manager_email", "manager_active"),
        *("arr", "health", "score", "health_as_of", "tier", "renewal_on", "churn_signals", "pr_risk", "language"),
        *("parent_id", "flag_escalated", "flag_level", "flag_reason", "flag_opened_at", "flag_due_at"),
        *("flag_status", "flag_owner", "wish", "until", "outcome_note", "root_cause", "customer_confirmed"),
        *("override_by", "override_at", "churned_on", "merged_into", "call_held_at"),
        *("issue_impact", "issue_attempted", "issue_ask", "issue_recommendation", "issue_timeline"),
    ),
    RecordKind.CASE: (
        *("account_id", "subject", "text", "author", "channel", "category", "priority", "status", "reporter"),
        *("reporter_title", "bug_key", "product", "amount", "opened_at", "closed_at"),
    ),
    RecordKind.DISPUTE: ("account_id", "amount", "status", "reason", "opened_at"),
}
FLAG_FIELDS = tuple(name for name in CORE_FIELDS[RecordKind.ACCOUNT] if name.startswith("flag_"))
REQUIRED: dict[RecordKind, tuple[str, ...]] = {
    RecordKind.ACCOUNT: ("name", "health", *FLAG_FIELDS),
    RecordKind.CASE: ("account_id", "status"),
    RecordKind.DISPUTE: ("account_id", "amount", "status"),
}


@dataclass(frozen=True, slots=True)
class FieldMap:
    """One core field: where it stands in the CRM, what its words mean, in which currency its amounts are.

    `values` has the CRM's words in lower case, for reading; `written` as the CRM writes them, for asking.
    """

    field: str
    values: dict[str, str] = dataclasses.field(default_factory=dict)
    written: dict[str, str] = dataclasses.field(default_factory=dict)
    currency: str = ""
    currency_field: str = ""
    red_below: Decimal | None = None
    yellow_below: Decimal | None = None


@dataclass(frozen=True, slots=True)
class KindMap:
    """One kind of record. `extra` are further fields for custom triggers, by the name that the policy uses."""

    object_name: str
    id_field: str
    modified_field: str
    deleted_field: str
    fields: dict[str, FieldMap]
    extra: dict[str, str]


_NO_NAME = re.compile(r'["\\\x00-\x1f\x7f]')
_POLICY_NAME = re.compile("[a-z][a-z0-9_]*")
_RECORD_NAMES = {"id": "id", "modified": "modified_at", "deleted": "deleted"}
_KIND_KEYS = ("object", "id", "modified", "deleted", "fields", "extra")
_FIELD_KEYS = ("field", "values", "currency", "currency_field", "red_below", "yellow_below")


def read_mapping(path: Path) -> dict[RecordKind, KindMap]:
    """Read and check a mapping file. Raises FaultyDocumentError with every fault."""
    document = read_document(path)
    faults: list[Fault] = []
    found: dict[RecordKind, KindMap] = {}
    names = [kind.value for kind in RecordKind]
    top = document.value
    if not isinstance(top, dict):
        raise FaultyDocumentError([document.fault((), "a mapping file has the keys account, case and dispute")])
    for name, value in top.items():
        if name not in names:
            faults.append(document.fault((name,), _unknown(name, names), key=True))
        elif isinstance(value, dict):
            found[RecordKind(name)] = _kind(document, RecordKind(name), value, faults)
        else:
            faults.append(document.fault((name,), f"how the CRM keeps its {name}s is needed: object, id, fields"))
    if RecordKind.ACCOUNT not in found and RecordKind.ACCOUNT.value not in top:
        faults.append(document.fault((), "the accounts are missing: add the key account"))
    if faults:
        raise FaultyDocumentError(faults)
    return {kind: found[kind] for kind in RecordKind if kind in found}


def _unknown(name: str, known: list[str] | tuple[str, ...]) -> str:
    close = nearest(name, list(known))
    return f"unknown key {name!r}" + (f", did you mean {close}?" if close and "did you" not in close else close)


def _kind(document: Document, kind: RecordKind, value: dict[str, object], faults: list[Fault]) -> KindMap:
    at: KeyPath = (kind.value,)
    faults.extend(
        document.fault((*at, key), _unknown(key, _KIND_KEYS), key=True) for key in value if key not in _KIND_KEYS
    )
    mapped: dict[str, FieldMap] = {}
    for name, spec in _pairs(document, (*at, "fields"), value.get("fields"), faults).items():
        where = (*at, "fields", str(name))
        if name not in CORE_FIELDS[kind]:
            faults.append(document.fault(where, _unknown(str(name), CORE_FIELDS[kind]), key=True))
            continue
        made = _field(document, where, spec, faults)
        if made is not None:
            mapped[str(name)] = made
    extra = _extra(document, (*at, "extra"), value.get("extra"), faults)
    faults.extend(
        document.fault((*at, "fields"), f"the field {name} must be mapped")
        for name in REQUIRED[kind]
        if name not in mapped
    )
    names = {
        key: _text(document, (*at, key), value.get(key, default), faults) for key, default in _RECORD_NAMES.items()
    }
    found = KindMap(
        _text(document, (*at, "object"), value.get("object", kind.value), faults),
        names["id"],
        names["modified"],
        names["deleted"],
        mapped,
        extra,
    )
    faults.extend(document.fault((*at, *path), message) for path, message in _named_twice(names, found))
    return found


def _named_twice(names: dict[str, str], kind: KindMap) -> Iterator[tuple[KeyPath, str]]:
    """A field of the CRM has one meaning: whoever writes it must know which."""
    places: dict[str, KeyPath] = {}
    used: list[tuple[KeyPath, str]] = [((key,), name) for key, name in names.items()]
    used += [(("fields", name), spec.field) for name, spec in kind.fields.items()]
    used += [(("fields", name, "currency_field"), spec.currency_field) for name, spec in kind.fields.items()]
    used += [(("extra", name), field) for name, field in kind.extra.items()]
    for path, name in used:
        if name and places.setdefault(name, path) != path:
            yield path, f"{name!r} is mapped already, as {'.'.join(map(str, places[name]))}: keep one"


def _pairs(document: Document, at: KeyPath, value: object, faults: list[Fault]) -> dict[str, object]:
    if isinstance(value, dict) or value is None:
        return value or {}
    faults.append(document.fault(at, f"keys with values are needed, not {shown(value)}"))
    return {}


def _extra(document: Document, at: KeyPath, value: object, faults: list[Fault]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, target in _pairs(document, at, value, faults).items():
        if _POLICY_NAME.fullmatch(name) is None:
            message = "the policy's name for a field has small letters, digits and _ only, and begins with a letter"
            faults.append(document.fault((*at, name), message, key=True))
        found[name] = _text(document, (*at, name), target, faults)
    return found


def _text(document: Document, at: KeyPath, value: object, faults: list[Fault]) -> str:
    if not isinstance(value, str) or not value:
        faults.append(document.fault(at, f"a name of the CRM is needed, not {shown(value)}"))
        return ""
    if _NO_NAME.search(value):
        faults.append(document.fault(at, f"a name of the CRM has no quotes, \\ or control characters: {value!r}"))
        return ""
    return value


def _field(document: Document, at: KeyPath, spec: object, faults: list[Fault]) -> FieldMap | None:
    if isinstance(spec, str):
        return FieldMap(_text(document, at, spec, faults))
    if not isinstance(spec, dict) or not isinstance(spec.get("field"), str):
        faults.append(document.fault(at, "give the CRM's field name, or {field: NAME, ...}"))
        return None
    faults.extend(
        document.fault((*at, key), _unknown(str(key), _FIELD_KEYS), key=True) for key in spec if key not in _FIELD_KEYS
    )
    limits = {name: _limit(document, (*at, name), spec.get(name), faults) for name in ("red_below", "yellow_below")}
    names = {name: spec.get(name) for name in ("currency", "currency_field")}
    named = {name: _text(document, (*at, name), value, faults) if value else "" for name, value in names.items()}
    return FieldMap(
        _text(document, (*at, "field"), spec["field"], faults),
        _words(document, (*at, "values"), spec.get("values", {}), faults),
        _as_written(spec.get("values", {})),
        named["currency"],
        named["currency_field"],
        limits["red_below"],
        limits["yellow_below"],
    )


def _limit(document: Document, at: KeyPath, value: object, faults: list[Fault]) -> Decimal | None:
    try:
        found = None if value is None or isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        found = None
    if value is None or (found is not None and found.is_finite()):
        return found
    faults.append(document.fault(at, f"a number is needed, not {shown(value)}"))
    return None


def _as_written(values: object) -> dict[str, str]:
    pairs = values.items() if isinstance(values, dict) else ()
    return {
        str(word): str(ours) for ours, theirs in pairs for word in (theirs if isinstance(theirs, list) else [theirs])
    }


def _words(document: Document, at: KeyPath, values: object, faults: list[Fault]) -> dict[str, str]:
    """`values: {red: [Red, Merah]}` turned round: the CRM's word, in lower case, to ours."""
    if not isinstance(values, dict):
        faults.append(document.fault(at, "values are {our word: [the CRM's words]}"))
        return {}
    turned: dict[str, str] = {}
    for ours, theirs in values.items():
        for word in theirs if isinstance(theirs, list) else [theirs]:
            if word is None or isinstance(word, (dict, list)):
                faults.append(document.fault((*at, ours), f"a word of the CRM is needed, not {shown(word)}"))
            folded = str(word).strip().casefold()
            if turned.get(folded, ours) != ours:
                faults.append(document.fault((*at, ours), f"{word!r} already means {turned[folded]!r}"))
            turned[folded] = str(ours)
    return turned
