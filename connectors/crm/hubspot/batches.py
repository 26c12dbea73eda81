"""Batch writes: what became of each item, whether HubSpot answers for all of them, for some, or for none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import msgspec

from connectors.base import FatalError, Result, RetryableError, WriteResult
from connectors.crm.hubspot.answers import ItemError, said
from connectors.crm.hubspot.client import Client, RefusedError, Request
from connectors.crm.hubspot.links import chunks
from connectors.crm.hubspot.paths import Endpoint
from connectors.crm.hubspot.wire import LostError

_REMEDY = "read HubSpot's reason: a rule of your portal, a missing property or an archived record; then `retry`"
_GONE = "was it archived or merged? then nothing"
_SLOW = frozenset({"RATE_LIMITS"})
MOST_INPUTS = 100
"""What HubSpot takes in one batch."""

_TRACES = ("objectWriteTraceId", "ids", "id", "objectId")

T = TypeVar("T")


class Made(msgspec.Struct, frozen=True, rename="camel"):
    """One record of a batch answer."""

    id: str
    properties: dict[str, str | None] = {}
    object_write_trace_id: str | None = None
    new: bool = True

    def key(self, unique: str) -> str:
        """By what we know it: its unique property, or the trace that we gave it."""
        return self.properties.get(unique) or self.object_write_trace_id or ""


class Batch(msgspec.Struct, frozen=True):
    """What came of a batch: HubSpot lists errors beside results whatever the status is."""

    results: tuple[Made, ...]
    errors: tuple[ItemError, ...] = ()


class Written(msgspec.Struct, frozen=True):
    """What came of associating records."""

    results: tuple[msgspec.Raw, ...] = ()
    errors: tuple[ItemError, ...] = ()

    def check(self) -> None:
        """Raises RetryableError for an error: associating may be repeated."""
        for error in self.errors:
            raise RetryableError(f"HubSpot could not associate records: {said(error)}")


class Sending:
    """One kind of batch write: how to put items, and by which name to know one again in the answer."""

    def __init__(
        self, client: Client, request: Callable[[Sequence[object]], Request], name: Callable[[Made], str], until: float
    ) -> None:
        self._client = client
        self._request = request
        self._name = name
        self._until = until

    def send(self, items: Mapping[str, object], traces: Mapping[str, str] | None = None) -> dict[str, WriteResult]:
        """A result for each item, by its name. A batch refused as a whole is halved until the culprit is alone."""
        if len(items) > MOST_INPUTS:
            return self._apart(items, MOST_INPUTS, traces)
        try:
            answer = self._client.change(self._request(list(items.values())), Batch, self._until)
        except RefusedError as error:
            return self._refused(items, error, traces)
        except LostError as error:
            return {name: WriteResult(Result.UNKNOWN, reason=str(error)) for name in items}
        except RetryableError as error:
            return {name: later(error) for name in items}
        return self._settled(items, answer, traces or {})

    def _refused(
        self, items: Mapping[str, object], error: RefusedError, traces: Mapping[str, str] | None
    ) -> dict[str, WriteResult]:
        if len(items) == 1:
            return {name: WriteResult(Result.REJECTED, reason=str(error), remedy=_REMEDY) for name in items}
        return self._apart(items, len(items) // 2, traces)

    def _apart(
        self, items: Mapping[str, object], size: int, traces: Mapping[str, str] | None
    ) -> dict[str, WriteResult]:
        """In pieces. Once one was sent, even a fault of the whole lane is told item by item: others are done."""
        pairs = list(items.items())
        results: dict[str, WriteResult] = {}
        for piece in chunks(pairs, max(1, size)):
            try:
                results.update(self.send(dict(piece), traces))
            except FatalError as error:
                if not results:
                    raise
                results.update({name: later(error) for name, _ in piece})
        return results

    def _settled(self, items: Mapping[str, object], answer: Batch, traces: Mapping[str, str]) -> dict[str, WriteResult]:
        made = {self._name(each): each for each in answer.results}
        results = {name: applied(made[name]) for name in items if name in made}
        owed = [name for name in items if name not in made]
        named = {trace: name for name in owed for trace in (name, traces.get(name, name))}
        strays: list[ItemError] = []
        for error in answer.errors:
            hit = [named[each] for key in _TRACES for each in error.names(key) if each in named]
            results.update({name: _item(error) for name in hit if name not in results})
            strays += [] if hit else [error]
        return results | self._unsettled(items, [name for name in owed if name not in results], strays, traces)

    def _unsettled(
        self, items: Mapping[str, object], owed: Sequence[str], strays: Sequence[ItemError], traces: Mapping[str, str]
    ) -> dict[str, WriteResult]:
        """Items of which the answer says nothing by name. An error without a name is theirs: each is asked alone."""
        if not owed:
            return {}
        if not strays:
            return {name: WriteResult(Result.UNKNOWN, reason="HubSpot's answer does not mention it") for name in owed}
        if len(owed) == 1:
            return {owed[0]: _item(strays[0])}
        return self._apart({name: items[name] for name in owed}, 1, traces)


def applied(made: Made) -> WriteResult:
    """Done, or done before."""
    return WriteResult(Result.APPLIED if made.new else Result.ALREADY_APPLIED, made.id)


def later(error: RetryableError | FatalError) -> WriteResult:
    """Surely not done; for a part of a batch whose other part was done."""
    after = error.after if isinstance(error, RetryableError) else timedelta(minutes=5)
    return WriteResult(Result.RETRY, reason=str(error), remedy=error.remedy, retry_after=after, for_all=True)


def _item(error: ItemError) -> WriteResult:
    if error.category in _SLOW:
        return WriteResult(Result.RETRY, reason=said(error), retry_after=timedelta(seconds=10))
    remedy = _GONE if error.category == "OBJECT_NOT_FOUND" else _REMEDY
    return WriteResult(Result.REJECTED, reason=f"HubSpot refuses: {said(error)}", remedy=remedy)


def upserted(client: Client, object_type: str, inputs: Sequence[object], until: float) -> Sequence[Made]:
    """Make or keep records by a unique property; every one of them must succeed. Raises as `Client.change`."""
    request = Request(Endpoint.UPSERT, {"type": object_type}, {"inputs": list(inputs)}, write=True)
    answer = client.change(request, Batch, until)
    for error in answer.errors:
        raise RetryableError(f"HubSpot could not make some {object_type}: {said(error)}")
    return answer.results
