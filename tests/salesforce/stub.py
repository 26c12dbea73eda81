"""A small Salesforce over real HTTP for the fault traps: it keeps records, counts calls, and fails as it was told.

It is no judge of requests (the strict twin is); it knows the shapes of answers from the REST API Developer Guide.
"""

from __future__ import annotations

import copy
import json
import threading
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.salesforce.soql_subset import MalformedQueryError, Record, parsed, value_of

ROOT = Path(__file__).parent.parent.parent
SOURCES = [ROOT / "deploy/salesforce/force-app", ROOT / "deploy/salesforce/customer-success"]
_NS = "{http://soap.sforce.com/2006/04/metadata}"
_TYPES = {
    "Checkbox": "boolean",
    "Text": "string",
    "TextArea": "textarea",
    "LongTextArea": "textarea",
    "DateTime": "datetime",
    "Date": "date",
    "Picklist": "picklist",
    "MultiselectPicklist": "multipicklist",
    "Number": "double",
    "Currency": "currency",
    "Lookup": "reference",
    "MasterDetail": "reference",
}
_STANDARD = {
    "Account": "Name:string ParentId:reference OwnerId:reference:Owner:User MasterRecordId:reference",
    "Case": "AccountId:reference Subject:string Description:textarea Origin:picklist Type:picklist Priority:picklist "
    "IsClosed:boolean ClosedDate:datetime ContactId:reference:Contact:Contact",
    "Contact": "Name:string Title:string",
    "User": "Name:string Email:string Username:string IsActive:boolean ManagerId:reference:Manager:User",
    "Task": "Subject:string Description:textarea ActivityDate:date WhatId:id OwnerId:reference Priority:picklist",
}
_SYSTEM = (
    "Id:id IsDeleted:boolean SystemModstamp:datetime CreatedDate:datetime LastModifiedDate:datetime "
    "LastModifiedById:reference"
)
WORKER = "005000000000WRKAAA"


@dataclass
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """`cut` breaks the line instead of answering, `hold` waits before it."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hold: float = 0.0


Fault = Callable[[Call], Reply | None]


def error(status: int, code: str, message: str = "", fields: list[str] | None = None) -> Reply:
    return Reply(status, [{"message": message or code, "errorCode": code, "fields": fields or []}])


class RefusedError(Exception):
    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply.body))
        self.reply = reply


class Org:
    """The records of one org and how it answers."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Record]] = {}
        self.fields = _described()
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.refuse: Callable[[str, str, Record], Reply | None] = lambda _name, _key, _body: None
        self.tokens = 0
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.usage = "api-usage=100/100000"
        self.numbers = Counter[str]()
        self.cursors: dict[str, tuple[list[str], list[Record]]] = {}
        self.lock = threading.RLock()

    def time(self) -> datetime:
        return self.now()

    def put(self, name: str, record_id: str, **values: Any) -> str:
        stamp = self.now().strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        old = self.records.setdefault(name, {}).get(record_id, {})
        system = {"Id": record_id, "IsDeleted": False, "SystemModstamp": stamp, "LastModifiedDate": stamp}
        system["LastModifiedById"] = WORKER
        if not old:
            system |= {each["name"]: False for each in self.fields[name].values() if each["type"] == "boolean"}
        self.records[name][record_id] = {**old, **system, **values}
        return record_id

    def counted(self, part: str) -> int:
        return sum(part in call.path for call in self.calls)

    def answer(self, call: Call) -> Reply:
        with self.lock:
            self.calls.append(call)
            for fault in list(self.faults):
                reply = fault(call)
                if reply is not None:
                    return reply
            try:
                return self.served(call)
            except RefusedError as refused:
                return refused.reply

    def served(self, call: Call) -> Reply:
        path = urlsplit(call.path)
        if path.path == "/services/oauth2/token":
            self.tokens += 1
            return Reply(body={"access_token": f"token-{self.tokens}", "id": f"https://x/id/00D/{WORKER}"})
        if call.headers.get("Authorization") != f"Bearer token-{self.tokens}":
            return error(401, "INVALID_SESSION_ID", "Session expired or invalid")
        below = path.path.removeprefix("/services/data/v66.0/")
        if below == "limits":
            return Reply(body={"DailyApiRequests": {"Max": 100000, "Remaining": 99000}})
        if below == "composite":
            return self.composite(call.json)
        if below == "composite/graph":
            return self.graphs(call.json)
        if below == "composite/sobjects":
            return Reply(body=[self.created(each) for each in call.json["records"]])
        return self.single(call.method, f"{below}?{path.query}", call.json if call.body else None, call.headers)

    def single(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
        below, _, query = path.partition("?")
        steps = [unquote(each) for each in below.strip("/").split("/")]
        if steps[0] in ("query", "queryAll"):
            size = int(headers.get("Sforce-Query-Options", "batchSize=2000").rpartition("=")[2])
            if len(steps) > 1 and steps[1]:
                return self.further(steps[1], size)
            return self.query(parse_qs(query)["q"][0], size, deleted=steps[0] == "queryAll")
        if steps[-1] == "describe":
            return self.describe(steps[1])
        if method == "PATCH":
            return self.patched(steps[1:], body, headers)
        return error(404, "NOT_FOUND", path)

    def query(self, text: str, size: int, *, deleted: bool) -> Reply:
        try:
            fields, name, condition, order = parsed(text)
        except MalformedQueryError as wrong:
            return error(400, "MALFORMED_QUERY", str(wrong))
        unknown = [each for each in fields if "." not in each and each not in self.fields.get(name, {})]
        if unknown:
            return error(400, "INVALID_FIELD", f"No such column '{unknown[0]}' on entity '{name}'")
        found = [
            each
            for each in self.records.get(name, {}).values()
            if (deleted or not each["IsDeleted"]) and condition(each)
        ]
        found.sort(key=lambda each: [str(value_of(each, by)) for by in order])
        cursor = f"01g{len(self.cursors):012d}"
        self.cursors[cursor] = fields, found
        return self.further(f"{cursor}-0", size)

    def further(self, cursor: str, size: int) -> Reply:
        key, _, start = cursor.rpartition("-")
        fields, found = self.cursors[key]
        first = int(start)
        body: dict[str, Any] = {
            "totalSize": len(found),
            "done": first + size >= len(found),
            "records": [shown(each, fields) for each in found[first : first + size]],
        }
        if not body["done"]:
            body["nextRecordsUrl"] = f"/services/data/v66.0/query/{key}-{first + size}"
        return Reply(body=body)

    def describe(self, name: str) -> Reply:
        if name not in self.fields:
            return error(404, "NOT_FOUND", "The requested resource does not exist")
        return Reply(
            body={"name": name, "createable": True, "updateable": True, "fields": list(self.fields[name].values())}
        )

    def patched(self, steps: list[str], body: Record, headers: dict[str, str]) -> Reply:
        name = steps[0]
        key = steps[-1]
        refused = self.refuse(name, key, body)
        if refused is not None:
            return refused
        unknown = [each for each in body if each not in self.fields[name] and not each.endswith("__r")]
        if unknown:
            return error(400, "INVALID_FIELD", f"No such column '{unknown[0]}'")
        if len(steps) == 2:
            old = self.records.get(name, {}).get(key)
            if old is None or old["IsDeleted"]:
                return error(404, "ENTITY_IS_DELETED", "entity is deleted")
            since = headers.get("If-Unmodified-Since")
            if since and datetime.fromisoformat(old["LastModifiedDate"]) > parsedate_to_datetime(since):
                return Reply(412, [{"errorCode": "PRECONDITION_FAILED", "message": "changed"}])
            self.put(name, key, **body)
            return Reply(204)
        there = [each for each in self.records.get(name, {}).values() if each.get(steps[1]) == key]
        if len(there) > 1:
            return Reply(300, [f"/services/data/v66.0/sobjects/{name}/{each['Id']}" for each in there])
        record_id = there[0]["Id"] if there else self.new_id(name)
        self.put(name, record_id, **{steps[1]: key}, **body)
        return Reply(200 if there else 201, {"id": record_id, "success": True, "errors": [], "created": not there})

    def new_id(self, name: str) -> str:
        self.numbers[name] += 1
        return f"a0{sum(map(ord, name)) % 10}{self.numbers[name]:012d}AAA"

    def created(self, record: Record) -> Record:
        name = record.pop("attributes")["type"]
        refused = self.refuse(name, "", record)
        if refused is not None:
            wrong = refused.body[0]
            return {
                "success": False,
                "errors": [{"statusCode": wrong["errorCode"], "message": wrong["message"], "fields": []}],
            }
        return {"id": self.put(name, self.new_id(name), **record), "success": True, "errors": []}

    def part(self, each: Record) -> Record:
        path = each["url"].removeprefix("/services/data/v66.0/")
        try:
            reply = self.single(each["method"], path, each.get("body"), each.get("httpHeaders", {}))
        except RefusedError as refused:
            reply = refused.reply
        return {
            "body": reply.body,
            "httpHeaders": {},
            "httpStatusCode": reply.status,
            "referenceId": each["referenceId"],
        }

    def together(self, requests: list[Record]) -> tuple[bool, list[Record]]:
        """All or none of them."""
        kept = copy.deepcopy(self.records)
        parts = [self.part(each) for each in requests]
        good = all(each["httpStatusCode"] < 300 for each in parts)
        if not good:
            self.records = kept
            first = next(number for number, each in enumerate(parts) if each["httpStatusCode"] >= 300)
            parts = [each if number == first else halted(each) for number, each in enumerate(parts)]
        return good, parts

    def composite(self, body: Record) -> Reply:
        requests = body["compositeRequest"]
        assert len(requests) <= 25
        parts = self.together(requests)[1] if body["allOrNone"] else [self.part(each) for each in requests]
        return Reply(body={"compositeResponse": parts})

    def graphs(self, body: Record) -> Reply:
        assert len(body["graphs"]) <= 75
        assert sum(len(each["compositeRequest"]) for each in body["graphs"]) <= 500
        answers, failed = [], 0
        for graph in body["graphs"]:
            if failed >= 14:
                names = [each["referenceId"] for each in graph["compositeRequest"]]
                good, parts = False, [halted({"referenceId": name}) for name in names]
            else:
                good, parts = self.together(graph["compositeRequest"])
                failed += not good
            answers.append(
                {"graphId": graph["graphId"], "graphResponse": {"compositeResponse": parts}, "isSuccessful": good}
            )
        return Reply(body={"graphs": answers})


def halted(part: Record) -> Record:
    said = [
        {"errorCode": "PROCESSING_HALTED", "message": "The transaction was rolled back since another operation failed."}
    ]
    return {"body": said, "httpHeaders": {}, "httpStatusCode": 400, "referenceId": part["referenceId"]}


def shown(record: Record, fields: list[str]) -> Record:
    made: Record = {"attributes": {"type": "x", "url": "/x"}}
    for path in fields:
        target, value, steps = made, record, path.split(".")
        for step in steps[:-1]:
            value = value.get(step) or {}
            if not value:
                target[step] = None
                break
            target = target.setdefault(step, {"attributes": {}})
        else:
            target[steps[-1]] = value.get(steps[-1])
    return made


def _described() -> dict[str, dict[str, Record]]:
    """What the org has: the standard fields, and what deploy/salesforce deploys."""
    found: dict[str, dict[str, Record]] = {}
    for name, text in _STANDARD.items():
        found[name] = {each["name"]: each for each in map(_standard, f"{_SYSTEM} {text}".split())}
    for source in SOURCES:
        for path in sorted(source.glob("main/default/objects/*/fields/*.field-meta.xml")):
            name = path.parent.parent.name.replace("Activity", "Task")
            known = found.setdefault(
                name, {each["name"]: each for each in map(_standard, f"{_SYSTEM} Name:string".split())}
            )
            made = _custom(ET.parse(path).getroot())
            known[made["name"]] = made
    return found


def _standard(text: str) -> Record:
    name, kind, *relation = text.split(":")
    made = {"name": name, "type": kind, "length": 80 if name == "Name" else 255, "updateable": True, "createable": True}
    if relation:
        made |= {"relationshipName": relation[0], "referenceTo": [relation[1]]}
    return made


def _custom(root: ET.Element) -> Record:
    def text(name: str) -> str:
        return root.findtext(f"{_NS}{name}") or ""

    values = [each.findtext(f"{_NS}fullName") for each in root.iter(f"{_NS}value")]
    return {
        "name": text("fullName"),
        "type": _TYPES[text("type")],
        "length": int(text("length") or 255),
        "updateable": True,
        "createable": True,
        "externalId": text("externalId") == "true",
        "unique": text("unique") == "true",
        "restrictedPicklist": any(each.text == "true" for each in root.iter(f"{_NS}restricted")),
        "picklistValues": [{"value": each, "active": True} for each in values],
        "relationshipName": text("fullName").replace("__c", "__r") if text("referenceTo") else None,
        "referenceTo": [text("referenceTo")] if text("referenceTo") else [],
    }


@contextmanager
def serving(org: Org) -> Iterator[str]:
    """The org at an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(org.now(), usegmt=True)

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode() if length else ""
            reply = org.answer(Call(self.command, self.path, dict(self.headers), body))
            time.sleep(reply.hold)
            if reply.cut:
                self.close_connection = True
                self.connection.close()
                return
            raw = isinstance(reply.body, str)
            content = reply.body.encode() if raw else b"" if reply.status == 204 else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "text/html" if raw else "application/json")
            self.send_header("Sforce-Limit-Info", org.usage)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A line that the other side gave up is what some tests want."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
