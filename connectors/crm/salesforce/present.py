"""What stands in the org just before a batch is written: accounts, tasks that are there already, users by address.

One composite call for the whole batch. It shows deleted and merged accounts too, so that a write goes to where a merge
took its account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from connectors.base import Value
from connectors.crm.salesforce import soql
from connectors.crm.salesforce.client import Client
from connectors.crm.salesforce.lookup import Lookup, Record, in_parts, looked_up

ACCOUNT: Final = "Account"
_ABOUT = ("Id", "IsDeleted", "MasterRecordId", "LastModifiedDate", "LastModifiedById", "OwnerId")
_MERGES = 3


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it stands. `values` as JSON gave them."""

    id: str
    values: Mapping[str, object]
    deleted: bool = False
    master: str = ""
    modified: datetime | None = None
    modified_by: str = ""
    owner: str = ""


@dataclass(slots=True)
class Present:
    """What was found, with Salesforce's clock then."""

    at: datetime
    accounts: dict[str, Account] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)

    def merged(self, record_id: str) -> Account | None:
        """The account as it went away, where it was merged into another one."""
        found = self.accounts.get(record_id)
        return found if found is not None and found.deleted and found.master else None

    def account(self, record_id: str) -> Account | None:
        """The account, or the one that it was merged into."""
        found = self.accounts.get(record_id)
        for _ in range(_MERGES):
            if found is None or not found.deleted or not found.master:
                break
            found = self.accounts.get(found.master)
        return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for. `task_key` is the field that marks the worker's tasks, empty where there is none."""

    accounts: Sequence[str]
    fields: Iterable[str] = ()
    task_key: str = ""
    tasks: Sequence[str] = ()
    users: Sequence[str] = ()


def look(client: Client, wanted: Wanted, until: float | None = None) -> Present:
    """Raises a ConnectorError when it cannot look: then nothing is written."""
    present = _looked(client, wanted, until)
    for _ in range(_MERGES):
        masters = {each.master for each in present.accounts.values() if each.deleted and each.master}
        further = sorted(masters - present.accounts.keys())
        if not further:
            break
        present.accounts.update(_looked(client, Wanted(further, wanted.fields), until).accounts)
    return present


def _looked(client: Client, wanted: Wanted, until: float | None) -> Present:
    asked = {"accounts": _accounts(wanted), "tasks": _tasks(wanted), "users": _users(wanted)}
    lookups = [each for some in asked.values() for each in some]
    at, answers = looked_up(client, lookups, "looking at what is there before writing", until)
    rows = iter(answers)
    found = {name: [row for _ in some for row in next(rows)] for name, some in asked.items()}
    present = Present(at)
    for each in found["accounts"]:
        made = _account(each)
        present.accounts[made.id] = made
    for each in found["tasks"]:
        present.tasks.setdefault(str(each.get(wanted.task_key)), str(each.get("Id")))
    for each in found["users"]:
        for name in ("Email", "Username"):
            present.users[str(each.get(name)).casefold()] = str(each.get("Id"))
    return present


def _accounts(wanted: Wanted) -> list[Lookup]:
    fields = (*_ABOUT, *sorted(set(wanted.fields) - set(_ABOUT)))
    parts = in_parts(wanted.accounts)
    return [Lookup(soql.select(fields, ACCOUNT, [soql.one_of("Id", some)]), deleted=True) for some in parts]


def _tasks(wanted: Wanted) -> list[Lookup]:
    key = wanted.task_key
    parts = in_parts(wanted.tasks) if key else []
    return [Lookup(soql.select(("Id", key), "Task", [soql.one_of(key, some)])) for some in parts]


def _users(wanted: Wanted) -> list[Lookup]:
    made = []
    for some in in_parts(wanted.users):
        who = f"({soql.one_of('Username', some)} OR {soql.one_of('Email', some)})"
        made.append(Lookup(soql.select(("Id", "Username", "Email"), "User", ["IsActive = true", who])))
    return made


def _account(record: Record) -> Account:
    return Account(
        str(record.get("Id")),
        record,
        record.get("IsDeleted") is True,
        str(record.get("MasterRecordId") or ""),
        moment_of(record.get("LastModifiedDate")),
        str(record.get("LastModifiedById") or ""),
        str(record.get("OwnerId") or ""),
    )


def moment_of(value: object) -> datetime | None:
    """A time of Salesforce as aware UTC, None for anything else."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else None


def differs(present: object, expected: Value) -> bool:
    """Whether a field holds something else: empty, missing and false are the same, times count in seconds."""
    if isinstance(expected, datetime):
        return moment_of(present) != expected.astimezone(UTC).replace(microsecond=0)
    if isinstance(expected, (int, Decimal)) and not isinstance(expected, bool):
        return present != expected
    return (present or None) != (expected or None)
