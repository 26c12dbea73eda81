"""Making what is missing in a portal. May run again, and twice at the same time; what exists differently is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from connectors.base import ConnectorError, FieldNeed, Finding, RetryableError, Severity
from connectors.crm.hubspot.answers import ItemError, said
from connectors.crm.hubspot.client import Client, RefusedError, Request
from connectors.crm.hubspot.options import Anchor
from connectors.crm.hubspot.paths import Endpoint
from connectors.crm.hubspot.portal import Choice, Portal, Property
from connectors.crm.hubspot.rows import base_of
from connectors.crm.hubspot.schema import (
    ANCHOR,
    COMPANY_TYPE,
    GROUP,
    GROUP_LABEL,
    LIST_NAME,
    PINS,
    SPECS,
    UNIQUE_KEY,
    Spec,
    list_body,
)
from connectors.crm.hubspot.wire import LostError

_SETUP_KEY = "use the setup key: deploy/hubspot/README.md lists its scopes"
_FALLBACK = "none: notes are then found again by the mark in their text"


class _Said(msgspec.Struct, frozen=True):
    errors: tuple[ItemError, ...] = ()


class Setup:
    """One run of `setup`."""

    def __init__(self, client: Client, portal: Portal) -> None:
        self._client = client
        self._portal = portal
        self._dry = False

    def run(self, needs: Sequence[FieldNeed], *, dry_run: bool) -> Sequence[Finding]:
        """Findings of what was made and what could not be. Raises nothing: a fault is a finding."""
        self._dry = dry_run
        findings = [*self._properties(needs), *self._list(needs)]
        if all(each.severity is Severity.WARNING for each in findings):
            return [Finding(Severity.OK, "HubSpot", "has everything that it lets us make"), *findings]
        return findings

    def _properties(self, needs: Sequence[FieldNeed]) -> Iterator[Finding]:
        for object_type, specs in planned(self._client, needs).items():
            try:
                yield from self._of_one_object(object_type, specs)
            except ConnectorError as error:
                yield Finding(Severity.ERROR, object_type, str(error), error.remedy or _SETUP_KEY)
            except (RefusedError, LostError) as error:
                yield Finding(Severity.ERROR, object_type, str(error), _SETUP_KEY)
        yield from self._unique_keys()
        yield from self._unknown(needs)

    def _of_one_object(self, object_type: str, specs: Mapping[str, Spec]) -> Iterator[Finding]:
        known = self._portal.properties(object_type)
        missing = {name: spec for name, spec in specs.items() if name not in known}
        if missing:
            yield from self._make(object_type, missing)
        for name, spec in specs.items():
            if name in known:
                yield from self._compare(object_type, known[name], spec)

    def _make(self, object_type: str, missing: Mapping[str, Spec]) -> Iterator[Finding]:
        if not self._dry:
            self._group(object_type)
            body = {"inputs": [spec.body(name) for name, spec in missing.items()]}
            errors = self._post(Endpoint.NEW_PROPERTIES, object_type, body)
            self._portal.forget(object_type)
            known = self._portal.properties(object_type)
            lacking = [name for name in missing if name not in known]
            if lacking:
                why = "; ".join(errors) or "HubSpot did not say why"
                detail = f"could not make {', '.join(lacking)}: {why}"
                yield Finding(Severity.ERROR, object_type, detail, _SETUP_KEY)
            missing = {name: spec for name, spec in missing.items() if name in known}
        verb = "would be made" if self._dry else "made"
        for name, spec in missing.items():
            yield Finding(Severity.OK, f"{object_type}.{name}", f"{verb} as {'/'.join(spec.kind)}")

    def _group(self, object_type: str) -> None:
        body = {"name": GROUP, "label": GROUP_LABEL, "displayOrder": -1}
        self._post(Endpoint.GROUPS, object_type, body)

    def _post(self, endpoint: Endpoint, object_type: str, body: object) -> list[str]:
        """Make something; that it is there already is as good. Returns what HubSpot said of what it did not make."""
        request = Request(endpoint, {"type": object_type}, body, write=True)
        try:
            return [said(each) for each in self._client.change(request, _Said, self._client.until()).errors]
        except RefusedError as error:
            if error.answer.status in (400, 409):
                return [str(error)]
            raise

    def _compare(self, object_type: str, known: Property, spec: Spec) -> Iterator[Finding]:
        name = f"{object_type}.{known.name}"
        if known.type != spec.kind[0] and not (known.type == "enumeration" and spec.kind[0] == "bool"):
            detail = f"is of type {known.type}, not {spec.kind[0]}; it was left alone"
            yield Finding(Severity.ERROR, name, detail, "rename or delete it in HubSpot, or map another property")
            return
        present = {each.value for each in known.options or ()}
        lacking = [each for each in spec.options if each["value"] not in present]
        if lacking and known.type == "enumeration" and not spec.owner:
            yield self._add_options(object_type, known, lacking)

    def _add_options(self, object_type: str, known: Property, lacking: Sequence[Mapping[str, object]]) -> Finding:
        words = ", ".join(str(each["value"]) for each in lacking)
        if not self._dry:
            present = [_told(each) for each in known.options or ()]
            options = [{**each, "displayOrder": place} for place, each in enumerate([*present, *lacking])]
            parts = {"type": object_type, "name": known.name}
            request = Request(Endpoint.PROPERTY, parts, {"options": options}, method="PATCH", write=True)
            self._client.change(request, _Said, self._client.until())
            self._portal.forget(object_type)
        verb = "would be given" if self._dry else "was given"
        return Finding(Severity.OK, f"{object_type}.{known.name}", f"{verb} the options {words}")

    def _unique_keys(self) -> Iterator[Finding]:
        """Try to let HubSpot itself hold that a note, or a task, exists once. Not every portal allows it."""
        for object_type in ("notes", "tasks"):
            try:
                if next(iter(UNIQUE_KEY)) in self._portal.properties(object_type):
                    continue
                made = list(self._make(object_type, UNIQUE_KEY))
            except (ConnectorError, RefusedError, LostError) as error:
                made = [Finding(Severity.WARNING, object_type, str(error))]
            for each in made:
                if each.severity is Severity.OK:
                    yield each
                else:
                    detail = f"no unique key, so exactness rests on the mark: {each.detail}"
                    yield Finding(Severity.WARNING, object_type, detail, _FALLBACK)

    def _unknown(self, needs: Sequence[FieldNeed]) -> Iterator[Finding]:
        for need in needs:
            base = base_of(need.field_name)
            try:
                there = (
                    not base
                    or base in SPECS.get(need.object_name, {})
                    or base in self._portal.properties(need.object_name)
                )
            except ConnectorError:
                continue
            if not there:
                severity = Severity.ERROR if need.required or need.write else Severity.WARNING
                detail = f"is not there, and is none of ours; {need.core_name} needs it"
                yield Finding(
                    severity, f"{need.object_name}.{base}", detail, "make it in HubSpot, or correct the mapping"
                )

    def _list(self, needs: Sequence[FieldNeed]) -> Iterator[Finding]:
        flag = next((need.field_name for need in needs if need.core_name == "flag_escalated"), "")
        try:
            if flag and (finding := self._one_list(flag)) is not None:
                yield finding
        except (ConnectorError, RefusedError, LostError) as error:
            yield Finding(Severity.WARNING, f"list {LIST_NAME}", str(error), "make it by hand, or add crm.lists.write")

    def _one_list(self, flag: str) -> Finding | None:
        there = list_filters(self._client)
        if there is None and self._dry:
            return Finding(Severity.OK, f"list {LIST_NAME}", "would be made")
        if there is None:
            said_no = self._post(Endpoint.LISTS, "", list_body(flag))
            there = list_filters(self._client) if said_no else f'"{flag}"'
            if there is None:
                raise RetryableError(f"the list could not be made: {'; '.join(said_no)}")
            if not said_no:
                return Finding(Severity.OK, f"list {LIST_NAME}", "made")
        if f'"{flag}"' not in there:
            detail = "is there with another filter; it was left alone"
            return Finding(Severity.WARNING, f"list {LIST_NAME}", detail, "rename yours, and run `setup` again")
        return None


def _told(choice: Choice) -> dict[str, object]:
    """An option as HubSpot takes it back: without what it did not say, but for what it insists on."""
    told = {name: value for name, value in msgspec.to_builtins(choice).items() if value is not None}
    return {"label": choice.value, "hidden": False, **told}


def planned(client: Client, needs: Sequence[FieldNeed]) -> Mapping[str, Mapping[str, Spec]]:
    """The properties of ours that the mapping and the options ask for, by object."""
    wanted: dict[str, dict[str, Spec]] = {}
    for need in needs:
        base = base_of(need.field_name)
        if base in SPECS.get(need.object_name, {}):
            wanted.setdefault(need.object_name, {})[base] = SPECS[need.object_name][base]
    if client.options.pin_while:
        wanted.setdefault("companies", {}).update(PINS)
    if client.options.anchor is Anchor.TICKET:
        wanted.setdefault("tickets", {}).update(ANCHOR)
    return wanted


class _List(msgspec.Struct, frozen=True, rename="camel"):
    filter_branch: msgspec.Raw = msgspec.Raw(b"")


class _Fetched(msgspec.Struct, frozen=True):
    list: _List


def list_filters(client: Client) -> str | None:
    """The filters of our list as text; None when there is no such list."""
    parts, query = {"type": COMPANY_TYPE, "name": LIST_NAME}, [("includeFilters", "true")]
    request = Request(Endpoint.LIST_BY_NAME, parts, query=query)
    try:
        return bytes(client.change(request, _Fetched, client.until()).list.filter_branch).decode()
    except RefusedError as error:
        if error.answer.status == 404:
            return None
        raise
