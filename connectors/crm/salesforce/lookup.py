"""Small queries answered together: up to five in one composite call, their records as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec

from connectors.base import RetryableError
from connectors.crm.salesforce.answers import UnansweredError, failure, problems
from connectors.crm.salesforce.asking import found_in
from connectors.crm.salesforce.client import Client, reading
from connectors.crm.salesforce.composite import Composite, Part

Record = dict[str, Any]
"""A record as JSON gave it, numbers with a point as Decimal."""

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
    composite = Composite(client, all_or_none=False)
    names = [composite.add("GET", each.path) for each in lookups]
    try:
        answer, parts = composite.send(doing, until)
    except UnansweredError as error:
        raise RetryableError(str(error), error.remedy) from None
    return answer.at, [_records(client, parts.get(name), doing) for name in names]


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
