"""Accounts that could not be decided: kept in the store, so that `status`, the page and the metrics tell of them.

Two reasons: a fault met while deciding, which counts at once; and another process that was faster, which is ordinary
and only counts when it repeats cycle after cycle. The count is in the store because a worker run by cron is a new
process each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from worker.core.model import AccountId, ConnectorName
from worker.store import guard

PATIENCE = 5
"""Cycles in a row in which an account may be busy before it counts as failed: a race is won sooner than that."""
_MOST = 1_000
_NAMED = 3
REMEDY = "see `explain` for the account"

Reasons = Sequence[tuple[AccountId, str]]


class Undecided(msgspec.Struct, frozen=True):
    """Why an account has no decision, since when, and in how many cycles in a row it was `busy` (0: a fault)."""

    since: datetime
    reason: str
    busy: int = 0

    @property
    def failed(self) -> bool:
        """Whether somebody must look, rather than the next cycle."""
        return not self.busy or self.busy >= PATIENCE


def compared(
    before: Mapping[AccountId, Undecided], failed: Reasons, busy: Reasons, now: datetime
) -> dict[AccountId, Undecided]:
    """What to keep after a cycle: whoever was decided in it is forgotten, whoever is busy again counts one more."""
    kept = {account: Undecided(_since(before, account, now), reason) for account, reason in failed[:_MOST]}
    for account, reason in busy[: _MOST - len(kept)]:
        times = before[account].busy if account in before else 0
        kept[account] = Undecided(_since(before, account, now), reason, times + 1)
    return kept


def _since(before: Mapping[AccountId, Undecided], account: AccountId, now: datetime) -> datetime:
    return before[account].since if account in before else now


def remembered(tx: Connection, connector: ConnectorName) -> dict[AccountId, Undecided]:
    """What the last cycle kept of one connector."""
    kept = guard.setting(tx, f"undecided:{connector}")
    return msgspec.json.decode(kept, type=dict[AccountId, Undecided]) if kept else {}


def remember(tx: Connection, connector: ConnectorName, kept: Mapping[AccountId, Undecided]) -> None:
    """Keep it for the next cycle and for whoever looks."""
    guard.set_setting(tx, f"undecided:{connector}", msgspec.json.encode(kept).decode() if kept else "")


def failing(kept: Mapping[AccountId, Undecided]) -> dict[AccountId, Undecided]:
    """Those that somebody must look at; whoever lost a race or two is not among them."""
    return {account: each for account, each in kept.items() if each.failed}


def in_words(found: Mapping[AccountId, Undecided]) -> str:
    """One line for people about one or more accounts."""
    named = "; ".join(f"{account}: {each.reason}" for account, each in list(found.items())[:_NAMED])
    since = min(each.since for each in found.values())
    count = f"{len(found)} account{'' if len(found) == 1 else 's'}"
    return f"{count} cannot be decided since {since:%Y-%m-%d %H:%M} UTC, such as {named}"
