"""A batch in groups, one an account: what goes into one graph, so that flag and note never diverge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connectors.base import CreateNote, CreateTask, Result, UpdateRecord, Write, WriteResult
from connectors.crm.salesforce.ids import eighteen
from connectors.crm.salesforce.options import Options
from connectors.crm.salesforce.present import ACCOUNT, Account, Present, differs, moment_of
from connectors.crm.salesforce.schema import ObjectInfo, Schema
from connectors.crm.salesforce.wording import CUT, fitted, worded

MOST_NODES: Final = 20
"""Of one account in one call; what is more goes with the next."""

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
    """The writes of one account that stand or fall together. `unless_after`: only if nobody saved it since."""

    account: Account
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
        group = Group(account)
        keys: set[str] = set()
        for index, write in writes:
            if isinstance(write, CreateTask):
                continue
            refused = self._add(group, index, write, present, keys)
            if refused is not None:
                results[index] = refused
                results.update({later: _waits() for later, _ in writes if later > index})
                break
        return group

    def _add(self, group: Group, index: int, write: Write, present: Present, keys: set[str]) -> WriteResult | None:
        if len(group.nodes) >= MOST_NODES:
            return _waits()
        if isinstance(write, UpdateRecord):
            return self._flag(group, index, write, present, keys)
        return self._noted(group, index, write, keys) if isinstance(write, CreateNote) else None

    def _flag(
        self, group: Group, index: int, write: UpdateRecord, present: Present, keys: set[str]
    ) -> WriteResult | None:
        path = f"sobjects/{ACCOUNT}/{group.account.id}"
        if any(node.path == path for node in group.nodes):
            return _waits()
        expected = write.expect or {}
        changed = [name for name, value in expected.items() if differs(group.account.values.get(name), value)]
        if changed:
            return WriteResult(Result.CONFLICT, reason=f"changed meanwhile: {', '.join(changed)}")
        body = {name: worded(value, self._account.fields.get(name)) for name, value in write.values.items()}
        if any(expected.values()) and self._somebody_edits(group.account, present.at):
            group.unless_after = group.account.modified
        group.nodes.append(Node(path, body, index))
        opened = write.values.get(self._options.opened_field)
        self._keep(group, index, keys, opened if isinstance(opened, datetime) else None, body)
        return None

    def _somebody_edits(self, account: Account, at: datetime) -> bool:
        window = timedelta(minutes=self._options.editing_minutes)
        return account.modified is not None and account.modified_by != self._own_user and at - account.modified < window

    def _keep(
        self, group: Group, index: int, keys: set[str], opened: datetime | None, body: Mapping[str, object]
    ) -> str:
        """The escalation as a record of its own: it keeps what the account's fields forget. Returns its key."""
        since = opened or moment_of(group.account.values.get(self._options.opened_field))
        if since is None or self._escalation is None:
            return ""
        key = f"{group.account.id}-{since:%Y%m%d%H%M%S}"
        path = f"sobjects/{self._options.escalation}/{self._options.key}/{key}"
        kept = Node(path, {"Account__c": group.account.id, **_mirrored(self._escalation, body)}, index, own=False)
        place = next((number for number, node in enumerate(group.nodes) if node.path == path), None)
        if place is None:
            group.nodes.append(kept)
        elif body:
            group.nodes[place] = kept
        keys.add(key)
        return key

    def _noted(self, group: Group, index: int, write: CreateNote, keys: set[str]) -> WriteResult | None:
        if self._note is None:
            reason = f"Salesforce has no object {self._options.note} that the worker may see"
            return WriteResult(Result.REJECTED, reason=reason, remedy=_DEPLOY)
        escalation = self._keep(group, index, keys, None, {})
        opened = [key for key in keys if key.startswith(group.account.id)]
        body: dict[str, object] = {
            "Name": fitted(" ".join(write.title.split()), _length(self._note, "Name", 80)) or "Escalation",
            "Account__c": group.account.id,
            "Body__c": fitted(write.body, _length(self._note, "Body__c", 0), CUT),
            "At__c": worded(write.at, None),
        }
        about = max(opened, default=escalation)
        if about:
            relation = self._options.escalation.removesuffix("__c") + "__r"
            body[relation] = {self._options.key: about}
        group.nodes.append(Node(f"sobjects/{self._options.note}/{self._options.key}/{write.key}", body, index))
        return None


def _length(info: ObjectInfo, name: str, otherwise: int) -> int:
    known = info.fields.get(name)
    return known.length if known is not None and known.length else otherwise


def _mirrored(info: ObjectInfo, body: Mapping[str, object]) -> dict[str, object]:
    """The flag's values that the escalation has a field for; an emptied one stays as the record of what was."""
    return {
        name: value
        for name, value in body.items()
        if value is not None and (known := info.fields.get(name)) is not None and known.updateable
    }


def _gone(write: Write) -> WriteResult:
    reason = f"account {account_of(write)} is not there: deleted, or hidden from the integration user"
    return WriteResult(Result.REJECTED, reason=reason, remedy="restore it, or give the integration user access to it")


def _waits() -> WriteResult:
    return WriteResult(Result.RETRY, reason="an earlier write of this account comes first")
