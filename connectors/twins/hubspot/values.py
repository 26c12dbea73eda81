"""One property value: all are strings, checked on their way in, kept as HubSpot keeps them.

Sources: "Properties" (value formats; midnight UTC for dates; whitespace around values that are no text is refused) of
HubSpot's API guides; codes as HubSpot's clients report them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from connectors.twins.hubspot.schema import ObjectType, Portal, Property

LONGEST = 65_536
Fault = tuple[str, str, str]


def iso(moment: datetime) -> str:
    """A time as HubSpot writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def moment(text: str) -> datetime | None:
    """A time from epoch milliseconds or ISO with a zone; None when it is neither."""
    try:
        if re.fullmatch(r"-?\d{1,15}", text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        read = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    if read.tzinfo is None:
        return read.replace(tzinfo=UTC) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    return read.astimezone(UTC)


def number(text: str) -> Decimal | None:
    """A number without grouping; None when it is none."""
    try:
        read = Decimal(text)
    except InvalidOperation:
        return None
    return read if read.is_finite() and re.fullmatch(r"-?[\d.]+(?:[eE][+-]?\d+)?", text) else None


def taken(portal: Portal, of: ObjectType, known: Property, text: str) -> tuple[str, Fault | None]:
    """The value as it is kept, and what is wrong with it."""
    if known.read_only or known.computed:
        told = f'"{known.name}" is a read only property; its value cannot be set.'
        return text, (known.name, "READ_ONLY_VALUE", told)
    if known.type in ("date", "datetime") and text == text.strip() != "":
        return _time(known, text)
    return text, _fault(portal, of, known, text) if text else None


def _fault(portal: Portal, of: ObjectType, known: Property, text: str) -> Fault | None:
    if known.type != "string" and text != text.strip():
        return known.name, "INVALID_VALUE", f"{text!r} has whitespace around it."
    if known.type == "number":
        return None if number(text) is not None else (known.name, "INVALID_LONG", f"{text} was not a valid number.")
    if known.type in ("enumeration", "bool"):
        return _choice(portal, of, known, text)
    if len(text) > LONGEST:
        told = f"The value is too long: {len(text)} characters; at most {LONGEST} are allowed."
        return known.name, "PROPERTY_VALUE_TOO_LONG", told
    return None


def _time(known: Property, text: str) -> tuple[str, Fault | None]:
    read = moment(text)
    if read is None:
        return text, (known.name, "INVALID_DATE", f"{text} was not a valid date.")
    if known.type == "datetime":
        return iso(read), None
    if (read.hour, read.minute, read.second, read.microsecond) != (0, 0, 0, 0):
        told = f"{text} is at {read:%H:%M:%S} UTC, not midnight!"
        return text, (known.name, "INVALID_DATE", told)
    return f"{read:%Y-%m-%d}", None


def _choice(portal: Portal, of: ObjectType, known: Property, text: str) -> Fault | None:
    if known.owner:
        there = text in portal.owners and not portal.owners[text]["archived"]
        return None if there else (known.name, "INVALID_OWNER_ID", f"Owner {text} does not exist")
    allowed = _allowed(portal, of, known)
    for each in text.split(";") if known.field_type == "checkbox" else [text]:
        if each not in allowed:
            told = f"{each} was not one of the allowed options: [{', '.join(allowed)}]"
            return known.name, "INVALID_OPTION", told
    return None


def _allowed(portal: Portal, of: ObjectType, known: Property) -> list[str]:
    """Options; those of pipelines and their stages come from the pipelines."""
    pipelines = portal.pipelines.get(of.name, {})
    if known.name in ("hs_pipeline", "pipeline"):
        return list(pipelines)
    if known.name in ("hs_pipeline_stage", "dealstage"):
        return [stage.stage_id for stages in pipelines.values() for stage in stages]
    return ["true", "false"] if known.type == "bool" else known.values
