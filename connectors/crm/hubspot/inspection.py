"""`check`: is everything there, and how does this portal do what HubSpot's documents leave open? Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from connectors.base import ConnectorError, FieldNeed, Finding, Severity
from connectors.crm.hubspot.activities import KEY, NOTES, TASKS
from connectors.crm.hubspot.bodies import marks
from connectors.crm.hubspot.client import Client, ForbiddenError, RefusedError, Request
from connectors.crm.hubspot.fetching import Found
from connectors.crm.hubspot.paths import Endpoint
from connectors.crm.hubspot.portal import Portal
from connectors.crm.hubspot.rows import base_of, records
from connectors.crm.hubspot.schema import LIST_NAME
from connectors.crm.hubspot.setup import list_filters
from connectors.crm.hubspot.wire import LostError

_ID = "hs_object_id"
_OPTIONAL = ("account", f"list {LIST_NAME}", "search", "mark")
_SETUP = "run `setup` with the setup key, or correct the mapping"


class _Account(msgspec.Struct, frozen=True, rename="camel"):
    portal_id: int | str | None = None
    time_zone: str | None = None


def inspect(client: Client, portal: Portal, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
    """Everything that was looked at. Raises nothing: a fault is a finding."""
    steps: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("account", lambda: _account(client)),
        ("properties", lambda: _properties(portal, needs)),
        ("owners", lambda: _owners(portal)),
        ("objects", lambda: _objects(client, needs)),
        ("notes and tasks", lambda: _activities(portal)),
        (f"list {LIST_NAME}", lambda: _list(client)),
        ("search", lambda: _search(client, needs)),
        ("mark", lambda: _mark(client)),
    )
    findings: list[Finding] = []
    for name, step in steps:
        try:
            findings += step()
        except (ForbiddenError, RefusedError, LostError) as error:
            severity = Severity.WARNING if name in _OPTIONAL else Severity.ERROR
            findings.append(Finding(severity, f"HubSpot {name}", str(error), "see deploy/hubspot/README.md"))
        except ConnectorError as error:
            remedy = error.remedy or "repeat in a minute"
            return [*findings, Finding(Severity.ERROR, f"HubSpot {name}", str(error), remedy)]
    return findings


def _account(client: Client) -> Iterator[Finding]:
    """Whose portal it is; also the cheapest proof that the key is good."""
    account = client.read(Request(Endpoint.ACCOUNT, {}), _Account)
    detail = (
        f"portal {account.portal_id}, {account.time_zone or 'time zone not told'}, API {client.options.api_version}"
    )
    yield Finding(Severity.OK, "HubSpot account", detail)
    if account.time_zone and client.options.zone.key != account.time_zone and client.options.plan.per_day is not None:
        remedy = f"set the option zone: {account.time_zone}, so that the daily limit is counted from its midnight"
        yield Finding(Severity.WARNING, "HubSpot account", f"`zone` is {client.options.zone.key}", remedy)


def _properties(portal: Portal, needs: Sequence[FieldNeed]) -> Iterator[Finding]:
    for need in needs:
        base = base_of(need.field_name)
        if not base:
            continue
        name, known = f"{need.object_name}.{base}", portal.properties(need.object_name).get(base)
        if known is None:
            severity = Severity.ERROR if need.required or need.write else Severity.WARNING
            yield Finding(severity, name, f"is not there; {need.core_name} needs it", _SETUP)
        elif need.write and known.read_only:
            detail = f"cannot be written; {need.core_name} needs it"
            yield Finding(Severity.ERROR, name, detail, "map a property that the worker may write")
        else:
            yield Finding(Severity.OK, name, f"there, for {need.core_name}")


def _owners(portal: Portal) -> Iterator[Finding]:
    owners = portal.owners()
    active = sum(not each.archived for each in owners.values())
    yield Finding(Severity.OK, "HubSpot owners", f"{active} active, {len(owners) - active} who left")


def _objects(client: Client, needs: Sequence[FieldNeed]) -> Iterator[Finding]:
    """Each object can be searched, and comes in the order of its ids: windows are drained by it."""
    for object_type in dict.fromkeys((*(need.object_name for need in needs), NOTES.object_type, TASKS.object_type)):
        body = _body([[{"propertyName": _ID, "operator": "GT", "value": "0"}]], 5)
        found = client.read(Request(Endpoint.SEARCH, {"type": object_type}, body), Found)
        ids = [int(msgspec.json.decode(raw, type=_Id).id) for raw in found.results]
        if ids != sorted(ids):
            remedy = "report it: without this order the worker reads nothing rather than lose records"
            yield Finding(Severity.ERROR, f"HubSpot {object_type}", "do not come in the order of their ids", remedy)
        else:
            yield Finding(Severity.OK, f"HubSpot {object_type}", f"{found.total} can be searched")


class _Id(msgspec.Struct, frozen=True):
    id: str


def _body(groups: Sequence[Sequence[object]], limit: int) -> dict[str, object]:
    return {
        "filterGroups": [{"filters": list(filters)} for filters in groups],
        "sorts": [_ID],
        "properties": [_ID],
        "limit": limit,
        "after": "0",
    }


def _activities(portal: Portal) -> Iterator[Finding]:
    for kind in (NOTES, TASKS):
        definition = portal.properties(kind.object_type).get(KEY)
        if definition is not None and definition.has_unique_value:
            detail = f"{KEY} is unique: HubSpot itself holds that each exists once"
            yield Finding(Severity.OK, f"HubSpot {kind.object_type}", detail)
        else:
            detail = f"no unique {KEY}: exactness rests on the mark in the text, looked up through the company"
            remedy = f"run `setup` with crm.schemas.{kind.object_type}.write, if your portal has it"
            yield Finding(Severity.WARNING, f"HubSpot {kind.object_type}", detail, remedy)


def _list(client: Client) -> Iterator[Finding]:
    if list_filters(client) is None:
        yield Finding(Severity.WARNING, f"list {LIST_NAME}", "is not there", "run `setup` with crm.lists.write")
    else:
        yield Finding(Severity.OK, f"list {LIST_NAME}", "there")


def _search(client: Client, needs: Sequence[FieldNeed]) -> Iterator[Finding]:
    """Whether a flag that was never set is found as empty: the search for accounts to flag rests on it."""
    need = next((each for each in needs if each.core_name == "flag_escalated"), None)
    if need is None:
        return
    totals = {}
    for operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        body = _body([[{"propertyName": need.field_name, "operator": operator}]], 1)
        request = Request(Endpoint.SEARCH, {"type": need.object_name}, body)
        totals[operator] = client.read(request, Found).total or 0
    body = _body([[{"propertyName": _ID, "operator": "GT", "value": "0"}]], 1)
    total = client.read(Request(Endpoint.SEARCH, {"type": need.object_name}, body), Found).total or 0
    told = f"{totals['HAS_PROPERTY']} with and {totals['NOT_HAS_PROPERTY']} without a flag, of {total}"
    if sum(totals.values()) == total:
        yield Finding(Severity.OK, "HubSpot search", f"finds what was never set: {told}")
    else:
        remedy = "repeat it when nobody edits companies; if it stays, report it: empty flags are not all found"
        yield Finding(Severity.WARNING, "HubSpot search", told, remedy)


def _mark(client: Client) -> Iterator[Finding]:
    """What HubSpot made of the newest notes of ours that its search finds: the mark must have survived."""
    body = _body([[{"propertyName": NOTES.body, "operator": "CONTAINS_TOKEN", "value": "ESC*"}]], 5) | {
        "properties": [NOTES.body]
    }
    found = client.read(Request(Endpoint.SEARCH, {"type": NOTES.object_type}, body), Found)
    bodies = [str(each.properties.get(NOTES.body) or "") for each in records(found.results)[0]]
    ours = [each for each in bodies if any(marks(each))]
    if ours:
        tags = "with" if any("<strong>" in each for each in ours) else "without"
        detail = f"{len(ours)} of ours looked at: the mark is there, {tags} bold titles"
        yield Finding(Severity.OK, "HubSpot notes", detail)
