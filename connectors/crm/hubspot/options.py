"""The options of the HubSpot connector, read and checked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.base import FatalError
from connectors.crm.hubspot.pace import PLANS, Plan
from connectors.crm.hubspot.paths import VERSIONS

_HOST = "https://api.hubapi.com"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SECRETS = ("token", "client_id", "client_secret", "refresh_token")

_BILLING: Mapping[str, Sequence[str]] = {"hs_ticket_category": ("BILLING_ISSUE",)}

T = TypeVar("T")


class Anchor(StrEnum):
    """On what the notes of an escalation stand besides the company."""

    COMPANY = "company"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Options:
    """What ops may set. `only` narrows a kind: kind -> property -> values that count; None leaves it to the object.

    `pin_while` names the flag's property while which our newest note stays pinned; empty never pins.
    """

    host: str = _HOST
    api_version: str = VERSIONS[0]
    plan: Plan = field(default_factory=Plan)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    connect_timeout: float = 5.0
    read_timeout: float = 15.0
    deadline: float = 25.0
    settle: timedelta = timedelta(seconds=5)
    anchor: Anchor = Anchor.COMPANY
    anchor_pipeline: str = "0"
    anchor_stage: str = "1"
    only: Mapping[str, Mapping[str, Sequence[str]]] | None = None
    pin_while: str = ""
    fallback_owner: str = ""
    proxy: str = ""
    ca_file: str = ""

    def narrowed(self, kind: str, object_name: str) -> Mapping[str, Sequence[str]]:
        """Which values count for a kind. Tickets are disputes only where their category says so."""
        if self.only is not None:
            return self.only.get(kind, {})
        return _BILLING if (kind, object_name) == ("dispute", "tickets") else {}


def read_options(settings: Mapping[str, object]) -> Options:
    """Check what the configuration gives. Raises FatalError naming the option and what it may be."""
    known = {each.name for each in fields(Options)} | set(_SECRETS)
    unknown = sorted(set(settings) - known)
    if unknown:
        raise FatalError(f"HubSpot has no option {unknown[0]!r}", f"known: {', '.join(sorted(known))}")
    return Options(
        host=_host(_text(settings, "host", _HOST)),
        api_version=_one_of(settings, "api_version", {each: each for each in VERSIONS}, VERSIONS[0]),
        plan=_one_of(settings, "plan", PLANS, "oauth" if settings.get("refresh_token") else "professional"),
        zone=_zone(_text(settings, "zone", "UTC")),
        connect_timeout=_seconds(settings, "connect_timeout", 5.0),
        read_timeout=_seconds(settings, "read_timeout", 15.0),
        deadline=_seconds(settings, "deadline", 25.0),
        settle=timedelta(seconds=_seconds(settings, "settle", 5.0)),
        anchor=_one_of(settings, "anchor", {each.value: each for each in Anchor}, Anchor.COMPANY.value),
        anchor_pipeline=_text(settings, "anchor_pipeline", "0"),
        anchor_stage=_text(settings, "anchor_stage", "1"),
        only=None if settings.get("only") is None else _only(settings["only"]),
        pin_while=_text(settings, "pin_while", ""),
        fallback_owner=_text(settings, "fallback_owner", ""),
        proxy=_text(settings, "proxy", ""),
        ca_file=_text(settings, "ca_file", ""),
    )


def _text(settings: Mapping[str, object], name: str, default: str) -> str:
    value = settings.get(name)
    return default if value is None else str(value).strip()


def _one_of(settings: Mapping[str, object], name: str, choices: Mapping[str, T], default: str) -> T:
    chosen = _text(settings, name, default)
    if chosen not in choices:
        raise FatalError(f"`{name}` of HubSpot is {chosen!r}", f"set it to one of {', '.join(choices)}")
    return choices[chosen]


def _seconds(settings: Mapping[str, object], name: str, default: float) -> float:
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) or not 0 < value <= 600:
        raise FatalError(f"`{name}` of HubSpot is {value!r}", "give seconds, above 0 and at most 600")
    return float(value)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise FatalError(
            f"`zone` of HubSpot is {name!r}", "give the portal's time zone, such as Asia/Jakarta"
        ) from error


def _host(address: str) -> str:
    full = address if "://" in address else f"https://{address}"
    parts = urlsplit(full)
    if not parts.hostname or parts.path.strip("/") or parts.query:
        raise FatalError(f"`host` of HubSpot is {address!r}", f"give only scheme and name, such as {_HOST}")
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise FatalError("`host` of HubSpot may leave out TLS on this machine only", "use https")
    return f"{parts.scheme}://{parts.netloc}"


def _only(given: object) -> Mapping[str, Mapping[str, Sequence[str]]]:
    if not isinstance(given, Mapping) or not all(isinstance(each, Mapping) for each in given.values()):
        raise FatalError(
            "`only` of HubSpot is not understood", "write only: {dispute: {hs_ticket_category: [BILLING_ISSUE]}}"
        )
    return {str(kind): {str(name): _listed(values) for name, values in each.items()} for kind, each in given.items()}


def _listed(values: object) -> tuple[str, ...]:
    return tuple(str(each) for each in values) if isinstance(values, (list, tuple)) else (str(values),)
