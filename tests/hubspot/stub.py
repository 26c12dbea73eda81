"""A small HubSpot over real HTTP, for faults that a rehearsal server does not play: it drops, hangs and lies.

It knows what the traps need and nothing more; the strict one is `connectors/twins/hubspot`.
"""

from __future__ import annotations

import bisect
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
Answer = tuple[int, object]


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def refused(category: str, message: str, status: int = 400, **more: object) -> Answer:
    return status, {"status": "error", "message": message, "category": category, "correlationId": "c-1", **more}


def item_error(category: str, message: str, **context: list[str]) -> dict[str, object]:
    return {"status": "error", "category": category, "message": message, "context": context, "errors": [], "links": {}}


def definition(name: str, kind: str = "string", **more: object) -> dict[str, object]:
    field_type = {"bool": "booleancheckbox", "enumeration": "select", "datetime": "date"}.get(kind, "text")
    return {"name": name, "label": name, "groupName": "g", "type": kind, "fieldType": field_type, "options": [], **more}


@dataclass
class Seen:
    """One request as it came in."""

    verb: str
    path: str
    query: Mapping[str, list[str]]
    body: Any
    token: str


@dataclass
class Fault:
    """What to do instead of answering, when the path ends so. `answer` gives a reply, the others break the line."""

    ending: str
    answer: Callable[[], tuple[int, bytes, dict[str, str]]] | None = None
    drop_before: bool = False
    drop_after: bool = False
    hang: float = 0.0
    apply_first: bool = False
    times: int = 1
    after: int = 0


def body(status: int, content: object, **headers: str) -> Callable[[], tuple[int, bytes, dict[str, str]]]:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: (status, raw, {"Content-Type": "application/json", **named})


@dataclass
class Portal:
    """One account in memory."""

    now: datetime = NOW
    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    definitions: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    links: dict[tuple[str, str], dict[str, list[tuple[str, int]]]] = field(default_factory=dict)
    owners: list[dict[str, object]] = field(default_factory=list)
    lists: dict[str, dict[str, object]] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    seen: list[Seen] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=lambda: {"key-1"})
    unique_refused: set[str] = field(default_factory=set)
    order: dict[str, list[int]] = field(default_factory=dict)
    shuffle: bool = False
    vanishing: bool = False
    vetoed: set[str] = field(default_factory=set)
    link_page: int = 500
    link_lag: float = 0.0
    linked_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    next_id: int = 9_007_199_254_740_993
    lock: threading.RLock = field(default_factory=threading.RLock)

    def define(self, object_type: str, *definitions: dict[str, object]) -> None:
        self.definitions.setdefault(object_type, {}).update({str(each["name"]): each for each in definitions})

    def put(self, object_type: str, key: str, at: datetime | None = None, **properties: str | None) -> str:
        known = self.objects.setdefault(object_type, {})
        record = known.setdefault(key, {"properties": {}, "archived": False})
        record["properties"].update(properties)
        record["at"] = at or self.now
        return key

    def link(self, source: str, key: str, target: str, other: str, type_id: int = 0) -> None:
        for one, two, a, b in ((source, target, key, other), (target, source, other, key)):
            self.linked_at.setdefault((a, b), self.now)
            to = self.links.setdefault((one, two), {}).setdefault(a, [])
            if (b, type_id) not in to:
                to.append((b, type_id))

    def asked(self, ending: str) -> list[Seen]:
        return [each for each in self.seen if each.path.endswith(ending)]

    # -- answers -----------------------------------------------------------------------------------------------------

    def answer(self, verb: str, path: str, query: Mapping[str, list[str]], given: Any) -> Answer:
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match parts:
            case ["crm", "objects", _, kind] | ["crm", "v3", "objects", kind]:
                return self._list(kind, query)
            case ["crm", "objects", _, kind, "search"] | ["crm", "v3", "objects", kind, "search"]:
                return self._search(kind, given)
            case ["crm", "objects", _, kind, "batch", action] | ["crm", "v3", "objects", kind, "batch", action]:
                return {"read": self._read, "update": self._update, "create": self._create, "upsert": self._upsert}[
                    action
                ](kind, given)
            case ["crm", "associations", _, source, target, "batch", "read"]:
                return self._links(source, target, given["inputs"])
            case ["crm", "v4", "associations", source, target, "batch", "read"]:
                return self._links(source, target, given["inputs"])
            case ["crm", "associations", _, source, target, "batch", "associate", "default"]:
                return self._associate(source, target, given["inputs"])
            case ["crm", "owners", _] | ["crm", "v3", "owners"]:
                archived = query.get("archived") == ["true"]
                return 200, {"results": [each for each in self.owners if bool(each.get("archived")) is archived]}
            case ["crm", "pipelines", _, _] | ["crm", "v3", "pipelines", _]:
                return 200, {"results": [{"id": "0", "label": "Support", "stages": _STAGES}]}
            case ["crm", "properties", _, kind, *rest] | ["crm", "v3", "properties", kind, *rest]:
                return self._properties(verb, kind, rest, given)
            case ["crm", "lists", _] | ["crm", "v3", "lists"]:
                return self._make_list(given)
            case ["crm", "lists", _, "object-type-id", _, "name", name]:
                found = self.lists.get(name)
                return (200, {"list": found}) if found else refused("OBJECT_NOT_FOUND", "no such list", 404)
            case ["account-info", _, "details"]:
                return 200, {"portalId": 1, "timeZone": "Asia/Jakarta", "companyCurrency": "IDR"}
            case ["oauth", _, "token"]:
                self.tokens = {f"access-{len(self.asked('/token'))}"}
                return 200, {"access_token": next(iter(self.tokens)), "expires_in": 1800, "token_type": "bearer"}
        return refused("OBJECT_NOT_FOUND", f"no such path {path}", 404)

    def shown(self, kind: str, key: str, names: list[str]) -> dict[str, object]:
        record = self.objects[kind][key]
        own = {"hs_object_id": key, "hs_lastmodifieddate": iso(record["at"]), "createdate": iso(record["at"])}
        every = {**own, **record["properties"]}
        chosen = {name: every.get(name) for name in names if name in self.definitions.get(kind, {})}
        stamps = {"createdAt": iso(record["at"]), "updatedAt": iso(record["at"])}
        return {"id": key, "properties": chosen, **stamps, "archived": record["archived"]}

    def _live(self, kind: str, behind: int = 0) -> list[str]:
        known = self.objects.get(kind, {})
        if len(self.order.get(kind, ())) != len(known):
            self.order[kind] = sorted(int(key) for key in known)
        order = self.order.get(kind, [])
        found = [str(each) for each in order[bisect.bisect_right(order, behind) :]]
        return [key for key in found if not known[key]["archived"]]

    def _list(self, kind: str, query: Mapping[str, list[str]]) -> Answer:
        limit, after = int(query["limit"][0]), int(query.get("after", ["0"])[0])
        keys = [key for key in self._live(kind) if int(key) > after]
        page = [self.shown(kind, key, query.get("properties", [])) for key in keys[:limit]]
        more = {"paging": {"next": {"after": keys[limit - 1]}}} if len(keys) > limit else {}
        return 200, {"results": page, **more}

    def _search(self, kind: str, given: Any) -> Answer:
        groups = given["filterGroups"]
        if len(groups) > 5 or given["limit"] > 200 or sum(len(each["filters"]) for each in groups) > 25:
            return refused("VALIDATION_ERROR", "over the limits of search")
        tests = [[_test(each) for each in group["filters"]] for group in groups]
        known = self.objects.get(kind, {})
        behind = min((int(f["value"]) for g in groups for f in g["filters"] if f["operator"] == "GT"), default=0)
        keys = [key for key in self._live(kind, behind) if any(all(t(key, known[key]) for t in g) for g in tests)]
        if self.vanishing and any(f["operator"] == "NOT_HAS_PROPERTY" for g in groups for f in g["filters"]):
            keys = []
        start = int(given.get("after") or 0)
        if start + given["limit"] > 10_000:
            return refused("VALIDATION_ERROR", "paging through more than 10000 results")
        page = keys[start : start + given["limit"]]
        if self.shuffle:
            page = page[::-1]
        more = {"paging": {"next": {"after": str(start + len(page))}}} if len(keys) > start + len(page) else {}
        found = [self.shown(kind, key, given["properties"]) for key in page]
        return 200, {"total": len(keys), "results": found, **more}

    def _read(self, kind: str, given: Any) -> Answer:
        unique, found, missing = given.get("idProperty"), [], []
        survivors = {
            old: key
            for key, record in self.objects.get(kind, {}).items()
            for old in (record["properties"].get("hs_merged_object_ids") or "").split(";")
        }
        for each in given["inputs"]:
            key = self._by(kind, unique, each["id"]) if unique else survivors.get(each["id"], each["id"])
            if key in self.objects.get(kind, {}) and not self.objects[kind][key]["archived"]:
                found.append(self.shown(kind, key, given["properties"]))
            else:
                missing.append(each["id"])
        errors = [item_error("OBJECT_NOT_FOUND", "Could not get some", ids=missing)] if missing else []
        return 207 if errors else 200, {"status": "COMPLETE", "results": found, "errors": errors}

    def _by(self, kind: str, unique: str, value: str) -> str:
        return next((k for k, r in self.objects.get(kind, {}).items() if r["properties"].get(unique) == value), "")

    def _update(self, kind: str, given: Any) -> Answer:
        inputs, done, errors = given["inputs"], [], []
        if len({each["id"] for each in inputs}) < len(inputs):
            return refused("VALIDATION_ERROR", "Duplicate IDs found in batch input")
        if self.vetoed & {each["id"] for each in inputs}:
            return refused("VALIDATION_ERROR", "Region is required")
        for each in inputs:
            if each["id"] not in self._live(kind):
                errors.append(item_error("OBJECT_NOT_FOUND", "gone", objectWriteTraceId=[each["objectWriteTraceId"]]))
                continue
            self.put(kind, each["id"], **each["properties"])
            done.append(self.shown(kind, each["id"], list(each["properties"])))
        return 207 if errors else 200, {"status": "COMPLETE", "results": done, "errors": errors}

    def _create(self, kind: str, given: Any) -> Answer:
        made, errors = [], []
        unique = [name for name, each in self.definitions.get(kind, {}).items() if each.get("hasUniqueValue")]
        for each in given["inputs"]:
            if any(name in each["properties"] and self._by(kind, name, each["properties"][name]) for name in unique):
                trace = [each["objectWriteTraceId"]]
                errors.append(item_error("VALIDATION_ERROR", "has that value already", objectWriteTraceId=trace))
            else:
                made.append(self._new(kind, each))
        return 201, {"status": "COMPLETE", "results": made, "errors": errors}

    def _new(self, kind: str, each: Any) -> dict[str, object]:
        self.next_id += 1
        key = self.put(kind, str(self.next_id), **each["properties"])
        for link in each.get("associations", []):
            type_id = link["types"][0]["associationTypeId"]
            target = "companies" if type_id in (190, 192, 339) else "tickets"
            self.link(kind, key, target, link["to"]["id"], type_id)
        return {**self.shown(kind, key, list(each["properties"])), "objectWriteTraceId": each["objectWriteTraceId"]}

    def _upsert(self, kind: str, given: Any) -> Answer:
        made: list[dict[str, object]] = []
        for each in given["inputs"]:
            key = self._by(kind, each["idProperty"], each["id"])
            if key:
                self.put(kind, key, **each["properties"])
                made.append({**self.shown(kind, key, list(each["properties"])), "new": False})
            else:
                made.append({**self._new(kind, each), "new": True})
        return 200, {"status": "COMPLETE", "results": made}

    def _links(self, source: str, target: str, inputs: list[dict[str, str]]) -> Answer:
        if len(inputs) > 1000:
            return refused("VALIDATION_ERROR", "at most 1000 inputs")
        known, results, errors = self.links.get((source, target), {}), [], []
        for each in inputs:
            start = int(each.get("after") or 0)
            shown = self.now - timedelta(seconds=self.link_lag)
            to = [one for one in known.get(each["id"], []) if self.linked_at[each["id"], one[0]] <= shown]
            if not to:
                none = item_error("OBJECT_NOT_FOUND", "none", fromObjectId=[each["id"]])
                errors.append({**none, "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"})
                continue
            page = [_target(*one) for one in to[start : start + self.link_page]]
            end = start + self.link_page
            more = {"paging": {"next": {"after": str(end)}}} if len(to) > end else {}
            results.append({"from": {"id": each["id"]}, "to": page, **more})
        return 207 if errors else 200, {"status": "COMPLETE", "results": results, "errors": errors}

    def _associate(self, source: str, target: str, inputs: list[dict[str, dict[str, str]]]) -> Answer:
        for each in inputs:
            self.link(source, each["from"]["id"], target, each["to"]["id"], 1000)
        return 200, {"status": "COMPLETE", "results": [{} for _ in inputs]}

    def _properties(self, verb: str, kind: str, rest: list[str], given: Any) -> Answer:
        known = self.definitions.setdefault(kind, {})
        if rest == ["groups"]:
            if given["name"] in self.groups:
                return refused("CONFLICT", "group exists", 409)
            self.groups.add(given["name"])
            return 201, given
        if rest == ["batch", "create"]:
            return self._new_properties(kind, given["inputs"])
        if verb == "PATCH":
            known[rest[0]]["options"] = given["options"]
            return 200, known[rest[0]]
        return 200, {"results": list(known.values())}

    def _new_properties(self, kind: str, inputs: list[dict[str, object]]) -> Answer:
        if kind in self.unique_refused and any(each.get("hasUniqueValue") for each in inputs):
            return refused("VALIDATION_ERROR", "unique values are not supported for this object")
        if any(each["name"] in self.definitions[kind] for each in inputs):
            return refused("CONFLICT", "property exists", 409)
        self.define(kind, *inputs)
        return 201, {"status": "COMPLETE", "results": inputs}

    def _make_list(self, given: Any) -> Answer:
        if given["name"] in self.lists:
            return refused("VALIDATION_ERROR", "list name exists")
        self.lists[given["name"]] = given
        return 200, {"list": given}


_STANDARD = {
    "companies": ("name", "hubspot_owner_id", "hs_parent_company_id", "hs_pinned_engagement_id"),
    "tickets": (
        *("subject", "content", "source_type", "hs_ticket_category", "hs_ticket_priority"),
        *("hs_pipeline", "hs_pipeline_stage", "closed_date"),
    ),
    "contacts": ("email", "jobtitle"),
    "notes": ("hs_note_body", "hs_timestamp"),
    "tasks": ("hs_task_body", "hs_task_subject", "hs_timestamp"),
}


def furnish(portal: Portal) -> None:
    """What every account has from the start."""
    for object_type, names in _STANDARD.items():
        portal.define(object_type, definition("hs_object_id", "number"), definition("hs_merged_object_ids"))
        portal.define(object_type, *(definition(name, "datetime") for name in ("hs_lastmodifieddate", "createdate")))
        portal.define(object_type, *(definition(name) for name in names))
    portal.owners = [
        {"id": "101", "email": "sari@example.com", "firstName": "Sari", "lastName": "Hartono"},
        {"id": "102", "email": "gone@example.com", "firstName": "Gone", "lastName": "Person", "archived": True},
    ]


_STAGES = [
    {"id": "1", "label": "New", "metadata": {"ticketState": "OPEN"}},
    {"id": "4", "label": "Closed", "metadata": {"ticketState": "CLOSED"}},
]


def _target(other: str, type_id: int) -> dict[str, object]:
    return {"toObjectId": other, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": type_id}]}


def _test(given: dict[str, Any]) -> Callable[[str, dict[str, Any]], bool]:
    """One filter, prepared once: searches over thousands of records shall not take seconds."""
    name, operator = given["propertyName"], given["operator"]
    if operator == "GT":
        assert name == "hs_object_id"
        behind = int(given["value"])
        return lambda key, _: int(key) > behind
    if operator == "BETWEEN":
        low, high = (datetime.fromtimestamp(int(given[each]) / 1000, UTC) for each in ("value", "highValue"))
        return lambda _, record: low <= record["at"] <= high
    return lambda _, record: _holds(record["properties"].get(name), given)


def _holds(value: Any, given: dict[str, Any]) -> bool:
    empty = value in (None, "")
    match given["operator"]:
        case "EQ":
            return not empty and str(value).casefold() == str(given["value"]).casefold()
        case "IN":
            return value in given["values"]
        case "HAS_PROPERTY":
            return not empty
        case "NOT_HAS_PROPERTY":
            return empty
    raise AssertionError(given["operator"])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    portal: Portal

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._do()

    def do_POST(self) -> None:
        self._do()

    def do_PATCH(self) -> None:
        self._do()

    def _do(self) -> None:
        portal, parts = self.server.portal, urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        is_form = "form" in (self.headers.get("Content-Type") or "")
        given = parse_qs(raw) if is_form else json.loads(raw) if raw else None
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        with portal.lock:
            portal.seen.append(Seen(self.command, parts.path, parse_qs(parts.query), given, token))
            fault = self._fault(parts.path)
            if fault is None and not is_form and token not in portal.tokens:
                return self._send(401, json.dumps(refused("INVALID_AUTHENTICATION", "no", 401)[1]).encode())
            status, content = 0, b""
            if fault is None or fault.drop_after or fault.apply_first:
                status, reply = portal.answer(self.command, parts.path, parse_qs(parts.query), given)
                content = json.dumps(reply).encode()
        if fault is None:
            return self._send(status, content)
        return self._misbehave(fault)

    def _fault(self, path: str) -> Fault | None:
        for fault in self.server.portal.faults:
            if path.endswith(fault.ending) and fault.times > 0:
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def _misbehave(self, fault: Fault) -> None:
        if fault.hang:
            threading.Event().wait(fault.hang)
        if fault.answer is not None:
            return self._send(*fault.answer())
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return None

    def _send(self, status: int, raw: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response_only(status)
        shown = {"Content-Type": "application/json", "Content-Length": str(len(raw)), **self.server.portal.headers}
        for name, value in {**shown, "Date": format_datetime(self.server.portal.now, True), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serving(portal: Portal) -> Iterator[str]:
    """The portal's address while it is open."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.portal = portal
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Time:
    """A clock that only moves when somebody sleeps."""

    portal: Portal
    at: float = 1000.0
    ahead: timedelta = timedelta(0)
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.at

    def now(self) -> datetime:
        return self.portal.now + self.ahead

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self.at += seconds
        self.portal.now += timedelta(seconds=seconds)
