"""Writing a batch: in rounds, so that the writes of one account keep their order and many accounts share a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from connectors.base import (
    CreateNote,
    CreateTask,
    FatalError,
    Result,
    RetryableError,
    UpdateRecord,
    Write,
    WriteResult,
)
from connectors.crm.hubspot.activities import NOTES, TASKS, Activities
from connectors.crm.hubspot.batches import later
from connectors.crm.hubspot.client import Client, RefusedError
from connectors.crm.hubspot.pin import pin
from connectors.crm.hubspot.updates import Updater
from connectors.crm.hubspot.wire import LostError

Results = dict[str, WriteResult]


class Writer:
    """Writes flags, notes and tasks."""

    def __init__(self, client: Client, updater: Updater, activities: Activities) -> None:
        self._client = client
        self._updater = updater
        self._activities = activities

    def write(self, batch: Sequence[Write]) -> list[WriteResult]:
        """One result an item. Raises only while nothing has been written: later faults stand in the results."""
        until = self._client.until()
        results: dict[int, WriteResult] = {}
        waiting = _by_account(batch)
        while waiting:
            heads = [positions[0] for positions in waiting.values()]
            results |= self._round(batch, heads, until, begun=bool(results))
            waiting = {account: rest for account, each in waiting.items() if (rest := _rest(each, results))}
        return [results[position] for position in range(len(batch))]

    def _round(
        self, batch: Sequence[Write], heads: Sequence[int], until: float, *, begun: bool
    ) -> dict[int, WriteResult]:
        results: dict[int, WriteResult] = {}
        updates = {p: item for p in heads if isinstance(item := batch[p], UpdateRecord)}
        notes = {p: item for p in heads if isinstance(item := batch[p], CreateNote)}
        tasks = {p: item for p in heads if isinstance(item := batch[p], CreateTask)}
        steps: list[tuple[dict[int, str], Callable[[], Results]]] = [
            (_keys(updates), lambda: self._updater.update(list(updates.values()), until)),
            (_keys(notes), lambda: self._notes(list(notes.values()), until)),
            (_keys(tasks), lambda: self._activities.create(TASKS, list(tasks.values()), until)),
        ]
        for keys, step in steps:
            if keys:
                by_key = _guarded(step, list(keys.values()), begun=begun or bool(results))
                results |= {position: by_key[key] for position, key in keys.items()}
        return results

    def _notes(self, notes: Sequence[CreateNote], until: float) -> Results:
        results = self._activities.create(NOTES, notes, until)
        new = {each.account_id: each.key for each in notes if results[each.key].result is Result.APPLIED}
        if not self._client.options.pin_while or not new:
            return results
        fault = self._pin({account: results[key].remote_id for account, key in new.items()}, until)
        return results | {key: replace(results[key], reason=fault) for key in new.values()}

    def _pin(self, made: dict[str, str], until: float) -> str:
        """A convenience for people: a note that could not be pinned is there all the same, and says why."""
        try:
            pin(self._client, made, until)
        except (RetryableError, FatalError, LostError, RefusedError) as error:
            return f"made, but not pinned: {error}"
        return ""


def _keys(items: dict[int, UpdateRecord] | dict[int, CreateNote] | dict[int, CreateTask]) -> dict[int, str]:
    return {position: item.key for position, item in items.items()}


def _guarded(step: Callable[[], Results], keys: Sequence[str], *, begun: bool) -> Results:
    try:
        return step()
    except (RetryableError, FatalError) as error:
        if not begun:
            raise
        return {key: later(error) for key in keys}


def _by_account(batch: Sequence[Write]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for position, item in enumerate(batch):
        account = item.record_id if isinstance(item, UpdateRecord) else item.account_id
        found.setdefault(account, []).append(position)
    return found


def _rest(positions: list[int], results: dict[int, WriteResult]) -> list[int]:
    """What of an account is still to be written: nothing, once a write of it was not done."""
    first, rest = results[positions[0]], positions[1:]
    if first.done:
        return rest
    for position in rest:
        reason = f"an earlier write of this account is not done: {first.reason}"
        results[position] = WriteResult(
            Result.RETRY, reason=reason, retry_after=first.retry_after, for_all=first.for_all
        )
    return []
