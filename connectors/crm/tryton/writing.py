"""One write to Tryton, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import (
    CreateNote,
    CreateTask,
    FatalError,
    Result,
    RetryableError,
    UpdateRecord,
    Value,
    Write,
    WriteResult,
)
from connectors.crm.tryton import asking
from connectors.crm.tryton.rest import Answer, NoAnswerError, NotSentError, Rest
from connectors.crm.tryton.tagged import said

NOTE, TASK = "escalation.note", "escalation.task"
_KEYS_AT_ONCE = 200
_RIGHTS = "is the key's user in the group 'Escalation Worker'? `check` tells"


class Writer:
    """Writes to one database. Nothing is sent twice here."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def write(self, item: Write) -> WriteResult:
        """Carry out one write. Raises FatalError or RetryableError where no other write would fare better."""
        try:
            return self._written(item)
        except NotSentError as error:
            return WriteResult(Result.RETRY, reason=str(error))
        except NoAnswerError as error:
            return WriteResult(Result.UNKNOWN, reason=str(error))

    def _written(self, item: Write) -> WriteResult:
        match item:
            case UpdateRecord():
                return self._flag(item)
            case CreateNote():
                values = {"title": item.title, "body": item.body, "at": said(item.at)}
                return self._once(NOTE, item.key, item.account_id, values)
            case CreateTask():
                user = asking.numbered([item.assignee_id])
                whom = {"assignee": user[0]} if user else {"assignee_name": item.assignee_id}
                values = {"subject": item.subject, "body": item.body, "due_at": said(item.due_at), **whom}
                return self._once(TASK, item.key, item.account_id, values)

    def _flag(self, item: UpdateRecord) -> WriteResult:
        """The look at what the flag is and the change stand in one transaction of the server's."""
        number = asking.numbered([item.record_id])
        if not number:
            return _not_there(item)
        body: dict[str, object] = {"values": _told(item.values)}
        if item.expect is not None:
            body["expect"] = _told(item.expect)
        answer = self._rest.post(f"{item.object_name}/{number[0]}/escalate", body)
        if answer.status == 404:
            return _not_there(item)
        if not answer.ok:
            return self._refused(answer)
        return _flagged(item, answer.body)

    def _once(self, model: str, key: str, account_id: str, values: Mapping[str, object]) -> WriteResult:
        """The database refuses a key that it has: then what was to be written is there."""
        account = asking.numbered([account_id])
        if not account:
            return WriteResult(Result.REJECTED, reason=f"account {account_id} is not there")
        answer = self._rest.post(model, {"key": key, "party": account[0], **values}, [("f", "key")])
        if answer.ok:
            made = answer.body.get("id") if isinstance(answer.body, dict) else None
            return _doubtful() if made is None else WriteResult(Result.APPLIED, f"{model},{made}")
        if answer.status == 400:
            there = self._ids(model, [key]).get(key)
            if there:
                return WriteResult(Result.ALREADY_APPLIED, f"{model},{there[0]}")
        return self._refused(answer)

    def _refused(self, answer: Answer) -> WriteResult:
        self._rest.refuse_for_all(answer)
        if answer.status >= 500:
            return WriteResult(Result.UNKNOWN, reason=f"Tryton failed: {answer.status} {answer.said}")
        return WriteResult(Result.REJECTED, reason=answer.said or f"status {answer.status}", remedy=_RIGHTS)

    def found(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """The notes and tasks with these keys, as `model,id`."""
        places: dict[str, list[str]] = {key: [] for key in keys}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            for model in (NOTE, TASK):
                for key, ids in self._ids(model, keys[start : start + _KEYS_AT_ONCE]).items():
                    places[key] += [f"{model},{each}" for each in ids]
        return places

    def _ids(self, model: str, keys: Sequence[str]) -> dict[str, list[str]]:
        domain: asking.Domain = [["key", "in", list(keys)]]
        answer = self._rest.get(model, asking.parameters(["key"], domain, ("id",), 2 * len(keys) + 1))
        if not answer.ok:
            raise FatalError(f"Tryton does not give {model}: {answer.status} {answer.said}", "run `check`")
        if not isinstance(answer.body, list) or not all(
            isinstance(each, dict) and "id" in each for each in answer.body
        ):
            raise RetryableError(f"Tryton's answer for {model} is not a list of records")
        if any("key" not in each for each in answer.body):
            raise FatalError(f"Tryton hides key of {model} from the key's user", _RIGHTS)
        ids: dict[str, list[str]] = {}
        for each in answer.body:
            ids.setdefault(str(each["key"]), []).append(str(each["id"]))
        return ids


def _told(values: Mapping[str, Value]) -> dict[str, object]:
    return {name: said(value) for name, value in values.items()}


def _flagged(item: UpdateRecord, body: object) -> WriteResult:
    result = body.get("result") if isinstance(body, dict) else None
    if result == "applied":
        return WriteResult(Result.APPLIED, item.record_id)
    if result == "already":
        return WriteResult(Result.ALREADY_APPLIED, item.record_id)
    if result == "conflict":
        return WriteResult(Result.CONFLICT, reason="somebody changed the flag meanwhile")
    return _doubtful()


def _doubtful() -> WriteResult:
    return WriteResult(Result.UNKNOWN, reason="the answer is not understood: is the module's version right?")


def _not_there(item: UpdateRecord) -> WriteResult:
    reason = f"{item.object_name} {item.record_id} is not there"
    return WriteResult(Result.REJECTED, reason=reason, remedy="was it deleted or merged?")
