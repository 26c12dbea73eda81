"""What the tests of the Salesforce connector say again and again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from connectors.base import Connector, CreateNote, Cursor, UpdateRecord
from tests.salesforce.stub import Call, Fault, Org, Reply
from worker.core.model import Flag, Level, RecordKind
from worker.mapping import CrmMapping

LONG_AGO = Cursor(datetime(2026, 1, 1, tzinfo=UTC))
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
FLAG = Flag(True, Level.L2, "why", NOW, NOW + timedelta(hours=2), "open", "Bima")


def account(number: int) -> str:
    return f"001{number:012d}AAA"


def once(part: str, reply: Reply | Callable[[Call], Reply | None], times: int = 1) -> Fault:
    """The next calls whose path holds `part` fail so."""
    left = [times]

    def fault(call: Call) -> Reply | None:
        if part not in call.path or left[0] <= 0:
            return None
        left[0] -= 1
        return reply(call) if callable(reply) else reply

    return fault


def always(part: str, reply: Reply) -> Fault:
    return lambda call: reply if part in call.path else None


def fill(org: Org, count: int, **values: object) -> list[str]:
    return [
        org.put("Account", account(number), Name=f"PT {number}", Health__c="Green", **values) for number in range(count)
    ]


def ids_of(
    connector: Connector, mapping: CrmMapping, kind: RecordKind = RecordKind.ACCOUNT, **query: object
) -> list[str]:
    query.setdefault("since", LONG_AGO)
    return [row.record_id for page in connector.pull(mapping.query(kind, **query)) for row in page.rows]  # type: ignore[arg-type]


def flag(
    mapping: CrmMapping, record_id: str, key: str = "k", wanted: Flag = FLAG, expect: Flag | None = None
) -> UpdateRecord:
    expected = None if expect is None else mapping.flag_values(expect)
    return UpdateRecord(key, "Account", record_id, mapping.flag_values(wanted), expected)


def note(record_id: str, key: str = "n1", body: str = "body") -> CreateNote:
    return CreateNote(key, record_id, "Escalated to L2", body, NOW)
