"""Tasks in the activity timeline, as a mirror of what the owner must do. Found by key first, then created.

Whether a field of Activity may be a unique external id is not documented, so there is no upsert here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connectors.base import ConnectorError, CreateTask, Result, WriteResult
from connectors.crm.salesforce.answers import Problem, UnansweredError, failed_write, refused
from connectors.crm.salesforce.client import Client, RefusedError
from connectors.crm.salesforce.ids import eighteen, is_id
from connectors.crm.salesforce.present import Account, Present
from connectors.crm.salesforce.schema import Field, ObjectInfo
from connectors.crm.salesforce.wording import CUT, fitted

TASK: Final = "Task"
_AT_ONCE = 200
_DOING = "writing tasks"
_USER_PREFIX = "005"
_DEPLOY = "deploy deploy/salesforce (Activity), and assign the permission set Escalation Worker to the integration user"


class _Refusal(msgspec.Struct, rename="camel"):
    status_code: str = ""
    message: str = ""
    fields: list[str] | None = None


class _Saved(msgspec.Struct):
    success: bool
    id: str | None = None
    errors: list[_Refusal] | None = None


_SAVED = msgspec.json.Decoder(list[_Saved])


class TaskWriter:
    """Creates tasks of accounts."""

    def __init__(self, client: Client, info: ObjectInfo | None, key: str) -> None:
        self._client, self._info, self._key = client, info, key

    @property
    def key(self) -> str:
        """The field that marks the worker's tasks, empty where the org has none."""
        return self._key if self._info is not None and self._key in self._info.fields else ""

    def write(
        self,
        tasks: Sequence[tuple[int, CreateTask]],
        present: Present,
        until: float,
        results: dict[int, WriteResult],
    ) -> None:
        """Each gets its result; nothing is raised, because other writes of the batch are done already."""
        due: list[tuple[int, CreateTask]] = []
        for index, task in tasks:
            if not self.key:
                reason = f"Task has no field {self._key} that the worker may see"
                results[index] = WriteResult(Result.REJECTED, reason=reason, remedy=_DEPLOY)
            elif task.key in present.tasks:
                results[index] = WriteResult(Result.ALREADY_APPLIED, present.tasks[task.key])
            else:
                due.append((index, task))
        for start in range(0, len(due), _AT_ONCE):
            self._create(due[start : start + _AT_ONCE], present, until, results)

    def _create(
        self,
        due: Sequence[tuple[int, CreateTask]],
        present: Present,
        until: float,
        results: dict[int, WriteResult],
    ) -> None:
        records = [self._record(task, present) for _, task in due]
        try:
            saved = self._sent({"allOrNone": False, "records": records}, until)
        except ConnectorError as error:
            unknown = isinstance(error, UnansweredError)
            fate = WriteResult(Result.UNKNOWN if unknown else Result.RETRY, reason=str(error), remedy=error.remedy)
            results.update({index: fate for index, _ in due})
            return
        results.update({index: _fate(each) for (index, _), each in zip(due, saved, strict=True)})

    def _sent(self, body: Mapping[str, object], until: float) -> list[_Saved]:
        try:
            answer = self._client.send("POST", "composite/sobjects", body, _DOING, until)
        except RefusedError as error:
            raise failed_write(error.problem, _DOING) from None
        records = body["records"]
        try:
            saved = _SAVED.decode(answer.body)
        except msgspec.DecodeError as error:
            raise UnansweredError(f"Salesforce, {_DOING}: not the answer to a collection: {error}") from None
        if not isinstance(records, list) or len(saved) != len(records):
            raise UnansweredError(f"Salesforce, {_DOING}: {len(saved)} results came")
        return saved

    def _record(self, task: CreateTask, present: Present) -> dict[str, object]:
        account = present.account(eighteen(task.account_id))
        owner = _owner(task, account, present)
        forwho = "" if owner == task.assignee_id or not task.assignee_id else f"For: {task.assignee_id}\n"
        record: dict[str, object] = {
            "attributes": {"type": TASK},
            self._key: task.key,
            "WhatId": account.id if account is not None else eighteen(task.account_id),
            "Subject": fitted(" ".join(task.subject.split()), self._length("Subject", 255)),
            "Description": fitted(forwho + task.body, self._length("Description", 32_000), CUT),
            "ActivityDate": task.due_at.date().isoformat(),
        }
        priority = self._field("Priority")
        if priority is not None and "High" in priority.choices:
            record["Priority"] = "High"
        return {**record, "OwnerId": owner} if owner else record

    def _field(self, name: str) -> Field | None:
        return self._info.fields.get(name) if self._info is not None else None

    def _length(self, name: str, otherwise: int) -> int:
        known = self._field(name)
        return known.length if known is not None and known.length else otherwise


def _owner(task: CreateTask, account: Account | None, present: Present) -> str:
    """The assignee where the org knows that user by id, address or user name; else the account's owner."""
    if is_id(task.assignee_id) and task.assignee_id.startswith(_USER_PREFIX):
        return eighteen(task.assignee_id)
    known = present.users.get(task.assignee_id.casefold(), "")
    if known:
        return known
    return account.owner if account is not None and account.owner.startswith(_USER_PREFIX) else ""


def _fate(saved: _Saved) -> WriteResult:
    if saved.success:
        return WriteResult(Result.APPLIED, saved.id or "")
    first = (saved.errors or [_Refusal(message="refused without a reason")])[0]
    return refused(Problem(first.status_code, first.message, 400, tuple(first.fields or ())))
