"""The Salesforce org of a rehearsal: a server that refuses what Salesforce refuses, and the strings to pull it by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.twins.salesforce.asking import Answer, Ask, split
from connectors.twins.salesforce.batches import Collections
from connectors.twins.salesforce.bulk import Bulk
from connectors.twins.salesforce.composite import Composites
from connectors.twins.salesforce.describing import versions
from connectors.twins.salesforce.errors import RefusedError, malformed, not_found
from connectors.twins.salesforce.ids import whole
from connectors.twins.salesforce.metadata import deploy, grant
from connectors.twins.salesforce.querying import PAGE, Querying
from connectors.twins.salesforce.rows import Rows
from connectors.twins.salesforce.schema import Field, Kind, Org, Rule, SObject
from connectors.twins.salesforce.sessions import App, Sessions
from connectors.twins.salesforce.standard import standard_org
from connectors.twins.salesforce.store import Store, Values
from connectors.twins.salesforce.usage import Usage
from connectors.twins.salesforce.writing import Refusal, Writer
from connectors.twins.web import Call, Clock, HttpTwin, Reply

VERSIONS = range(31, 67)
_LONGEST_LINE = 16_384
_NOW = timedelta(0)


class SalesforceTwin(HttpTwin):
    """`metadata` are folders of SFDX source that were deployed to the org; with `permission_sets` the integration user
    has these and nothing else, without it sees and writes everything. `rates` makes the org one of many currencies.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        port: int = 0,
        metadata: Iterable[Path] = (),
        permission_sets: Sequence[str] = (),
        rates: Mapping[str, Decimal] | None = None,
    ) -> None:
        super().__init__(clock, port)
        folders = list(metadata)
        self.org = standard_org()
        deploy(self.org, folders)
        if rates:
            _many_currencies(self.org, rates)
        if permission_sets:
            grant(self.org, folders, permission_sets)
        self.store = Store(self.org, self.now)
        self.user_id = self.put("User", Username="escalation-worker@twin.example", LastName="Escalation Worker")
        self.writer = Writer(self.org, self.store, self.user_id)
        self.app, self.usage = App(), Usage(self.now)
        self.sessions = Sessions(self.app, self.now, self.url, self.user_id)
        self.querying = Querying(self.org, self.store)
        self.rows = Rows(self.org, self.store, self.writer)
        self.collections = Collections(self.store, self.rows, self.writer)
        self.composites = Composites(self.store, self._perform)
        self.bulk = Bulk(self.store, self.querying, self.user_id)

    def put(self, object_name: str, late: timedelta = _NOW, **fields: Any) -> str:
        """Add a record as some other user would, unchecked; times are aware, money Decimal. It shows `late` after its
        stamp. Id, CreatedDate, SystemModstamp and other system fields may be given. Returns the id.
        """
        of = self.org.objects[object_name.lower()]
        values = self._values(of, fields)
        if of.name in ("Contact", "User") and "name" not in values:
            values["name"] = " ".join(filter(None, (values.get("firstname"), values.get("lastname"))))
        if "ownerid" in of.fields:
            values.setdefault("ownerid", self.user_id)
        if "currencyisocode" in of.fields:
            values.setdefault("currencyisocode", self.org.currency)
        with self.lock:
            return self.store.insert(of, values, self._other_user(), late)

    def edit(self, record_id: str, late: timedelta = _NOW, **fields: Any) -> None:
        """Change a record as some person would, unchecked. The change shows `late` after its stamp."""
        with self.lock:
            row = self.store.rows[whole(record_id)]
            self.store.update(row.record_id, self._values(row.of, fields), self._other_user(), late)

    def recalculate(self, record_id: str, **fields: Any) -> None:
        """Change what a formula shows: no stamp moves."""
        with self.lock:
            row = self.store.rows[whole(record_id)]
            self.store.recalculate(row.record_id, self._values(row.of, fields))

    def calculate(self, object_name: str, *names: str) -> None:
        """Turn fields into calculated ones."""
        for name in names:
            known = self.org.objects[object_name.lower()].fields[name.lower()]
            self.org.add_fields(object_name, _calculated(known))

    def remove(self, record_id: str, *, purge: bool = False) -> None:
        """Delete a record; with `purge` from the recycle bin as well."""
        self.edit(record_id, IsDeleted=True)
        if purge:
            with self.lock:
                self.store.forget(whole(record_id))

    def merge(self, master_id: str, loser_id: str, *, restamp: bool = True) -> None:
        """Merge accounts: the loser is deleted and names its master, its children move.

        Whether their stamps move with them is not documented; `restamp` False leaves them.
        """
        master, loser = whole(master_id), whole(loser_id)
        with self.lock:
            for row in list(self.store.rows.values()):
                moved = [each.name for each in row.of.fields.values() if row.newest.get(each.name.lower()) == loser]
                references: dict[str, Any] = {name: master for name in moved if name not in ("Id", "MasterRecordId")}
                if references and restamp:
                    self.edit(row.record_id, **references)
                elif references:
                    self.store.recalculate(row.record_id, self._values(row.of, references))
            self.edit(loser, IsDeleted=True, MasterRecordId=master)
            self.edit(master)

    def refuse(
        self, code: str, message: str, record_id: str = "", when: Callable[[Values], bool] | None = None, times: int = 1
    ) -> None:
        """The next writes of a record, or those whose written values (names in lower case) show `when`, are refused."""
        refused = Refusal(code, message, whole(record_id) if record_id else "", when, times)
        self.writer.refusals.append(refused)

    def validate(self, object_name: str, breaks: Callable[[Values], bool], message: str, *fields: str) -> None:
        """Add a validation rule; `breaks` gets the record as it would be saved (names in lower case)."""
        self.org.rules.append(Rule(object_name, breaks, message, fields))

    def hide(self, object_name: str, *names: str) -> None:
        """The integration user may not see fields; without names not even the object."""
        if not names:
            self.org.withheld.add(object_name.lower())
        self.org.hidden |= {(object_name.lower(), each.lower()) for each in names}

    def protect(self, object_name: str, *names: str) -> None:
        """The integration user may read fields, not write them."""
        self.org.read_only |= {(object_name.lower(), each.lower()) for each in names}

    def records(self, object_name: str, *, deleted: bool = False) -> list[dict[str, Any]]:
        """All committed records of an object, by the fields' own names."""
        with self.lock:
            of = self.org.objects[object_name.lower()]
            rows = [row.newest for row in self.store.of_object[of.name.lower()].values()]
            shown = [row for row in rows if deleted or not row["isdeleted"]]
            return [{known.name: row.get(name) for name, known in of.fields.items()} for row in shown]

    def record(self, record_id: str) -> dict[str, Any]:
        """One committed record, by the fields' own names."""
        with self.lock:
            row = self.store.rows[whole(record_id)]
            return {known.name: row.newest.get(name) for name, known in row.of.fields.items()}

    def answer(self, call: Call) -> Reply:
        """Do one call as the org would."""
        if call.path == "/services/oauth2/token":
            return self.sessions.open(call)
        if call.path in ("/services/data", "/services/data/") and call.method == "GET":
            return Reply.of(versions(VERSIONS))
        if len(call.target) > _LONGEST_LINE:
            return Reply(414, b"<html><body>URI Too Long</body></html>", kind="text/html")
        if not self.sessions.good(call.bearer):
            return self.unauthorized(call)
        try:
            self.usage.count()
            reply = self._done(call)
        except RefusedError as error:
            reply = error.reply()
        return reply.with_headers(self.usage.header)

    def unauthorized(self, _: Call) -> Reply:
        """401 INVALID_SESSION_ID."""
        return RefusedError("INVALID_SESSION_ID", "Session expired or invalid", status=401).reply()

    def limited(self, _: Call) -> Reply:
        """403 REQUEST_LIMIT_EXCEEDED."""
        return RefusedError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403).reply()

    def _done(self, call: Call) -> Reply:
        version, parts, query = split(call.target)
        ask = Ask(call.method, version, parts, query, call.headers, _body(call))
        with self.store.trial():
            answer = self._routed(ask)
        if isinstance(answer, Reply):
            return answer
        if answer.value is None:
            return Reply(answer.status, b"", answer.headers)
        return Reply.of(answer.value, answer.status, answer.headers)

    def _routed(self, ask: Ask) -> Answer | Reply:
        _known_version(ask.version)
        match ask.parts:
            case ("composite",) if ask.method == "POST":
                return self.composites.composite(ask)
            case ("composite", "graph") if ask.method == "POST":
                return self.composites.graph(ask)
            case ("jobs", "query", *_):
                return self.bulk.answer(ask)
            case ("limits",) if ask.method == "GET":
                return Answer(value=self.usage.told())
        return self._perform(ask)

    def _perform(self, ask: Ask) -> Answer:
        """What may stand in a composite too."""
        _known_version(ask.version)
        match ask.parts:
            case ("query" | "queryAll" as name,) if ask.method == "GET":
                return Answer(value=self._query(ask, deleted=name == "queryAll"))
            case ("query" | "queryAll", locator) if ask.method == "GET":
                return Answer(value=self.querying.more(locator))
            case ("sobjects", *_):
                return self.rows.answer(ask)
            case ("composite", "sobjects", *_):
                return self.collections.answer(ask)
        raise not_found()

    def _query(self, ask: Ask, *, deleted: bool) -> dict[str, Any]:
        if not ask.one("q"):
            raise RefusedError("MALFORMED_QUERY", "SOQL statements cannot be empty")
        return self.querying.page(ask.one("q"), ask.version, _batch_size(ask), deleted=deleted)

    def _values(self, of: SObject, fields: Mapping[str, Any]) -> Values:
        unknown = [name for name in fields if name.lower() not in of.fields]
        if unknown:
            raise KeyError(f"{of.name} has no {unknown[0]}")
        return {name.lower(): value for name, value in fields.items()}

    def _other_user(self) -> str:
        return "0055g00000OtherAAA"


def _body(call: Call) -> Any:
    if not call.body:
        return None
    if "json" not in call.headers.get("content-type", ""):
        raise RefusedError("UNSUPPORTED_MEDIA_TYPE", "Content type of the request is not supported.", status=415)
    try:
        return call.json()
    except (ValueError, RecursionError):
        raise malformed("Unexpected character at [line:1, column:1]") from None


def _known_version(version: str) -> None:
    if version not in {f"{each}.0" for each in VERSIONS}:
        raise not_found()


def _batch_size(ask: Ask) -> int:
    name, _, size = ask.headers.get("sforce-query-options", "").partition("=")
    return int(size) if name.strip() == "batchSize" and size.strip().isdigit() else PAGE


def _many_currencies(org: Org, rates: Mapping[str, Decimal]) -> None:
    org.rates = {org.currency: Decimal(1), **rates}
    for of in org.objects.values():
        if any(known.kind is Kind.CURRENCY for known in of.fields.values()) or of.custom:
            values = tuple(org.rates)
            of.add(
                [
                    Field(
                        "CurrencyIsoCode",
                        Kind.PICKLIST,
                        "Currency",
                        values=values,
                        restricted=True,
                        default=org.currency,
                    )
                ]
            )


def _calculated(known: Field) -> Field:
    return replace(known, calculated=True, required=False)
