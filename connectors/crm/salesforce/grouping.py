"""A batch in groups, one an account: what goes into one graph, so that flag and note never diverge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.base import CreateNote, CreateTask, Result, UpdateRecord, Write, WriteResult
from connectors.crm.salesforce.ids import eighteen
from connectors.crm.salesforce.options import Options
from connectors.crm.salesforce.present import ACCOUNT, Account, Present, differs, moment_of
from connectors.crm.salesforce.schema import ObjectInfo, Schema
from connectors.crm.salesforce.wording import CUT, fitted, worded

MOST_WRITES: Final = 20
"""Of one account in one call; what is more goes with the next."""

_DUPLICATE, _RESOLVED = "duplicate", "resolved"
_DEPLOY = "deploy deploy/salesforce, and assign the permission set Escalation Worker to the integration user"


@dataclass(frozen=True, slots=True)
class Node:
    """One PATCH. `item` is the write that it belongs to; its answer is that write's when `own`."""

    path: str
    body: Mapping[str, object]
    item: int
    own: bool = True


@dataclass(slots=True)
class Group:
    """The writes of one account that stand or fall together. `unless_after`: only if nobody saved it since.

    `merged` is the account that the writes are about where `account` is the one that it went into.
    """

    account: Account
    merged: Account | None = None
    nodes: list[Node] = field(default_factory=list)
    unless_after: datetime | None = None

    @property
    def items(self) -> list[int]:
        """The writes in it, in order."""
        return [node.item for node in self.nodes if node.own]


def account_of(write: Write) -> str:
    """Whose account a write is about."""
    return eighteen(write.record_id if isinstance(write, UpdateRecord) else write.account_id)


class Grouper:
    """Turns writes into groups; what cannot be sent gets its result at once."""

    def __init__(self, options: Options, schema: Schema, own_user: str) -> None:
        self._options, self._own_user = options, own_user
        self._account = schema.get(ACCOUNT)
        self._escalation = schema.find(options.escalation)
        self._note = schema.find(options.note)

    def group(
        self, writes: Sequence[tuple[int, Write]], present: Present, results: dict[int, WriteResult]
    ) -> Group | None:
        """The group of one account. After the first write that cannot go, the later ones wait: they come in order."""
        account = present.account(account_of(writes[0][1]))
        if account is None or account.deleted:
            results.update({index: _gone(write) for index, write in writes})
            return None
        group = Group(account, present.merged(account_of(writes[0][1])))
        going: list[tuple[int, UpdateRecord | CreateNote]] = []
        for index, write in writes:
            if isinstance(write, CreateTask):
                continue
            refused = self._refusal(write, going, group)
            if refused is not None:
                results[index] = refused
                results.update({later: waits() for later, _ in writes if later > index})
                break
            going.append((index, write))
        self._fill(group, going, present.at)
        return group

    def _refusal(
        self, write: UpdateRecord | CreateNote, going: Sequence[tuple[int, Write]], group: Group
    ) -> WriteResult | None:
        if isinstance(write, CreateNote):
            if self._note is None:
                reason = f"Salesforce has no object {self._options.note} that the worker may see"
                return WriteResult(Result.REJECTED, reason=reason, remedy=_DEPLOY)
            return waits() if len(going) >= MOST_WRITES else None
        if any(isinstance(each, UpdateRecord) for _, each in going):
            return waits()
        if group.merged is not None:
            return None if self._record_key(group.merged, write) else WriteResult(Result.ALREADY_APPLIED)
        expected = write.expect or {}
        changed = [name for name, value in expected.items() if differs(group.account.values.get(name), value)]
        if changed:
            return WriteResult(Result.CONFLICT, reason=f"changed meanwhile: {', '.join(changed)}")
        return None

    def _fill(self, group: Group, going: Sequence[tuple[int, UpdateRecord | CreateNote]], at: datetime) -> None:
        """The flag first, then the escalation, then the notes that refer to it."""
        flag = next(((index, write) for index, write in going if isinstance(write, UpdateRecord)), None)
        whose = group.merged or group.account
        body: dict[str, object] = {}
        if flag is not None:
            index, write = flag
            body = {name: worded(value, self._account.fields.get(name)) for name, value in write.values.items()}
            if group.merged is None:
                self._flag(group, index, write, body, at)
        key = self._record_key(whose, None if flag is None else flag[1])
        if key and going:
            own = flag is not None and group.merged is not None
            group.nodes.append(self._kept(group.account, key, body, going[0][0] if flag is None else flag[0], own=own))
        group.nodes += [
            self._noted(group.account, index, write, key) for index, write in going if isinstance(write, CreateNote)
        ]

    def _flag(self, group: Group, index: int, write: UpdateRecord, body: Mapping[str, object], at: datetime) -> None:
        if any((write.expect or {}).values()) and self._somebody_edits(group.account, at):
            group.unless_after = group.account.modified
        group.nodes.append(Node(f"sobjects/{ACCOUNT}/{group.account.id}", body, index))

    def _record_key(self, account: Account, flag: UpdateRecord | None) -> str:
        """The key of the account's present escalation, empty where there is none or the org keeps no such records."""
        said = None if flag is None else flag.values.get(self._options.opened_field)
        opened = said if isinstance(said, datetime) else moment_of(account.values.get(self._options.opened_field))
        return f"{account.id}-{opened.astimezone(UTC):%Y%m%d%H%M%S}" if opened and self._escalation else ""

    def _somebody_edits(self, account: Account, at: datetime) -> bool:
        window = timedelta(minutes=self._options.editing_minutes)
        return account.modified is not None and account.modified_by != self._own_user and at - account.modified < window

    def _kept(self, account: Account, key: str, body: Mapping[str, object], index: int, *, own: bool) -> Node:
        """The escalation as a record of its own: it keeps what the account's fields forget."""
        assert self._escalation is not None
        path = f"sobjects/{self._options.escalation}/{self._options.key}/{key}"
        return Node(path, {"Account__c": account.id, **_mirrored(self._escalation, body)}, index, own=own)

    def _noted(self, account: Account, index: int, write: CreateNote, escalation: str) -> Node:
        assert self._note is not None
        body: dict[str, object] = {
            "Name": fitted(" ".join(write.title.split()), _length(self._note, "Name", 80)) or "Escalation",
            "Account__c": account.id,
            "Body__c": fitted(write.body, _length(self._note, "Body__c", 0), CUT),
            "At__c": worded(write.at, None),
        }
        if escalation:
            relation = self._options.escalation.removesuffix("__c") + "__r"
            body[relation] = {self._options.key: escalation}
        return Node(f"sobjects/{self._options.note}/{self._options.key}/{write.key}", body, index)


def _length(info: ObjectInfo, name: str, otherwise: int) -> int:
    known = info.fields.get(name)
    return known.length if known is not None and known.length else otherwise


def _mirrored(info: ObjectInfo, body: Mapping[str, object]) -> dict[str, object]:
    """The flag's values that the escalation has a field for; an emptied one stays as the record of what was.

    An org that was not deployed to since knows no status `duplicate`: it then shows that the escalation is resolved.
    """
    return {
        name: _RESOLVED if value == _DUPLICATE and known.restricted_picklist and value not in known.choices else value
        for name, value in body.items()
        if value is not None and (known := info.fields.get(name)) is not None and known.updateable
    }


def _gone(write: Write) -> WriteResult:
    reason = f"account {account_of(write)} is not there: deleted, or hidden from the integration user"
    return WriteResult(Result.REJECTED, reason=reason, remedy="restore it, or give the integration user access to it")


def waits() -> WriteResult:
    """Nothing was done: what came before it in its account did not go."""
    return WriteResult(Result.RETRY, reason="an earlier write of this account comes first")
