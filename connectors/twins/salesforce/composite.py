"""composite and composite/graph: several requests in one call, later ones referring to earlier ones.

Sources: "Composite", "Composite Graph" and "Composite Graph Limits" of the REST API Developer Guide: 25 subrequests, at
most 5 of them queries or collections; 75 graphs, 500 nodes, depth 15, 15 kinds of node; after 14 failed graphs the rest
are not processed; letters, digits and underscores in reference ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.twins.salesforce.asking import Answer, Ask, split
from connectors.twins.salesforce.errors import RefusedError, beyond, malformed
from connectors.twins.salesforce.store import Store, Undo

SUBREQUESTS = 25
QUERIES = 5
GRAPHS = 75
NODES = 500
DEPTH = 15
KINDS = 15
FAILED_GRAPHS = 14
_REFERENCE = re.compile(r"@\{(\w+)\.?([^}]*)\}")
_SUBREQUEST = frozenset({"method", "url", "referenceId", "body", "httpHeaders"})
_ROLLED_BACK = "The transaction was rolled back since another operation in the same transaction failed."
_HALTED = RefusedError("PROCESSING_HALTED", _ROLLED_BACK)
Subrequest = Mapping[str, Any]
Told = dict[str, Any]


class Composites:
    """Answers /composite and /composite/graph by asking `perform` for each subrequest."""

    def __init__(self, store: Store, perform: Callable[[Ask], Answer]) -> None:
        self.store, self.perform = store, perform

    def composite(self, ask: Ask) -> Answer:
        """Up to 25 subrequests one after the other."""
        body = ask.record()
        subrequests = _subrequests(body.get("compositeRequest"), SUBREQUESTS)
        queries = [
            each for each in subrequests if re.search(r"/v[\d.]+/(query|queryAll|composite/sobjects)\b", each["url"])
        ]
        if len(queries) > QUERIES:
            raise RefusedError(
                "LIMIT_EXCEEDED", f"A composite may hold {QUERIES} queries and collections, not {len(queries)}"
            )
        return Answer(value={"compositeResponse": self._all(subrequests, strict=body.get("allOrNone") is True)})

    def graph(self, ask: Ask) -> Answer:
        """Independent graphs, each whole or not at all."""
        graphs = ask.record().get("graphs")
        if not isinstance(graphs, list) or not graphs:
            raise malformed("The request body has no list of graphs at [line:1, column:1]")
        read = [(str(each.get("graphId", "")), _subrequests(each.get("compositeRequest"), NODES)) for each in graphs]
        _bounded(read)
        told, failed = [], 0
        for graph_id, subrequests in read:
            halted = failed >= FAILED_GRAPHS
            responses = (
                [_response(each, _HALTED) for each in subrequests] if halted else self._all(subrequests, strict=True)
            )
            good = all(each["httpStatusCode"] < 300 for each in responses)
            failed += not good
            told.append({"graphId": graph_id, "graphResponse": {"compositeResponse": responses}, "isSuccessful": good})
        return Answer(value={"graphs": told})

    def _all(self, subrequests: Sequence[Subrequest], *, strict: bool) -> list[Told]:
        responses: list[Told] = []
        try:
            with self.store.trial():
                for each in subrequests:
                    responses.append(self._one(each, {known["referenceId"]: known for known in responses}))
                    if strict and responses[-1]["httpStatusCode"] >= 300:
                        raise Undo
        except Undo:
            culprit = responses[-1]
            return [
                culprit if each["referenceId"] == culprit["referenceId"] else _response(each, _HALTED)
                for each in subrequests
            ]
        return responses

    def _one(self, subrequest: Subrequest, known: Mapping[str, Told]) -> Told:
        try:
            url = _filled(subrequest["url"], known)
            body = _filled(subrequest.get("body"), known)
            version, parts, query = split(url)
            headers = {name.lower(): value for name, value in (subrequest.get("httpHeaders") or {}).items()}
            with self.store.trial():
                answer = self.perform(Ask(subrequest["method"].upper(), version, parts, query, headers, body))
        except RefusedError as error:
            return _response(subrequest, error)
        return _told(subrequest, answer)


def _subrequests(given: Any, most: int) -> list[Subrequest]:
    if not isinstance(given, list) or not given:
        raise malformed("compositeRequest is missing at [line:1, column:1]")
    if len(given) > most:
        raise RefusedError("LIMIT_EXCEEDED", f"A composite may hold {most} subrequests, not {len(given)}")
    references: set[str] = set()
    for each in given:
        _formed(each, references)
    return given


def _formed(each: Any, references: set[str]) -> None:
    if not isinstance(each, dict) or not {"method", "url", "referenceId"} <= set(each):
        raise malformed("A subrequest needs method, url and referenceId at [line:1, column:1]")
    unknown = set(each) - _SUBREQUEST
    if unknown:
        raise malformed(f'Unrecognized field "{min(unknown)}" at [line:1, column:2]')
    reference = str(each["referenceId"])
    if not re.fullmatch(r"\w+", reference):
        raise RefusedError("INVALID_INPUT", f"Provided referenceId ('{reference}') has other characters than \\w")
    if reference in references:
        raise RefusedError("INVALID_INPUT", f"Duplicate referenceId: {reference}")
    references.add(reference)


def _bounded(graphs: Sequence[tuple[str, Sequence[Subrequest]]]) -> None:
    nodes = [each for _, subrequests in graphs for each in subrequests]
    if len(graphs) > GRAPHS or len(nodes) > NODES:
        told = f"{len(graphs)} graphs with {len(nodes)} nodes; at most {GRAPHS} graphs and {NODES} nodes"
        raise RefusedError("LIMIT_EXCEEDED", told)
    names = [name for name, _ in graphs]
    if len(set(names)) < len(names) or "" in names:
        raise RefusedError("INVALID_INPUT", "each graph needs a graphId of its own")
    for each in nodes:
        if not re.search(r"/v[\d.]+/sobjects/", each["url"]):
            raise RefusedError("INVALID_INPUT", f"a graph takes sobjects resources only: {each['url']}")
        if each.get("httpHeaders"):
            raise beyond("httpHeaders of a graph's node (the vendor documents none)")
    for _, subrequests in graphs:
        _shaped(subrequests)


def _shaped(subrequests: Sequence[Subrequest]) -> None:
    kinds = {(each["method"].upper(), each["url"].split("/sobjects/")[1].split("/")[0]) for each in subrequests}
    depths: dict[str, int] = {}
    for each in subrequests:
        named = _REFERENCE.findall(repr(each))
        depths[each["referenceId"]] = 1 + max((depths.get(name, 0) for name, _ in named), default=0)
    if len(kinds) > KINDS or max(depths.values()) > DEPTH:
        told = f"a graph may hold {KINDS} kinds of node in a depth of {DEPTH}"
        raise RefusedError("LIMIT_EXCEEDED", told)


def _filled(given: Any, known: Mapping[str, Told]) -> Any:
    """References replaced by what they stand for; one that stands for nothing halts the subrequest."""
    if isinstance(given, dict):
        return {name: _filled(value, known) for name, value in given.items()}
    if isinstance(given, list):
        return [_filled(each, known) for each in given]
    if not isinstance(given, str):
        return given
    alone = _REFERENCE.fullmatch(given)
    if alone:
        return _looked_up(alone, known)
    return _REFERENCE.sub(lambda found: str(_looked_up(found, known)), given)


def _looked_up(found: re.Match[str], known: Mapping[str, Told]) -> Any:
    reference, path = found.groups()
    value = known[reference]["body"] if reference in known and known[reference]["httpStatusCode"] < 300 else None
    for step in re.findall(r"\w+", path):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            value = value.get(step) if isinstance(value, dict) else None
    if value is None:
        told = f"Invalid reference specified. No value for {reference}.{path} found in {reference}"
        raise RefusedError("PROCESSING_HALTED", told)
    return value


def _response(subrequest: Subrequest, error: RefusedError) -> Told:
    return _told(subrequest, Answer.refusing(error))


def _told(subrequest: Subrequest, answer: Answer) -> Told:
    shown = {"body": answer.value, "httpHeaders": dict(answer.headers), "httpStatusCode": answer.status}
    return shown | {"referenceId": subrequest["referenceId"]}
