"""One request to a resource and its answer, whether it came alone or inside a composite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from connectors.twins.salesforce.errors import RefusedError, malformed, not_found


@dataclass(frozen=True, slots=True)
class Ask:
    """`parts` is the path below /services/data/vXX.X/, `body` decoded JSON or None."""

    method: str
    version: str
    parts: tuple[str, ...]
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Any = None

    def one(self, name: str, otherwise: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [otherwise])[0]

    def record(self) -> Mapping[str, Any]:
        """The body as one record. Raises RefusedError."""
        if not isinstance(self.body, dict):
            raise malformed("Unexpected end-of-input or no JSON object at [line:1, column:0]")
        return self.body

    @property
    def names(self) -> list[str]:
        """What `fields` asks for."""
        return [each.strip() for each in self.one("fields").split(",") if each.strip()]


@dataclass(frozen=True, slots=True)
class Answer:
    """`value` is JSON to be; None is an empty body."""

    status: int = 200
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether it is a refusal."""
        return self.status >= 300

    @classmethod
    def refusing(cls, error: RefusedError) -> Answer:
        """The refusal as an answer; several matches of an external id are told by their addresses."""
        return cls(error.status, error.body())


def split(target: str) -> tuple[str, tuple[str, ...], Mapping[str, list[str]]]:
    """A target such as /services/data/v62.0/query?q=... -> version, parts, query. Raises RefusedError."""
    read = urlsplit(target)
    pieces = [unquote(each) for each in read.path.strip("/").split("/")]
    if pieces[:2] != ["services", "data"] or len(pieces) < 3 or not pieces[2].startswith("v"):
        raise not_found()
    query = parse_qs(read.query, keep_blank_values=True)
    return pieces[2][1:], tuple(each for each in pieces[3:] if each), query
