"""The HubSpot portal of a rehearsal: a server that refuses what HubSpot refuses, and the strings to pull it by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from connectors.twins.hubspot.asking import Ask, asked
from connectors.twins.hubspot.associations import Associations
from connectors.twins.hubspot.batches import Batches
from connectors.twins.hubspot.directory import Directory
from connectors.twins.hubspot.errors import RefusedError, not_found
from connectors.twins.hubspot.limits import Limits
from connectors.twins.hubspot.lists import Lists
from connectors.twins.hubspot.objects import Objects
from connectors.twins.hubspot.properties import Properties
from connectors.twins.hubspot.schema import ObjectType, Property, Rule
from connectors.twins.hubspot.searching import Searching
from connectors.twins.hubspot.sessions import App, Sessions
from connectors.twins.hubspot.standard import custom_object, standard_portal
from connectors.twins.hubspot.store import Record, Store
from connectors.twins.hubspot.values import iso
from connectors.twins.web import Call, Clock, HttpTwin, Reply

_NOW = timedelta(0)


class HubSpotTwin(HttpTwin):
    """A portal. `limits`, `portal`, `store` and `app` hold what can be set; `unique_notes` lets notes have a unique
    property, which HubSpot does not document.
    """

    def __init__(self, clock: Clock | None = None, port: int = 0, *, unique_notes: bool = False) -> None:
        super().__init__(clock, port)
        self.portal = standard_portal()
        self.portal.unique_notes = unique_notes
        self.store = Store(self.portal, self.now)
        self.objects = Objects(self.portal, self.store)
        self.batches = Batches(self.store, self.objects)
        self.searching = Searching(self.portal, self.store, self.objects)
        self.associations = Associations(self.portal, self.store, self.objects)
        self.properties = Properties(self.portal, self.objects)
        self.directory = Directory(self.portal, self.objects, self.now)
        self.lists = Lists(self.objects)
        self.app, self.limits = App(), Limits(self.portal, self.now)
        self.sessions = Sessions(self.app, self.portal, self.now)

    def put(self, object_name: str, late: timedelta = _NOW, record_id: str = "", **properties: str) -> str:
        """Add a record as some person would, unchecked but for the names. It shows `late` after its stamp; stamps
        (createdate, hs_lastmodifieddate) may be given. Returns the id.
        """
        with self.lock:
            of = self.objects.type(object_name)
            return self.store.insert(of, self._values(of, properties), late, record_id).record_id

    def edit(self, object_name: str, record_id: str, late: timedelta = _NOW, **properties: str) -> None:
        """Change a record as some person would, unchecked but for the names."""
        with self.lock:
            record = self._record(object_name, record_id)
            self.store.update(record, self._values(record.of, properties), late)

    def recalculate(self, object_name: str, record_id: str, **properties: str) -> None:
        """Change what the portal computes: the stamp does not move."""
        with self.lock:
            record = self._record(object_name, record_id)
            self.store.update(record, self._values(record.of, properties), stamped=False)

    def remove(self, object_name: str, record_id: str) -> None:
        """Archive a record."""
        with self.lock:
            self.store.archive(self._record(object_name, record_id))

    def merge(self, object_name: str, primary_id: str, other_id: str) -> str:
        """Merge two records into a new one, whose id is returned: both answer as that one from now on.

        The primary's values count; where it has none, the other's (HubSpot changelog, "Updated merge functionality for
        contacts and companies"; knowledge base, "Merge records").
        """
        with self.lock:
            primary, other = self._record(object_name, primary_id), self._record(object_name, other_id)
            return self.store.merge(primary, other).record_id

    def associate(self, object_name: str, record_id: str, to_name: str, to_id: str, *, primary: bool = False) -> None:
        """Associate two records; `primary` adds the primary association, which comes with the plain one."""
        with self.lock:
            of, to = self.objects.type(object_name), self.objects.type(to_name)
            kinds = self.portal.between(of, to)
            for kind in kinds:
                if kind.label is None or primary:
                    self.store.link(kind, record_id, to_id)

    def owner(self, owner_id: str, email: str, first: str, last: str, *, archived: bool = False) -> None:
        """Add an owner."""
        now = iso(self.now())
        names = {"firstName": first, "lastName": last, "userId": int(owner_id) + 1, "archived": archived}
        self.portal.owners[owner_id] = {"id": owner_id, "email": email, **names, "createdAt": now, "updatedAt": now}

    def property(self, object_name: str, *properties: Property) -> None:
        """Add properties as the portal's people would."""
        self.objects.type(object_name).add(properties)

    def custom_object(
        self, name: str, singular: str, properties: Sequence[Property], shown: Sequence[str] = ()
    ) -> ObjectType:
        """Add a custom object that is associated with companies."""
        return custom_object(self.portal, name, singular, properties, shown)

    def rule(self, object_name: str, breaks: Callable[[Mapping[str, str]], bool], message: str) -> None:
        """Add a rule of the administrator; it holds for API writes from version 2026-09 on."""
        self.portal.rules.append(Rule(object_name, breaks, message))

    def refuse(self, target: str, message: str, category: str = "VALIDATION_ERROR", status: int = 400) -> None:
        """The next write of a record (by its id) or of an object type (by its name) is refused."""
        self.objects.refusals.append((target, RefusedError(message, category, status)))

    def records(self, object_name: str, *, archived: bool = False) -> list[dict[str, str]]:
        """The committed properties of all records of an object type."""
        with self.lock:
            rows = self.store.of_type[self.objects.type(object_name).name].values()
            return [dict(row.newest.values) for row in rows if row.newest.archived is archived and not row.merged_into]

    def record(self, object_name: str, record_id: str) -> dict[str, str]:
        """The committed properties of one record."""
        with self.lock:
            return dict(self._record(object_name, record_id).newest.values)

    def linked(self, object_name: str, record_id: str, to_name: str) -> list[str]:
        """Ids of the records of another type that are associated with one."""
        with self.lock:
            found = self.store.links(self.objects.type(object_name), record_id, self.objects.type(to_name))
            return list(dict.fromkeys(each.to_id for each in found))

    def answer(self, call: Call) -> Reply:
        """Do one call as the portal would."""
        search = call.path.endswith("/search") and "/objects/" in call.path
        try:
            if call.path.startswith("/oauth/") and call.path.endswith("/token") and call.method == "POST":
                return self.sessions.open(call)
            self.sessions.admit(call.bearer)
            self.limits.count(search=search)
            ask = asked(call)
            self.sessions.permit(ask)
            with self.store.trial():
                reply = self._routed(ask)
        except RefusedError as error:
            reply = error.reply()
            if error.status == 429 and self.limits.retry_after:
                reply = reply.with_headers({"Retry-After": str(self.limits.retry_after)})
        return reply.with_headers(self.limits.headers(search=search))

    def unauthorized(self, _: Call) -> Reply:
        """401 INVALID_AUTHENTICATION."""
        return RefusedError("Authentication credentials not found.", "INVALID_AUTHENTICATION", 401).reply()

    def limited(self, call: Call) -> Reply:
        """429 by the policy of the endpoint."""
        search = call.path.endswith("/search")
        return self.limits.refusal("SECONDLY" if search else "TEN_SECONDLY_ROLLING").reply()

    def _routed(self, ask: Ask) -> Reply:
        answers: Mapping[str, Callable[[Ask], Reply]] = {
            "objects": self._objects,
            "associations": self.associations.answer,
            "properties": self.properties.answer,
            "owners": self.directory.owners,
            "pipelines": self.directory.pipelines,
            "lists": self.lists.answer,
            "schemas": self.directory.schemas,
            "account-info": self.directory.account,
            "settings/currencies": self.directory.settings,
            "settings": self.directory.settings,
        }
        if ask.resource not in answers:
            raise not_found()
        return answers[ask.resource](ask)

    def _objects(self, ask: Ask) -> Reply:
        if not ask.parts:
            raise not_found()
        of, rest = self.objects.type(ask.parts[0]), ask.parts[1:]
        if rest[:1] == ("batch",) and len(rest) == 2:
            return self.batches.answer(of, rest[1], ask)
        if rest == ("search",) and ask.method == "POST":
            return self.searching.answer(of, ask)
        if rest == ("merge",) and ask.method == "POST":
            return self._merged(of, ask)
        if len(rest) > 1 and rest[1] == "associations":
            return self.associations.of_record(of, rest, ask)
        return self.objects.answer(of, rest, ask)

    def _merged(self, of: ObjectType, ask: Ask) -> Reply:
        body = ask.object(("primaryObjectId", "objectIdToMerge"))
        primary, other = str(body.get("primaryObjectId")), str(body.get("objectIdToMerge"))
        self.objects.found(of, primary)
        self.objects.found(of, other)
        made = self.merge(of.name, primary, other)
        return Reply.of(self.objects.shown(self.objects.found(of, made), None))

    def _record(self, object_name: str, record_id: str) -> Record:
        return self.store.records[self.objects.type(object_name).name, record_id]

    def _values(self, of: ObjectType, given: Mapping[str, str]) -> Mapping[str, str]:
        for name in given:
            if name not in of.properties:
                raise KeyError(f"{of.name} have no property {name}")
        return given
