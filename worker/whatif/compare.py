"""Two policies on the same facts: who is added, who is dropped, who is moved, and by which rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from worker.core.model import AccountId, Assessment, Level
from worker.core.policy import Policy
from worker.core.replay import Episode, view_at
from worker.core.triggers import assess
from worker.whatif.backtest import Backtest
from worker.whatif.timeline import Timelines


@dataclass(frozen=True, slots=True)
class Difference:
    """One account on which the policies differ; a level None: it would not be escalated."""

    account_id: AccountId
    account_name: str
    before: Level | None
    after: Level | None
    because: str

    @property
    def kind(self) -> str:
        """`added`, `dropped`, `raised` or `lowered`."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "dropped"
        return "raised" if self.after > self.before else "lowered"


def today(lines: Timelines, before: Policy, after: Policy, now: datetime) -> list[Difference]:
    """Every account whose level, by the facts as they stand now, differs between the policies."""
    found = list(_today(lines, before, after, now))
    order = {"added": 0, "raised": 1, "lowered": 2, "dropped": 3}
    return sorted(found, key=lambda each: (order[each.kind], -(each.after or each.before or 0), each.account_name))


def _today(lines: Timelines, before: Policy, after: Policy, now: datetime) -> Iterator[Difference]:
    for (connector, account_id), versions in lines.versions.items():
        view = view_at(versions, lines.bugs[connector], now)
        if view is None or view.account.deleted:
            continue
        old, new = assess(view, before, now), assess(view, after, now)
        if old.level != new.level:
            yield Difference(account_id, view.account.name, old.level, new.level, _because(old, new))


def _because(old: Assessment, new: Assessment) -> str:
    """The rule that decided, and its words; of the one that no longer does where nothing is left."""
    decided = new.decided_by or old.decided_by
    return "" if decided is None else f"{decided.trigger.replace('_', ' ')}: {decided.detail}"


@dataclass(frozen=True, slots=True)
class Changed:
    """What another policy would have done to the past: escalations that only one of the two opens."""

    only_before: tuple[Episode, ...]
    only_after: tuple[Episode, ...]


def past(before: Backtest, after: Backtest) -> Changed:
    """Escalations of one policy during which the other had none open on the account."""
    return Changed(
        tuple(each for each in before.episodes if not _covered(each, after)),
        tuple(each for each in after.episodes if not _covered(each, before)),
    )


def _covered(episode: Episode, other: Backtest) -> bool:
    end = episode.ended_at or other.until
    return any(
        each.account_id == episode.account_id
        and each.opened_at <= end
        and (each.ended_at is None or each.ended_at >= episode.opened_at)
        for each in other.episodes
    )
