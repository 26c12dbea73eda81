"""The month's report to the VP, by mail, once: due as soon as the month is over, by the outbox and its key."""

from __future__ import annotations

import uuid
from datetime import datetime

from connectors.notifier import Message, Posting
from worker.assembly import Worker
from worker.core.episodes import Month
from worker.core.model import AccountId, Channel, ConnectorName, Event, Level, Role
from worker.core.report import report
from worker.report.episodes import collect
from worker.report.pages import as_markdown
from worker.store import guard, outbox
from worker.store.codec import encode
from worker.store.database import Store
from worker.store.deliveries import Intent, Kind
from worker.wiring import Outlet

_NAMESPACE = uuid.UUID("f1a3c1de-6c7f-5a0e-9a3b-3f4f6f2f5d11")
_SENT = "report_sent"


def send_if_due(worker: Worker, store: Store, now: datetime) -> bool:
    """Enqueue last month's report for the VP unless that was done. Returns whether it was.

    Nothing is sent for a month before the first escalation, or where there is no mail or no VP with an address.
    """
    month = Month.of(now).before()
    with store.read() as tx:
        done = guard.setting(tx, _SENT) >= str(month)
    outlet = next((each for each in worker.outlets if each.channel is Channel.EMAIL), None)
    vp = worker.settings.policy.people.get(Role.VP_CS)
    if done or outlet is None or vp is None or not vp.email:
        return False
    found = collect(worker, store, now)
    told = report(found.episodes, month, found.accounts_in, now, found.gaming)
    worth_telling = any(Month.of(each.escalation.opened_at) <= month for each in found.episodes)
    with store.begin() as tx:
        guard.set_setting(tx, _SENT, str(month))
        if worth_telling:
            text = as_markdown(told, now, worker.settings.policy.version)
            outbox.enqueue(tx, [_intent(outlet, month, vp.email, text, now)], now)
    return worth_telling


def _intent(outlet: Outlet, month: Month, address: str, text: str, now: datetime) -> Intent:
    key = str(uuid.uuid5(_NAMESPACE, str(month)))
    about = f"report {month}"
    message = Message(
        key=key,
        posting=Posting.POST,
        to=(address,),
        subject=f"Escalations in {month}",
        text=text,
        at=now,
        thread_key=about,
        envelope=(address,),
    )
    return Intent(
        key=key,
        lane=outlet.name,
        kind=Kind.MESSAGE,
        connector=ConnectorName("report"),
        account_id=AccountId(about),
        escalation_id=about,
        event=Event.RESOLVED,
        event_no=1,
        level=Level.L1,
        payload=encode(message),
    )
