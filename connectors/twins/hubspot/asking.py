"""One request, whichever version of the API its path belongs to.

v1 to v4 put the version after the product (/crm/v3/objects/companies), dated versions after the resource
(/crm/objects/2026-09/companies): "API versioning" of HubSpot's developer docs. Both become the same question here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.twins.hubspot.errors import misshapen, not_found
from connectors.twins.web import Call

DATED = ("2025-09", "2026-03", "2026-09")
ENFORCING = "2026-09"
"""From here on the portal's rules hold for API writes too."""
_OLD = re.compile(r"/crm/(v3|v4)/(objects|properties|owners|pipelines|lists|associations|schemas)(?:/(.*))?")
_NEW = re.compile(r"/crm/(objects|properties|owners|pipelines|lists|associations|schemas)/(\d{4}-\d\d)(?:/(.*))?")
_OTHER = re.compile(r"/(account-info|settings/currencies|settings|oauth)/(v1|v3|\d{4}-\d\d)(?:/(.*))?")


@dataclass(frozen=True, slots=True)
class Ask:
    """`resource` names what is asked, `parts` the rest of the path."""

    method: str
    version: str
    resource: str
    parts: tuple[str, ...]
    query: Mapping[str, list[str]]
    body: Any
    base: str

    def one(self, name: str, otherwise: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [otherwise])[0]

    def many(self, name: str) -> list[str]:
        """All values of a query parameter, repeated or separated by commas."""
        return [each for value in self.query.get(name, []) for each in value.split(",") if each]

    @property
    def dated(self) -> bool:
        """Whether this is one of the versions named by a date."""
        return self.version in DATED

    @property
    def enforcing(self) -> bool:
        """Whether the portal's rules hold."""
        return self.dated and self.version >= ENFORCING

    def object(self, known: Sequence[str]) -> Mapping[str, Any]:
        """The body as an object that has no other fields than the known ones. Raises RefusedError."""
        if not isinstance(self.body, dict):
            raise misshapen("Cannot deserialize value from something that is no object")
        unknown = sorted(set(self.body) - set(known))
        if unknown:
            raise misshapen(f'Unrecognized field "{unknown[0]}" (known: {", ".join(known)})')
        return self.body


def asked(call: Call) -> Ask:
    """Read the path. Raises RefusedError: 404 for what is no path of this API, 400 for a body that is no JSON."""
    version, resource, rest = _path(call.path)
    if version not in (*DATED, "v1", "v3", "v4"):
        raise not_found()
    parts = tuple(each for each in (rest or "").split("/") if each)
    return Ask(call.method, version, resource, parts, call.query, _body(call), call.path)


def _path(path: str) -> tuple[str, str, str | None]:
    if found := _OLD.fullmatch(path):
        return found[1], found[2], found[3]
    if found := _NEW.fullmatch(path):
        return found[2], found[1], found[3]
    if found := _OTHER.fullmatch(path):
        return found[2], found[1], found[3]
    raise not_found()


def _body(call: Call) -> Any:
    if not call.body or "json" not in call.headers.get("content-type", ""):
        return None
    try:
        return call.json()
    except (ValueError, RecursionError):
        raise misshapen("Unexpected character") from None
