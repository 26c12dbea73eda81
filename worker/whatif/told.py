"""Backtests and differences in words and tables, for the person who must say yes to a policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from worker.core.model import Level
from worker.core.replay import CAUGHT_WITHIN, Episode, Past
from worker.whatif.backtest import Backtest
from worker.whatif.compare import Changed, Difference

_LISTED = 25
_MOST_KNOWN = 0.5
"""Where fewer accounts are known from the first day on, the figures say less than they seem to."""
_NUMBERS = frozenset({"L1", "L2", "L3", "all", "escalations", "a week", "in the worst week", "difference"})


def backtest(found: Backtest) -> Iterator[RenderableType]:
    """What a policy would have done."""
    yield (
        f"{len(found.episodes)} escalations of {found.accounts} accounts from {found.since:%Y-%m-%d} to "
        f"{found.until:%Y-%m-%d}, if everybody answers at once and confirms when the evidence is gone."
    )
    yield from _coverage(found)
    yield from _titled("Opened each month, by the level they reached", _months(found))
    yield from _titled("Why (an escalation may have several reasons)", _triggers(found))
    yield from _titled("Who would have answered", _loads(found))
    yield from _losses(found)


def _coverage(found: Backtest) -> Iterator[str]:
    """How much of the past is known at all: what is not cannot have been escalated."""
    if found.known_from_start < found.accounts * _MOST_KNOWN:
        yield (
            f"Careful: of {found.accounts} accounts only {found.known_from_start} are known from the first day on. "
            "What the others looked like before their last change nobody can say, so the figures are too low. "
            "`backfill` reads the old versions that the CRM kept."
        )
    if found.unread:
        yield f"{found.unread} old versions could not be read with today's mapping and do not count."


def _months(found: Backtest) -> Table:
    table = _table("month", "L1", "L2", "L3", "all")
    for month, levels in found.by_month():
        table.add_row(str(month), *(str(levels[level]) for level in Level), str(sum(levels.values())))
    return table


def _triggers(found: Backtest) -> Table:
    table = _table("trigger", "escalations")
    for name, count in found.by_trigger():
        table.add_row(name.replace("_", " "), str(count))
    return table


def _loads(found: Backtest) -> Table:
    table = _table("person", "escalations", "a week", "in the worst week", "which began")
    for each in found.loads()[:_LISTED]:
        table.add_row(escape(each.name), str(each.total), f"{each.a_week:.1f}", str(each.worst), f"{each.worst_week}")
    return table


def _losses(found: Backtest) -> Iterator[str]:
    lost = len(found.caught) + len(found.missed)
    if not lost:
        yield "No customer is known to have left in this time, so nothing can be said of losses caught or missed."
        return
    yield (
        f"Of {lost} customers who left, {len(found.caught)} were escalated when they left or in the "
        f"{CAUGHT_WITHIN.days} days before; missed: {len(found.missed)}."
    )
    yield from (f"  missed: {escape(_name(each))}, left {each.churned_on}" for each in found.missed[:_LISTED])
    yield from _and_more(len(found.missed))


def _name(past: Past) -> str:
    return f"{past.account_name} ({past.account_id})"


def differences(found: Sequence[Difference]) -> Iterator[RenderableType]:
    """Who would stand elsewhere today."""
    if not found:
        yield "On today's facts both policies want the same of every account."
        return
    counted = {kind: sum(each.kind == kind for each in found) for kind in ("added", "raised", "lowered", "dropped")}
    told = ", ".join(f"{count} {kind}" for kind, count in counted.items() if count)
    table = _table("", "account", "before", "after", "because")
    for each in found[:_LISTED]:
        table.add_row(
            each.kind,
            escape(f"{each.account_name} ({each.account_id})"),
            str(each.before or "–"),
            str(each.after or "–"),
            escape(each.because),
        )
    yield from _titled(f"On today's facts: {told}", table)
    yield from _and_more(len(found))


def changed(
    before: Backtest, after: Backtest, found: Changed, names: tuple[str, str] = ("the old policy", "the new policy")
) -> Iterator[RenderableType]:
    """How the past would have differed. `names` are what the two policies are to the reader."""
    old, new = names
    yield (
        f"From {before.since:%Y-%m-%d} to {before.until:%Y-%m-%d}: {old} opens {len(before.episodes)} escalations, "
        f"{new} {len(after.episodes)}{_apart(len(before.episodes), len(after.episodes))}. "
        f"{len(found.only_after)} are opened by {new} alone, {len(found.only_before)} by {old} alone."
    )
    yield from _coverage(before)
    yield from _losses_of_both(before, after, names)
    yield from _titled("Opened each month", _both_months(before, after, names))
    for name, episodes in ((new, found.only_after), (old, found.only_before)):
        if episodes:
            yield from _titled(f"Only with {name}: {len(episodes)}", _episodes(episodes))
            yield from _and_more(len(episodes))


def _apart(before: int, after: int) -> str:
    if before == after:
        return ", as many"
    return f", {abs(after - before)} {'more' if after > before else 'fewer'}"


def _losses_of_both(before: Backtest, after: Backtest, names: tuple[str, str]) -> Iterator[str]:
    lost = len(before.caught) + len(before.missed)
    if not lost:
        return
    old, new = names
    yield f"Of {lost} customers who left, {old} had escalated {len(before.caught)}, {new} {len(after.caught)}."
    seen, still = ({each.account_id for each in one.caught} for one in (before, after))
    dropped = (each for each in before.caught if each.account_id not in still)
    gained = (each for each in after.caught if each.account_id not in seen)
    yield from (f"  no longer seen coming: {escape(_name(each))}" for each in dropped)
    yield from (f"  now seen coming: {escape(_name(each))}" for each in gained)


def _both_months(before: Backtest, after: Backtest, names: tuple[str, str]) -> Table:
    table = _table("month", *names, "difference")
    for (month, old), (_, new) in zip(before.by_month(), after.by_month(), strict=True):
        apart = sum(new.values()) - sum(old.values())
        table.add_row(str(month), str(sum(old.values())), str(sum(new.values())), f"{apart:+}" if apart else "")
    return table


def _episodes(episodes: Sequence[Episode]) -> Table:
    table = _table("day", "level", "account", "because")
    for each in episodes[:_LISTED]:
        name = escape(f"{each.account_name} ({each.account_id})")
        table.add_row(f"{each.opened_at:%Y-%m-%d}", str(each.level), name, escape(each.because))
    return table


def _titled(title: str, table: Table) -> Iterator[RenderableType]:
    yield f"\n{title}"
    yield table


def _and_more(count: int) -> Iterator[str]:
    if count > _LISTED:
        yield f"and {count - _LISTED} more; --json lists all"


def _table(*headings: str) -> Table:
    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold", justify="right" if heading in _NUMBERS else "left")
    return table
