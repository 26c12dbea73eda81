"""Records by their id, or by the value of a unique property: a hundred a call."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connectors.base import RetryableError
from connectors.crm.hubspot.answers import ItemError, said
from connectors.crm.hubspot.client import Client, Request
from connectors.crm.hubspot.links import chunks
from connectors.crm.hubspot.paths import Endpoint
from connectors.crm.hubspot.portal import Paging
from connectors.crm.hubspot.rows import Record

READ_PAGE = 100
_MISSING = "OBJECT_NOT_FOUND"


class Found(msgspec.Struct, frozen=True):
    """One page of a search, a list or a batch read."""

    results: tuple[msgspec.Raw, ...]
    total: int | None = None
    paging: Paging | None = None
    errors: tuple[ItemError, ...] = ()

    @property
    def after(self) -> str:
        """Where the next page begins, empty at the end."""
        return self.paging.next.after if self.paging is not None and self.paging.next is not None else ""


def read_raw(
    client: Client, object_type: str, ids: Sequence[str], properties: Sequence[str], unique: str = ""
) -> Sequence[msgspec.Raw]:
    """At most 100 records. Those that are missing are absent; any other error of an item raises RetryableError."""
    body: dict[str, object] = {"inputs": [{"id": each} for each in ids], "properties": list(properties)}
    body["propertiesWithHistory"] = []
    if unique:
        body["idProperty"] = unique
    found = client.read(Request(Endpoint.READ, {"type": object_type}, body), Found)
    for error in found.errors:
        if error.category != _MISSING:
            raise RetryableError(f"HubSpot could not read some {object_type}: {said(error)}")
    return found.results


def read_all(
    client: Client, object_type: str, ids: Sequence[str], properties: Sequence[str], unique: str = ""
) -> Sequence[Record]:
    """Any number of records, each of which must be understood. Raises RetryableError for one that is not."""
    found: list[Record] = []
    for some in chunks(list(dict.fromkeys(ids)), READ_PAGE):
        for raw in read_raw(client, object_type, some, properties, unique):
            try:
                found.append(msgspec.json.decode(raw, type=Record))
            except (msgspec.DecodeError, UnicodeError) as error:
                raise RetryableError(f"HubSpot sent some {object_type} that are not understood: {error}") from error
    return found
