"""Groups to Salesforce: each group is a graph, which is done whole or not at all; many graphs in one call.

Limits (REST API Developer Guide, Composite Graph): 75 graphs and 500 nodes a call. After the 14th graph that fails the
rest are not tried (PROCESSING_HALTED); they come back as RETRY. Nodes of a graph take no headers, so a group with a
condition goes by itself as a composite call, where a header may stand in each subrequest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus

import msgspec

from connectors.base import ConnectorError, Result, WriteResult
from connectors.crm.salesforce.answers import Problem, UnansweredError, failed_write, problems, refused, root
from connectors.crm.salesforce.client import Client, RefusedError
from connectors.crm.salesforce.composite import Composite, Part
from connectors.crm.salesforce.grouping import Group, Node

_GRAPHS, _NODES = 75, 500
_DOING = "writing flags and notes"


class _GraphResponse(msgspec.Struct, rename="camel"):
    composite_response: list[Part]


class _Graph(msgspec.Struct, rename="camel"):
    graph_id: str
    graph_response: _GraphResponse
    is_successful: bool


class _Graphs(msgspec.Struct):
    graphs: list[_Graph]


class _Upserted(msgspec.Struct):
    id: str = ""
    created: bool = True


_GRAPHS_OF = msgspec.json.Decoder(_Graphs)
_UPSERTED = msgspec.json.Decoder(_Upserted)


class GraphWriter:
    """Sends groups and says what became of each write."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def write(self, groups: Sequence[Group], until: float, results: dict[int, WriteResult]) -> None:
        """Raises a ConnectorError only when nothing at all was sent."""
        begun = False
        for chunk in _chunks([each for each in groups if each.nodes and each.unless_after is None]):
            self._guarded(chunk, until, results, begun=begun)
            begun = True
        for group in groups:
            if group.nodes and group.unless_after is not None:
                self._guarded([group], until, results, begun=begun)
                begun = True

    def _guarded(self, chunk: Sequence[Group], until: float, results: dict[int, WriteResult], *, begun: bool) -> None:
        try:
            if chunk[0].unless_after is None:
                self._together(chunk, until, results)
            else:
                self._alone(chunk[0], chunk[0].unless_after, until, results)
        except ConnectorError as error:
            may_have_happened = isinstance(error, UnansweredError)
            if not begun and not may_have_happened:
                raise
            result = Result.UNKNOWN if may_have_happened else Result.RETRY
            fate = WriteResult(result, reason=str(error), remedy=error.remedy)
            results.update({item: fate for group in chunk for item in group.items})

    def _together(self, chunk: Sequence[Group], until: float, results: dict[int, WriteResult]) -> None:
        body = {"graphs": [self._graph(f"g{number}", group) for number, group in enumerate(chunk)]}
        try:
            answer = self._client.send("POST", "composite/graph", body, _DOING, until)
        except RefusedError as error:
            raise failed_write(error.problem, _DOING) from None
        try:
            graphs = {each.graph_id: each for each in _GRAPHS_OF.decode(answer.body).graphs}
        except msgspec.DecodeError as error:
            raise UnansweredError(
                f"Salesforce, {_DOING}: not the answer to a graph: {error}", "it is looked up"
            ) from None
        for number, group in enumerate(chunk):
            graph = graphs.get(f"g{number}")
            parts = graph.graph_response.composite_response if graph is not None else []
            results.update(judged(group, {each.reference_id: each for each in parts}))

    def _graph(self, name: str, group: Group) -> dict[str, object]:
        nodes = [
            {
                "method": "PATCH",
                "url": f"{self._client.root}/{node.path}",
                "referenceId": f"r{place}",
                "body": node.body,
            }
            for place, node in enumerate(group.nodes)
        ]
        return {"graphId": name, "compositeRequest": nodes}

    def _alone(self, group: Group, since: datetime, until: float, results: dict[int, WriteResult]) -> None:
        composite = Composite(self._client, all_or_none=True)
        header = {"If-Unmodified-Since": format_datetime(since.replace(microsecond=0), usegmt=True)}
        for node in group.nodes:
            guarded = node.own and node.path.startswith(f"sobjects/Account/{group.account.id}")
            composite.add("PATCH", node.path, node.body, header if guarded else None)
        _, parts = composite.send(_DOING, until)
        results.update(judged(group, parts))


def _chunks(groups: Sequence[Group]) -> Iterator[list[Group]]:
    chunk: list[Group] = []
    nodes = 0
    for group in groups:
        if chunk and (len(chunk) == _GRAPHS or nodes + len(group.nodes) > _NODES):
            yield chunk
            chunk, nodes = [], 0
        chunk.append(group)
        nodes += len(group.nodes)
    if chunk:
        yield chunk


def judged(group: Group, parts: Mapping[str, Part]) -> dict[int, WriteResult]:
    """The fate of each write of a group that is done whole or not at all.

    When one part failed, its own write gets the verdict; the others were rolled back with it and come again.
    """
    named = [(node, parts.get(f"r{place}")) for place, node in enumerate(group.nodes)]
    if any(part is None for _, part in named):
        unknown = WriteResult(Result.UNKNOWN, reason="Salesforce did not say what became of it")
        return dict.fromkeys(group.items, unknown)
    failed = [
        (node, _problems(part))
        for node, part in named
        if part is not None and part.status >= HTTPStatus.MULTIPLE_CHOICES
    ]
    if not failed:
        return {node.item: _done(group, part) for node, part in named if node.own and part is not None}
    fates = {item: _rolled_back(failed) for item in group.items}
    for node, found in failed:
        problem = root(found)
        if problem is not None:
            fates[node.item] = refused(problem)
    return fates


def _problems(part: Part) -> list[Problem]:
    return problems(bytes(part.body), part.status)


def _rolled_back(failed: Sequence[tuple[Node, list[Problem]]]) -> WriteResult:
    first = next((problem for _, found in failed if (problem := root(found)) is not None), None)
    reason = f"rolled back with another write of this account ({first.code})" if first else "not tried in this call"
    return WriteResult(Result.RETRY, reason=reason)


def _done(group: Group, part: Part) -> WriteResult:
    """An upsert says whether it made the record; an update has no body."""
    try:
        upserted = _UPSERTED.decode(part.body)
    except msgspec.DecodeError:
        upserted = _Upserted()
    result = Result.APPLIED if upserted.created else Result.ALREADY_APPLIED
    return WriteResult(result, upserted.id or group.account.id)
