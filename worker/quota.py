"""What CRMs told of their API quota, kept where the status page and the metrics can read it: they run elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from connectors.quota import Metered, Quota
from worker.core.model import ConnectorName
from worker.store import guard
from worker.store.codec import decode, encode
from worker.wiring import Crm

UNMETERED = Quota("", unknown="this CRM tells of no limit")
UNHEARD = Quota("", unknown="no cycle has asked it yet")
_KEPT = "quota."


def keep(tx: Connection, crms: Iterable[Crm], now: datetime) -> None:
    """Remember what each CRM told last. A process that heard nothing does not undo what another one heard."""
    for crm in crms:
        told = crm.connector.quota() if isinstance(crm.connector, Metered) else UNMETERED
        before = quota_of(tx, crm.name, now)
        if told != before and (told.used is not None or before.used is None):
            guard.set_setting(tx, _KEPT + crm.name, encode(told).decode())


def quota_of(tx: Connection, connector: ConnectorName, now: datetime) -> Quota:
    """What is known of one CRM's quota now: of a period that is over nothing is."""
    kept = guard.setting(tx, _KEPT + connector)
    told = decode(kept, Quota) if kept else UNHEARD
    if told.resets_at is not None and told.resets_at <= now:
        return replace(told, used=None, unknown="counting began anew, and no answer told it since")
    return told
