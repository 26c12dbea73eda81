"""Small queries answered together, five in one composite call; their records as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec

from connectors.base import RetryableError, Value
from connectors.crm.salesforce.answers import failure, problems
from connectors.crm.salesforce.asking import found_in
from connectors.crm.salesforce.client import Client, reading
from connectors.crm.salesforce.composite import Composite, Part

Record = dict[str, Any]
"""A record as JSON gave it, numbers with a point as Decimal."""

_QUERIES = 5
"""In one composite call."""

_VALUES = 200
_RECORDS = msgspec.json.Decoder(list[Record], float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Lookup:
    """One query. `deleted` includes the recycle bin."""

    text: str
    deleted: bool = False

    @property
    def path(self) -> str:
        """Its resource."""
        return f"{'queryAll' if self.deleted else 'query'}/?q={quote(self.text, safe='')}"


def looked_up(
    client: Client, lookups: Sequence[Lookup], doing: str, until: float | None = None
) -> tuple[datetime, list[list[Record]]]:
    """The records of each query, with Salesforce's clock. Raises a ConnectorError when one of them is not answered."""
    at, found = client.now(), list[list[Record]]()
    for start in range(0, len(lookups), _QUERIES):
        composite = Composite(client, all_or_none=False)
        names = [composite.add("GET", each.path) for each in lookups[start : start + _QUERIES]]
        answer, parts = composite.read(doing, until)
        found += [_records(client, parts.get(name), doing) for name in names]
        at = answer.at if start == 0 else at
    return at, found


def in_parts(values: Sequence[str]) -> list[list[Value]]:
    """Values in lists that are short enough for one query."""
    return [list(values[start : start + _VALUES]) for start in range(0, len(values), _VALUES)]


def _records(client: Client, part: Part | None, doing: str) -> list[Record]:
    if part is None:
        raise RetryableError(f"Salesforce, {doing}: a query was not answered", "it is tried again")
    if part.status != HTTPStatus.OK:
        raise failure(problems(bytes(part.body), part.status)[0], doing)
    page = found_in(part.body, doing)
    rows = _decoded(page.records, doing)
    while not page.done:
        where = page.next_records_url
        page = found_in(reading(lambda where=where: client.get(where, doing), doing).body, doing)  # type: ignore[misc]
        rows += _decoded(page.records, doing)
    return rows


def _decoded(records: msgspec.Raw, doing: str) -> list[Record]:
    try:
        return _RECORDS.decode(records)
    except msgspec.DecodeError as error:
        raise RetryableError(f"Salesforce, {doing}: not records: {error}", "it is tried again") from None
