"""Proposals of like cases in the store, so that every process sees them: what was asked, and what was declined."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from worker.core.model import ConnectorName
from worker.core.proposals import Proposal
from worker.store import guard
from worker.store.codec import decode, encode

_NAMED = 5


def remembered(tx: Connection, connector: ConnectorName) -> tuple[Proposal, ...]:
    """What the last look at one CRM kept."""
    kept = guard.setting(tx, _name(connector))
    return decode(kept, tuple[Proposal, ...]) if kept else ()


def remember(tx: Connection, connector: ConnectorName, kept: Sequence[Proposal]) -> None:
    """Keep it for the next look and for whoever wants to see."""
    guard.set_setting(tx, _name(connector), encode(kept).decode() if kept else "")


def open_ones(tx: Connection, connector: ConnectorName) -> tuple[Proposal, ...]:
    """Those that wait for a person's answer, the largest first."""
    waiting = (each for each in remembered(tx, connector) if each.open)
    return tuple(sorted(waiting, key=lambda each: (-each.customers, each.since)))


def decline(tx: Connection, connector: ConnectorName, key: str, by: str, reason: str, now: datetime) -> bool:
    """A person says that it is not one bug. False where no open proposal has this key."""
    kept = remembered(tx, connector)
    if not any(each.key == key and each.open for each in kept):
        return False
    remember(tx, connector, [each.declined(by, reason, now) if each.key == key else each for each in kept])
    return True


def in_words(proposal: Proposal) -> str:
    """One line for people."""
    words = f" ({', '.join(proposal.words[:_NAMED])})" if proposal.words else ""
    asked = f"{proposal.to} was asked" if proposal.times else "nobody could be asked: see `check`"
    return (
        f"{proposal.customers} customers say nearly the same since {proposal.since:%Y-%m-%d %H:%M} UTC: "
        f"“{proposal.subject}”{words}; {asked}"
    )


def _name(connector: ConnectorName) -> str:
    return f"likeness:{connector}"
