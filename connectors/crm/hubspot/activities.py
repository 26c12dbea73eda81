"""Notes and tasks: made once, by the strongest means that the portal allows.

Each is made together with its place on the company's page, in one call. Where notes (tasks) have our unique property,
HubSpot itself refuses a second one of the same key, whose first is then found by that key. Where they have not, nothing
is sent again before the mark in the text was looked for through the company: a search by text lags and splits words.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.base import CreateNote, CreateTask, Result, RetryableError, WriteResult
from connectors.crm.hubspot.anchor import anchors, known_anchors
from connectors.crm.hubspot.batches import Made, Sending
from connectors.crm.hubspot.bodies import marks, rich
from connectors.crm.hubspot.client import Client, RefusedError, Request
from connectors.crm.hubspot.fetching import read_all
from connectors.crm.hubspot.links import linked
from connectors.crm.hubspot.options import Anchor
from connectors.crm.hubspot.paths import Endpoint
from connectors.crm.hubspot.portal import Portal
from connectors.crm.hubspot.values import stamp
from connectors.crm.hubspot.wire import LostError

KEY = "escalation_key"
"""The unique property of notes and tasks, where the portal has it."""

_REMEMBERED = 10_000
_MERGED = "hs_merged_object_ids"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of activity: its object, the field of its text, and HubSpot's own types of association."""

    object_type: str
    body: str
    to_company: int
    to_ticket: int


NOTES = Kind("notes", "hs_note_body", 190, 228)
TASKS = Kind("tasks", "hs_task_body", 192, 230)

Activity = CreateNote | CreateTask


class Activities:
    """Writes and finds notes and tasks."""

    def __init__(self, client: Client, portal: Portal) -> None:
        self._client = client
        self._portal = portal
        self._lock = threading.Lock()
        self._made: OrderedDict[str, str] = OrderedDict()

    def unique(self, kind: Kind) -> bool:
        """Whether HubSpot holds that each key exists once."""
        definition = self._portal.properties(kind.object_type).get(KEY)
        return definition is not None and bool(definition.has_unique_value) and not definition.read_only

    def create(self, kind: Kind, items: Sequence[Activity], until: float) -> dict[str, WriteResult]:
        """A result by each item's key. Raises RetryableError and FatalError before anything is made."""
        results = {
            each.key: WriteResult(Result.ALREADY_APPLIED, self._made[each.key])
            for each in items
            if each.key in self._made
        }
        new = {each.key: each for each in items if each.key not in results}
        for key in [key for key, each in new.items() if not each.account_id.isdecimal()]:
            reason = f"OBJECT_NOT_FOUND: company {new.pop(key).account_id} is not there"
            results[key] = WriteResult(Result.REJECTED, reason=reason)
        if new:
            made = self._make(kind, new, self._tickets(list(new.values()), until), until)
            self._remember(made)
            results |= made
        return results

    def _tickets(self, items: Sequence[Activity], until: float) -> Mapping[str, str]:
        if self._client.options.anchor is Anchor.COMPANY:
            return {}
        try:
            return anchors(self._client, list(dict.fromkeys(each.account_id for each in items)), until)
        except (LostError, RefusedError) as error:
            raise RetryableError(f"the anchor tickets could not be made: {error}") from error

    def _remember(self, made: Mapping[str, WriteResult]) -> None:
        """What HubSpot confirmed needs no second call; forgetting it costs a call, nothing else."""
        with self._lock:
            self._made.update((key, result.remote_id) for key, result in made.items() if result.done)
            while len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)

    def _make(
        self, kind: Kind, items: Mapping[str, Activity], tickets: Mapping[str, str], until: float
    ) -> dict[str, WriteResult]:
        unique = self.unique(kind)
        inputs: dict[str, object] = {
            key: {
                "properties": self._properties(item) | ({KEY: key} if unique else {}),
                "associations": list(_associations(kind, item, tickets)),
                "objectWriteTraceId": key,
            }
            for key, item in items.items()
        }

        def name(made: Made) -> str:
            return made.key(KEY) or next(marks(made.properties.get(kind.body) or ""), "")

        results = Sending(self._client, _request(kind), name, until).send(inputs)
        return self._known(kind, results) if unique else results

    def _known(self, kind: Kind, results: Mapping[str, WriteResult]) -> dict[str, WriteResult]:
        """What was refused because its key is there already is done; what may have been made may be sent again."""
        refused = [key for key, result in results.items() if result.result is Result.REJECTED]
        there = dict(self._located(kind, refused, ()))
        return {
            key: WriteResult(Result.ALREADY_APPLIED, there[key]) if key in there else _repeatable(result)
            for key, result in results.items()
        }

    def _properties(self, item: Activity) -> dict[str, str]:
        if isinstance(item, CreateNote):
            return {"hs_timestamp": stamp(item.at), "hs_note_body": rich(item.title, item.body, item.key)}
        return {
            "hs_timestamp": stamp(item.due_at),
            "hs_task_subject": item.subject,
            "hs_task_body": rich("", item.body, item.key),
            "hs_task_status": "NOT_STARTED",
            "hs_task_priority": "HIGH",
            "hs_task_type": "TODO",
            **self._owner(item.assignee_id),
        }

    def _owner(self, wanted: str) -> dict[str, str]:
        """The assignee if HubSpot knows them as active, else the configured one, else nobody: it is written anyway."""
        owners = self._portal.owners([wanted] if wanted.isdecimal() else [])
        for each in (wanted, self._client.options.fallback_owner):
            if each in owners and not owners[each].archived:
                return {"hubspot_owner_id": each}
        return {}

    def find(self, keys: Sequence[str], accounts: Sequence[str]) -> Mapping[str, str]:
        """Keys that are there, with the ids of their notes and tasks. Raises when it cannot look everywhere."""
        return {key: note for kind in (NOTES, TASKS) for key, note in self._located(kind, keys, accounts)}

    def count(self, keys: Sequence[str], accounts: Sequence[str]) -> Mapping[str, int]:
        """How often each key is there."""
        seen = Counter(key for kind in (NOTES, TASKS) for key, _ in self._located(kind, keys, accounts))
        return {key: seen[key] for key in keys}

    def _located(self, kind: Kind, keys: Sequence[str], accounts: Sequence[str]) -> Iterator[tuple[str, str]]:
        if not keys:
            return
        if self.unique(kind):
            for each in read_all(self._client, kind.object_type, keys, [KEY], KEY):
                yield str(each.properties.get(KEY)), each.id
            return
        wanted = set(keys)
        ids = self._activities_of(kind, accounts)
        for each in read_all(self._client, kind.object_type, ids, [kind.body]):
            for key in dict.fromkeys(marks(each.properties.get(kind.body) or "")):
                if key in wanted:
                    yield key, each.id

    def _activities_of(self, kind: Kind, accounts: Sequence[str]) -> Sequence[str]:
        """The notes or tasks on the companies' pages, or on their anchor tickets, newest first."""
        source, owners = "companies", self._standing([each for each in accounts if each.isdecimal()])
        if self._client.options.anchor is Anchor.TICKET:
            source, owners = "tickets", list(known_anchors(self._client, owners).values()) if owners else []
        found = linked(self._client, source, kind.object_type, owners) if owners else {}
        return sorted({each for ids in found.values() for each in ids}, key=int, reverse=True)

    def _standing(self, companies: Sequence[str]) -> list[str]:
        """The companies, or what merges made of them: under its old id none shows what hangs on it."""
        return [each.id for each in read_all(self._client, "companies", companies, [_MERGED])]


def _repeatable(result: WriteResult) -> WriteResult:
    """HubSpot keeps a key from being made twice: it may be sent again whatever became of it."""
    if result.result is not Result.UNKNOWN:
        return result
    return replace(result, result=Result.RETRY)


def _request(kind: Kind) -> Callable[[Sequence[object]], Request]:
    def request(inputs: Sequence[object]) -> Request:
        return Request(Endpoint.CREATE, {"type": kind.object_type}, {"inputs": list(inputs)}, write=True)

    return request


def _associations(kind: Kind, item: Activity, tickets: Mapping[str, str]) -> Iterator[object]:
    yield _association(item.account_id, kind.to_company)
    if item.account_id in tickets:
        yield _association(tickets[item.account_id], kind.to_ticket)


def _association(target: str, type_id: int) -> object:
    return {"to": {"id": target}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]}
