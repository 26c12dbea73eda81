"""On whose page an effect is written: of a merged account it is that of the one that stays."""

from __future__ import annotations

from connectors.base import CreateNote, CreateTask
from worker.core.model import AccountId
from worker.store.codec import decode
from worker.store.deliveries import Intent, Kind


def page_of(intent: Intent) -> AccountId:
    """The account with the note or task; of other effects the account that they are about."""
    match intent.kind:
        case Kind.NOTE:
            return AccountId(decode(intent.payload, CreateNote).account_id)
        case Kind.TASK:
            return AccountId(decode(intent.payload, CreateTask).account_id)
        case Kind.FLAG | Kind.MESSAGE:
            return intent.account_id
