"""Notes and tasks: made once, by the strongest means that the portal allows.

Where notes (tasks) have our unique property, HubSpot itself holds that a key exists once: they are upserted by it, then
put on the company's page. Where they have not, they are made with the company in one call, without any resending, and
found again by the mark in their text, through the company: a search by text lags and splits words.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.base import CreateNote, CreateTask, Result, RetryableError, WriteResult
from connectors.crm.hubspot.anchor import anchors, known_anchors, link
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
        return definition is not None and definition.has_unique_value and not definition.read_only

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
            make = self._upsert if self.unique(kind) else self._make
            made = make(kind, new, self._tickets(list(new.values()), until), until)
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
        inputs: dict[str, object] = {
            key: {
                "properties": self._properties(item),
                "associations": list(_associations(kind, item, tickets)),
                "objectWriteTraceId": key,
            }
            for key, item in items.items()
        }

        def name(made: Made) -> str:
            return made.object_write_trace_id or next(marks(made.properties.get(kind.body) or ""), "")

        return Sending(self._client, _request(kind, Endpoint.CREATE), name, until).send(inputs)

    def _upsert(
        self, kind: Kind, items: Mapping[str, Activity], tickets: Mapping[str, str], until: float
    ) -> dict[str, WriteResult]:
        inputs: dict[str, object] = {
            key: {
                "id": key,
                "idProperty": KEY,
                "properties": {**self._properties(item), KEY: key},
                "objectWriteTraceId": key,
            }
            for key, item in items.items()
        }
        sending = Sending(self._client, _request(kind, Endpoint.UPSERT), lambda made: made.key(KEY), until)
        results = {key: _repeatable(result) for key, result in sending.send(inputs).items()}
        done = {key: result.remote_id for key, result in results.items() if result.done}
        try:
            self._link(kind, done, items, tickets, until)
        except (RetryableError, LostError) as error:
            return results | {key: WriteResult(Result.RETRY, reason=str(error)) for key in done}
        except RefusedError:
            return results | self._link_apart(kind, done, items, tickets, until)
        return results

    def _link(
        self,
        kind: Kind,
        made: Mapping[str, str],
        items: Mapping[str, Activity],
        tickets: Mapping[str, str],
        until: float,
    ) -> None:
        companies = [(note, items[key].account_id) for key, note in made.items()]
        anchored = [
            (note, tickets[items[key].account_id]) for key, note in made.items() if items[key].account_id in tickets
        ]
        for target, pairs in (("companies", companies), ("tickets", anchored)):
            if pairs:
                link(self._client, kind.object_type, target, pairs, until)

    def _link_apart(
        self,
        kind: Kind,
        made: Mapping[str, str],
        items: Mapping[str, Activity],
        tickets: Mapping[str, str],
        until: float,
    ) -> dict[str, WriteResult]:
        """One refused company must not keep the others' notes off their pages."""
        results: dict[str, WriteResult] = {}
        for key, note in made.items():
            try:
                self._link(kind, {key: note}, items, tickets, until)
            except RefusedError as error:
                reason = f"{kind.object_type} {note} could not be put on company {items[key].account_id}: {error}"
                results[key] = WriteResult(Result.REJECTED, note, reason, "was the company archived or merged?")
            except (LostError, RetryableError) as error:
                results[key] = WriteResult(Result.RETRY, reason=str(error))
        return results

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
            yield from self._located_by_key(kind, keys)
            return
        wanted = set(keys)
        ids = self._activities_of(kind, accounts)
        for each in read_all(self._client, kind.object_type, ids, [kind.body]):
            for key in dict.fromkeys(marks(each.properties.get(kind.body) or "")):
                if key in wanted:
                    yield key, each.id

    def _located_by_key(self, kind: Kind, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Only what stands on a company's page: between making and placing a process may have died."""
        made = read_all(self._client, kind.object_type, keys, [KEY], KEY)
        placed = linked(self._client, kind.object_type, "companies", [each.id for each in made]) if made else {}
        for each in made:
            if each.id in placed:
                yield str(each.properties.get(KEY)), each.id

    def _activities_of(self, kind: Kind, accounts: Sequence[str]) -> Sequence[str]:
        """The notes or tasks on the companies' pages, or on their anchor tickets, newest first."""
        source, owners = "companies", [each for each in accounts if each.isdecimal()]
        if self._client.options.anchor is Anchor.TICKET:
            source, owners = "tickets", list(known_anchors(self._client, owners).values()) if owners else []
        found = linked(self._client, source, kind.object_type, owners) if owners else {}
        return sorted({each for ids in found.values() for each in ids}, key=int, reverse=True)


def _repeatable(result: WriteResult) -> WriteResult:
    """An upsert by key may be sent again whatever became of it."""
    if result.result is not Result.UNKNOWN:
        return result
    return WriteResult(Result.RETRY, reason=result.reason, retry_after=result.retry_after)


def _request(kind: Kind, endpoint: Endpoint) -> Callable[[Sequence[object]], Request]:
    def request(inputs: Sequence[object]) -> Request:
        return Request(endpoint, {"type": kind.object_type}, {"inputs": list(inputs)}, write=True)

    return request


def _associations(kind: Kind, item: Activity, tickets: Mapping[str, str]) -> Iterator[object]:
    yield _association(item.account_id, kind.to_company)
    if item.account_id in tickets:
        yield _association(tickets[item.account_id], kind.to_ticket)


def _association(target: str, type_id: int) -> object:
    return {"to": {"id": target}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]}
