"""One field of a record as a value of the core: read as the CRM wrote it, refused with its reason when it cannot be."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from connectors.base import Row
from worker.core.model import AccountId, Colour, Flag, Health, Issue, Level, Person, UserId
from worker.mapping_file import FieldMap

_TRUE = frozenset({"true", "1", "yes", "ya", "y"})
_FALSE = frozenset({"false", "0", "no", "tidak", "n", ""})


class UnmappableError(ValueError):
    """A record's value that cannot be understood: which record, which field, what it says, and why not."""

    def __init__(self, record_id: str, field: str, value: object, reason: str) -> None:
        super().__init__(f"record {record_id}, field {field}: {value!r} {reason}")
        self.record_id = record_id
        self.field = field
        self.value = value
        self.reason = reason


def text(row: Row, name: str) -> str:
    """A field as text, cleaned of what no target accepts: lone surrogates and NUL."""
    value = getattr(row, name, None)
    if value is None:
        return ""
    told = value if isinstance(value, str) else str(value)
    return told.encode("utf-8", "replace").decode().replace("\x00", "").strip()


def truth(row: Row, name: str) -> bool:
    """True or false, in the words that CRMs use for them; empty is false."""
    value = getattr(row, name, None)
    if isinstance(value, bool):
        return value
    word = text(row, name).casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise UnmappableError(row.record_id, name, value, "is neither true nor false")


def decimal(row: Row, name: str) -> Decimal | None:
    """An exact number; None when the field is empty. A number without end is none."""
    value = getattr(row, name, None)
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise UnmappableError(row.record_id, name, value, "is not a number such as 12500000.00") from None
    if not number.is_finite() or isinstance(value, bool):
        raise UnmappableError(row.record_id, name, value, "is not a number")
    return number


def time(row: Row, name: str) -> datetime | None:
    """A moment, aware and in UTC; None when the field is empty."""
    value = getattr(row, name, None)
    return None if value in (None, "") else moment(row, name, value)


def moment(row: Row, name: str, value: object) -> datetime:
    """A time as CRMs write it: ISO with a zone, a date (midnight UTC), or epoch milliseconds."""
    try:
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal() and len(value) > 9):
            return datetime.fromtimestamp(int(value) / 1000, UTC)
        found = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        raise UnmappableError(row.record_id, name, value, "is not a time") from None
    if found.tzinfo is None and len(str(value)) > 10:
        raise UnmappableError(row.record_id, name, value, "has no time zone")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def day(row: Row, name: str) -> date | None:
    """A calendar day; None when the field is empty."""
    said = text(row, name)
    if not said:
        return None
    try:
        return date.fromisoformat(said[:10])
    except ValueError:
        raise UnmappableError(row.record_id, name, said, "is not a date such as 2026-11-24") from None


def merged_into(row: Row) -> AccountId | None:
    """The account that a deleted one went into."""
    into = text(row, "merged_into") if row.deleted else ""
    return AccountId(into) if into and into != row.record_id else None


def person(row: Row, role: str) -> Person | None:
    """Who has a role, of what the CRM says of them; None when it names nobody.

    Nobody is also an id that the CRM has no name for although it has names: a queue, or somebody who is gone.
    """
    identity, name = text(row, f"{role}_id"), text(row, f"{role}_name")
    if not name and (not identity or hasattr(row, f"{role}_name")):
        return None
    active = getattr(row, f"{role}_active", None)
    return Person(UserId(identity or name), name or identity, text(row, f"{role}_email"), active is not False)


def untitled(row: Row) -> bool:
    """Whether a case has a writer without a title. Where the mapping has no place for one, nobody could write it."""
    return bool(text(row, "reporter")) and hasattr(row, "reporter_title") and not text(row, "reporter_title")


def issue(row: Row) -> Issue:
    """What people wrote into the issue document."""
    written = ("impact", "attempted", "ask", "recommendation", "timeline")
    return Issue(*(text(row, f"issue_{name}") for name in written))


def signs(row: Row) -> tuple[str, ...]:
    """Churn signals: a list, or a text with semicolons."""
    value = getattr(row, "churn_signals", None)
    if isinstance(value, (list, tuple)):
        return tuple(str(each) for each in value if each)
    return tuple(part.strip() for part in text(row, "churn_signals").split(";") if part.strip())


def colour(spec: FieldMap, raw: object, score: Decimal | None) -> Colour:
    """The health colour of a number, by the limits of the mapping; `raw` is the health field where that is a number."""
    number = Decimal(str(raw)) if isinstance(raw, (int, Decimal)) and not isinstance(raw, bool) else score
    if number is None or spec.red_below is None or spec.yellow_below is None:
        return Colour.UNKNOWN
    if number < spec.red_below:
        return Colour.RED
    return Colour.YELLOW if number < spec.yellow_below else Colour.GREEN


def further(row: Row, name: str) -> str | int | bool | Decimal | None:
    """A further field for custom triggers; None when it is of a kind that no trigger can compare."""
    value = getattr(row, f"extra_{name}", None)
    return value if isinstance(value, (str, int, bool, Decimal)) else None


def flag(row: Row) -> Flag:
    """The flag as the CRM shows it."""
    level = text(row, "flag_level").upper()
    if level and level not in Level.__members__:
        raise UnmappableError(row.record_id, "flag_level", level, "is none of L1, L2, L3")
    return Flag(
        escalated=truth(row, "flag_escalated"),
        level=Level[level] if level else None,
        reason=text(row, "flag_reason"),
        opened_at=time(row, "flag_opened_at"),
        due_at=time(row, "flag_due_at"),
        status=text(row, "flag_status"),
        owner=text(row, "flag_owner"),
    )


def health(row: Row, spec: FieldMap) -> Health:
    """The health by its word, else by its number; a word that nobody explained is no colour."""
    raw = getattr(row, "health", None)
    score = decimal(row, "score")
    seen = Colour.UNKNOWN
    if isinstance(raw, str) and raw.strip():
        ours = spec.values.get(raw.strip().casefold(), raw.strip().casefold())
        seen = Colour(ours) if ours in {each.value for each in Colour} else Colour.UNKNOWN
    if seen is Colour.UNKNOWN:
        seen = colour(spec, raw if not isinstance(raw, str) else None, score)
    return Health(seen, score, time(row, "health_as_of"))
