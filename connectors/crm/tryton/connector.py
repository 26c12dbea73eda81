"""The connector to Tryton: what it promises, and who does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from connectors.base import (
    Capabilities,
    ConnectorError,
    FieldNeed,
    Finding,
    Page,
    Query,
    R,
    Result,
    Row,
    Severity,
    Write,
    WriteResult,
)
from connectors.crm.tryton.asking import Domain
from connectors.crm.tryton.checking import Checker
from connectors.crm.tryton.reading import Reader
from connectors.crm.tryton.rest import Rest
from connectors.crm.tryton.writing import Writer

_MOST_ROWS = 500
_SETTLE = timedelta(seconds=90)
_CAPABILITIES = Capabilities(
    batch_size=20, page_size=_MOST_ROWS, exactly_once=True, conditional=True, finds=True, settle=_SETTLE
)


class TrytonConnector:
    """One database of one Tryton. `only`: for a model, the condition under which its records are meant at all."""

    def __init__(self, rest: Rest, only: Mapping[str, Domain] | None = None) -> None:
        self._rest = rest
        self._only = only or {}
        self._writer = Writer(rest)

    def capabilities(self) -> Capabilities:
        """Notes and tasks once by a unique key in the database, flags by compare-and-set in one transaction.

        A write is seen at once. A transaction may commit with a stamp as old as its own beginning: the cursor stays
        90 seconds behind the server's clock, and the wider look back of the worker finds what took longer.
        """
        return _CAPABILITIES

    def check(self, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        """Version, key, module, rights, fields, clock."""
        return Checker(self._rest).findings(needs)

    def setup(self, needs: Sequence[FieldNeed], *, dry_run: bool) -> Sequence[Finding]:  # noqa: ARG002
        """Tryton takes fields from modules only: there is nothing to make from here, so what is missing is told."""
        wrong = [each for each in self.check(needs) if each.severity is not Severity.OK]
        return wrong or [Finding(Severity.OK, self._rest.url, "has everything")]

    def announce(self, queries: Sequence[Query[Row]]) -> None:
        """Tryton answers one question a call."""

    def pull(self, query: Query[R]) -> Iterator[Page[R]]:
        """Changes in the order of (stamp, id), other queries in the order of ids; inactive records are deleted ones."""
        return Reader(self._rest, query, self._only.get(query.object_name, []), _MOST_ROWS, _SETTLE).pages()

    def write(self, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """One call each. Where no further call would fare better, those that were not made are to be repeated."""
        results: list[WriteResult] = []
        for item in batch:
            try:
                results.append(self._writer.write(item))
            except ConnectorError as error:
                if not results:
                    raise
                later = WriteResult(Result.RETRY, reason=str(error), remedy=error.remedy)
                return [*results, *[later] * (len(batch) - len(results))]
        return results

    def find(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, str]:  # noqa: ARG002
        """Keys of notes and tasks, with `model,id`."""
        return {key: places[0] for key, places in self._writer.found(keys).items() if places}

    def count(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, int]:  # noqa: ARG002
        """How often each key is there; the database allows once."""
        return {key: len(places) for key, places in self._writer.found(keys).items()}

    def close(self) -> None:
        """Let go of connections."""
        self._rest.close()
