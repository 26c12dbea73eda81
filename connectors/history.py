"""What a CRM promises besides, that keeps old versions of its records: to give them out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from connectors.base import Page, Query, R


@runtime_checkable
class Historian(Protocol):
    """A CRM that keeps old versions of its records, for policies that shall be held against the past."""

    def past(self, query: Query[R]) -> Iterator[Page[R]]:
        """Old versions of an object's records, those of one record together, the oldest first; not the present ones."""
        ...
