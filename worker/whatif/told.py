"""Backtests and differences in words and tables, for the person who must say yes to a policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from worker.core.model import Level
from worker.core.replay import Episode, Past
from worker.whatif.backtest import Backtest
from worker.whatif.compare import Changed, Difference

_LISTED = 25


def backtest(found: Backtest) -> Iterator[RenderableType]:
    """What a policy would have done."""
    yield (
        f"{len(found.episodes)} escalations of {found.accounts} accounts between {found.since:%Y-%m-%d} and "
        f"{found.until:%Y-%m-%d}, if everybody answers at once and confirms when the evidence is gone."
    )
    if found.unread:
        yield f"{found.unread} old versions could not be read with today's mapping and do not count."
    yield _months(found)
    yield _triggers(found)
    yield _loads(found)
    yield from _losses(found)


def _months(found: Backtest) -> Table:
    table = _table("Opened each month, by the level they reached", "month", "L1", "L2", "L3", "all")
    for month, levels in found.by_month():
        table.add_row(str(month), *(str(levels[level]) for level in Level), str(sum(levels.values())))
    return table


def _triggers(found: Backtest) -> Table:
    table = _table("Why", "trigger", "escalations")
    for name, count in found.by_trigger():
        table.add_row(name.replace("_", " "), str(count))
    return table


def _loads(found: Backtest) -> Table:
    table = _table("Who would have answered", "person", "all", "a week", "worst week", "of")
    for each in found.loads()[:_LISTED]:
        table.add_row(escape(each.name), str(each.total), f"{each.a_week:.1f}", str(each.worst), f"{each.worst_week}")
    return table


def _losses(found: Backtest) -> Iterator[str]:
    lost = len(found.caught) + len(found.missed)
    if not lost:
        yield "No customer is known to have left in this time, so nothing can be said of losses caught or missed."
        return
    yield f"Of {lost} customers who left, {len(found.caught)} had been escalated, {len(found.missed)} had not."
    yield from (f"  missed: {escape(_name(each))}, left {each.churned_on}" for each in found.missed[:_LISTED])


def _name(past: Past) -> str:
    return f"{past.account_name} ({past.account_id})"


def differences(found: Sequence[Difference]) -> Iterator[RenderableType]:
    """Who would stand elsewhere today."""
    if not found:
        yield "On today's facts both policies want the same of every account."
        return
    counted = {kind: sum(each.kind == kind for each in found) for kind in ("added", "raised", "lowered", "dropped")}
    yield "On today's facts: " + ", ".join(f"{count} {kind}" for kind, count in counted.items() if count) + "."
    table = _table("", "", "account", "before", "after", "because")
    for each in found[:_LISTED]:
        table.add_row(
            each.kind,
            escape(f"{each.account_name} ({each.account_id})"),
            str(each.before or "–"),
            str(each.after or "–"),
            escape(each.because),
        )
    yield table
    if len(found) > _LISTED:
        yield f"and {len(found) - _LISTED} more; --json lists all"


def changed(before: Backtest, after: Backtest, found: Changed) -> Iterator[RenderableType]:
    """How the past would have differed."""
    yield (
        f"In the past since {before.since:%Y-%m-%d}: {len(before.episodes)} escalations before, "
        f"{len(after.episodes)} after; {len(found.only_after)} only with the new policy, "
        f"{len(found.only_before)} only with the old one."
    )
    lost = len(before.caught) + len(before.missed)
    if lost:
        seen = f"{len(before.caught)} of {lost} with the old policy, {len(after.caught)} with the new one"
        yield f"Customers who left and had been escalated: {seen}."
    yield _both_months(before, after)
    for title, episodes in (
        ("Only with the new policy", found.only_after),
        ("Only with the old policy", found.only_before),
    ):
        if episodes:
            yield _episodes(title, episodes)


def _both_months(before: Backtest, after: Backtest) -> Table:
    table = _table("Opened each month", "month", "before", "after")
    for (month, old), (_, new) in zip(before.by_month(), after.by_month(), strict=True):
        table.add_row(str(month), str(sum(old.values())), str(sum(new.values())))
    return table


def _episodes(title: str, episodes: Sequence[Episode]) -> Table:
    table = _table(f"{title} ({len(episodes)})", "day", "level", "account", "because")
    for each in episodes[:_LISTED]:
        name = escape(f"{each.account_name} ({each.account_id})")
        table.add_row(f"{each.opened_at:%Y-%m-%d}", str(each.level), name, escape(each.because))
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title or None, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
