"""What is set aside stays shown until there is news of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.base import BadRow, Page
from worker.core.model import ConnectorName, RecordKind
from worker.mapping import load_mapping
from worker.mirror import Mirror
from worker.ports import SystemPorts
from worker.store import progress
from worker.store.database import Store, open_store

CRM = ConnectorName("crm")
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
MAPPING = load_mapping(Path(__file__).parent.parent.parent / "config" / "mappings" / "embedded.yaml")
SHAPE = MAPPING.query(RecordKind.ACCOUNT).shape


@pytest.fixture
def store() -> Store:
    return open_store("sqlite://", SystemPorts())


def read(store: Store, stamp: str, **fields: object) -> None:
    page = Page([SHAPE(record_id="A1", modified_at=stamp, **{"name": "PT A", "health": "Red", **fields})])
    with store.begin() as tx:
        Mirror(CRM, MAPPING).take(tx, RecordKind.ACCOUNT, page, NOW, first_load=False)


def set_aside(store: Store, stamp: str) -> None:
    with store.begin() as tx:
        progress.put_in_quarantine(tx, CRM, RecordKind.ACCOUNT, "A1", "A1", "arr is no number", NOW, modified=stamp)


def shown(store: Store) -> int:
    with store.read() as tx:
        return len(progress.quarantined(tx))


def test_the_same_version_and_a_new_stamp_without_news_leave_it_shown(store: Store) -> None:
    read(store, "2026-11-24T08:00:00+00:00", arr="much")
    set_aside(store, "2026-11-24T08:00:00+00:00")
    read(store, "2026-11-24T08:00:00+00:00", arr="much")
    read(store, "2026-11-24T08:30:00+00:00", arr="much")

    assert shown(store) == 1


def test_another_version_releases_it(store: Store) -> None:
    read(store, "2026-11-24T08:00:00+00:00", arr="much")
    set_aside(store, "2026-11-24T08:00:00+00:00")
    read(store, "2026-11-24T08:30:00+00:00", arr="5000000")

    assert shown(store) == 0


def test_what_could_not_be_decoded_is_released_once_it_can(store: Store) -> None:
    read(store, "2026-11-24T08:00:00+00:00")
    with store.begin() as tx:
        page = Page([], bad=[BadRow("A1", "not a record")])
        Mirror(CRM, MAPPING).take(tx, RecordKind.ACCOUNT, page, NOW, first_load=False)
    assert shown(store) == 1
    read(store, "2026-11-24T08:00:00+00:00")

    assert shown(store) == 0


def test_a_ticket_of_nobody_that_is_a_case_and_a_dispute_is_told_once(store: Store, tmp_path: Path) -> None:
    """HubSpot, with its category BILLING_ISSUE mapped to payment_dispute: each such ticket is read as both."""
    shipped = Path(__file__).parent.parent.parent / "config/mappings/hubspot.yaml"
    text = shipped.read_text(encoding="utf-8").replace("[BILLING_DISPUTE,", "[BILLING_ISSUE, BILLING_DISPUTE,")
    (tmp_path / "hubspot.yaml").write_text(text, encoding="utf-8")
    mapping = load_mapping(tmp_path / "hubspot.yaml")
    mirror, told = Mirror(CRM, mapping), []

    for owner in (None, None, "5001"):
        for kind in (RecordKind.CASE, RecordKind.DISPUTE):
            words = {"category": "BILLING_ISSUE"} if kind is RecordKind.CASE else {"amount": "12000000"}
            shape = mapping.query(kind).shape
            row = shape(record_id="7", modified_at="2026-11-24T08:00:00Z", status="OPEN", account_id=owner, **words)
            with store.begin() as tx:
                mirror.take(tx, kind, Page([row]), NOW, first_load=False)
        told.append(shown(store))

    assert told == [1, 1, 0]
