"""Which list tells of which escalation, and what its line says there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select

from worker.core.telling import Line
from worker.store.codec import decode, encode, micros
from worker.store.schema import listing
from worker.store.statements import upsert

_PUT = upsert(listing, ("list_id", "escalation_id"), ("body", "at"), ("lane", "reader", "slot"))
_LINES = select(listing.c.body).where(listing.c.list_id == bindparam("of_list"))
_ABOUT = (
    select(listing)
    .where(listing.c.lane == bindparam("of_lane"), listing.c.escalation_id == bindparam("of_escalation"))
    .order_by(listing.c.list_id)
)
_DROP = delete(listing).where(
    listing.c.list_id == bindparam("of_list"), listing.c.escalation_id == bindparam("of_escalation")
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An escalation's line in one list. `reader` is whom the list is for, `slot` what it gathers."""

    list_id: str
    reader: str
    slot: str
    line: Line


def put(tx: Connection, lane: str, entry: Entry, now: datetime) -> None:
    """Add the line, or bring it up to date."""
    row = {"list_id": entry.list_id, "escalation_id": entry.line.about, "lane": lane, "reader": entry.reader}
    tx.execute(_PUT.on(tx), {**row, "slot": entry.slot, "body": encode(entry.line), "at": micros(now)})


def lines_of(tx: Connection, list_id: str) -> list[Line]:
    """What stands in a list, in no order."""
    return [decode(row[0], Line) for row in tx.execute(_LINES, {"of_list": list_id})]


def about(tx: Connection, lane: str, escalation_id: str) -> list[Entry]:
    """The lists of a lane in which an escalation stands."""
    rows = tx.execute(_ABOUT, {"of_lane": lane, "of_escalation": escalation_id})
    return [Entry(row.list_id, row.reader, row.slot, decode(row.body, Line)) for row in rows]


def drop(tx: Connection, list_id: str, escalation_id: str) -> None:
    """Take an escalation out of a list."""
    tx.execute(_DROP, {"of_list": list_id, "of_escalation": escalation_id})
