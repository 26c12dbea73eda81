"""Writing a batch: look at what is there, send each account's flag and notes as one graph, then the tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import CreateNote, CreateTask, FatalError, Result, UpdateRecord, Write, WriteResult
from connectors.crm.salesforce.asking import hidden
from connectors.crm.salesforce.client import Client
from connectors.crm.salesforce.graphs import GraphWriter
from connectors.crm.salesforce.grouping import Group, Grouper, account_of, waits
from connectors.crm.salesforce.ids import is_id, is_key
from connectors.crm.salesforce.keys import KeyFinder
from connectors.crm.salesforce.present import ACCOUNT, Present, Wanted, look
from connectors.crm.salesforce.schema import ObjectInfo, Schema
from connectors.crm.salesforce.tasks import TASK, TaskWriter

_SECONDS = 25.0
_DEPLOY = "deploy deploy/salesforce, or correct the mapping; the permission set Escalation Worker shows the fields"
_STALE = ("INVALID_FIELD", "INVALID_TYPE", "NOT_FOUND")
_Numbered = list[tuple[int, Write]]


class Writer:
    """Writes to one org. Nothing is retried here: each write gets its result, and the worker decides."""

    def __init__(self, client: Client, schema: Schema, keys: KeyFinder) -> None:
        self._client, self._schema, self._keys = client, schema, keys

    def write(self, batch: Sequence[Write]) -> list[WriteResult]:
        """One result a write, in order. Raises a ConnectorError when surely nothing was written."""
        until = self._client.clock() + _SECONDS
        results: dict[int, WriteResult] = {}
        sound = [(index, each) for index, each in enumerate(batch) if self._is_sound(index, each, results)]
        if sound:
            self._write(sound, until, results)
        return [results[index] for index in range(len(batch))]

    def _is_sound(self, index: int, write: Write, results: dict[int, WriteResult]) -> bool:
        reason = self._fault(write)
        if reason:
            results[index] = WriteResult(Result.REJECTED, reason=reason, remedy=_DEPLOY)
        return not reason

    def _fault(self, write: Write) -> str:
        if not is_id(account_of(write)):
            return f"{account_of(write)!r} is not the id of a Salesforce account"
        if not isinstance(write, UpdateRecord):
            return "" if is_key(write.key) else f"the key {write.key!r} has letters that may not stand in an address"
        if write.object_name != ACCOUNT:
            return f"flags are written to {ACCOUNT}, not to {write.object_name}"
        known = self._schema.get(ACCOUNT).fields
        unknown = [name for name in (*write.values, *(write.expect or {})) if name not in known]
        locked = [name for name in write.values if name in known and not known[name].updateable]
        if unknown:
            return hidden(ACCOUNT, list(dict.fromkeys(unknown)))
        return f"the worker may not write {', '.join(locked)} of {ACCOUNT}" if locked else ""

    def _write(self, sound: _Numbered, until: float, results: dict[int, WriteResult]) -> None:
        tasks = TaskWriter(self._client, self._info(sound), self._client.options.task_key)
        present = self._present(self._wanted(sound, tasks.key), until)
        grouper = Grouper(self._client.options, self._schema, self._client.user_id())
        by_account: dict[str, _Numbered] = {}
        for index, write in sound:
            by_account.setdefault(account_of(write), []).append((index, write))
        made = [grouper.group(writes, present, results) for writes in by_account.values()]
        groups: list[Group] = [group for group in made if group is not None]
        GraphWriter(self._client).write(_apart(groups, results), until, results)
        self._look_up_doubles(sound, results)
        tasks.write(self._due_tasks(by_account, results), present, until, results)
        if any(each.reason.startswith(_STALE) for each in results.values()):
            self._describe_anew()

    def _present(self, wanted: Wanted, until: float) -> Present:
        try:
            return look(self._client, wanted, until)
        except FatalError:
            self._describe_anew()
            raise

    def _describe_anew(self) -> None:
        """The org is not what it was when it was described: the next batch is judged by what it is now."""
        options = self._client.options
        for name in (ACCOUNT, TASK, options.escalation, options.note):
            self._schema.forget(name)

    def _info(self, sound: _Numbered) -> ObjectInfo | None:
        return self._schema.find(TASK) if any(isinstance(each, CreateTask) for _, each in sound) else None

    def _wanted(self, sound: _Numbered, task_key: str) -> Wanted:
        fields = {
            name for _, each in sound if isinstance(each, UpdateRecord) for name in (*each.values, *(each.expect or {}))
        }
        opened = self._client.options.opened_field
        if opened in self._schema.get(ACCOUNT).fields:
            fields.add(opened)
        tasks = [each for _, each in sound if isinstance(each, CreateTask)]
        return Wanted(
            list(dict.fromkeys(account_of(each) for _, each in sound)),
            fields,
            task_key,
            [each.key for each in tasks],
            sorted({each.assignee_id for each in tasks if "@" in each.assignee_id}),
        )

    def _look_up_doubles(self, sound: _Numbered, results: dict[int, WriteResult]) -> None:
        """DUPLICATE_VALUE on our own key means that another worker's upsert came first."""
        doubles = {
            index: each.key
            for index, each in sound
            if isinstance(each, CreateNote) and index in results and results[index].reason.startswith("DUPLICATE_VALUE")
        }
        if not doubles:
            return
        there = self._keys.find(list(doubles.values()))
        for index, key in doubles.items():
            if key in there:
                results[index] = WriteResult(Result.ALREADY_APPLIED, there[key])

    def _due_tasks(
        self, by_account: Mapping[str, _Numbered], results: dict[int, WriteResult]
    ) -> list[tuple[int, CreateTask]]:
        due: list[tuple[int, CreateTask]] = []
        for writes in by_account.values():
            failed = False
            for index, write in writes:
                failed = failed or (index in results and not results[index].done)
                if isinstance(write, CreateTask) and index not in results:
                    if failed:
                        results[index] = waits()
                    else:
                        due.append((index, write))
        return due


def _apart(groups: Sequence[Group], results: dict[int, WriteResult]) -> list[Group]:
    """Two accounts that were merged into one are one record now: the second waits for the next call."""
    seen: set[str] = set()
    kept: list[Group] = []
    for group in groups:
        if group.account.id in seen:
            results.update(dict.fromkeys(group.items, waits()))
            continue
        seen.add(group.account.id)
        kept.append(group)
    return kept
