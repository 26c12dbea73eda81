"""Open escalations and the worker's state as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from connectors.quota import Quota
from worker import brakes, hearing, proposals, undecided
from worker.core.model import Escalation, EscalationId, Level
from worker.quota import quota_of
from worker.store import escalations, outbox, progress
from worker.store.deliveries import State

if TYPE_CHECKING:
    from worker.settings import Settings
    from worker.store.database import Store

_COLOURS = {Level.L3: "bold red", Level.L2: "yellow", Level.L1: "cyan"}


def escalation_table(store: Store, now: datetime, names: Mapping[EscalationId, str], most: int = 40) -> Table:
    """The open escalations, the highest level and the earliest due first. `names` are their accounts'."""
    with store.read() as tx:
        found = escalations.open_ones(tx)
    table = Table(title=f"{len(found)} open escalations", title_justify="left", expand=True)
    table.add_column("", no_wrap=True)
    for heading, ratio in (("account", 4), ("why", 8), ("to", 3)):
        table.add_column(heading, ratio=ratio, overflow="fold")
    table.add_column("due", no_wrap=True)
    for _, one in found[:most]:
        table.add_row(
            f"[{_COLOURS[one.level]}]{one.level}[/]",
            escape(names.get(one.id, one.account_id)),
            escape("; ".join(reason.detail for reason in one.reasons if reason.gone_at is None) or "evidence is gone"),
            escape(one.owner.name if one.owner else "nobody: see `check`"),
            left(one, now),
        )
    if len(found) > most:
        table.caption = f"and {len(found) - most} more"
    return table


def until(one: Escalation, now: datetime) -> str:
    """When an answer is due, and how long that is."""
    return f"{one.clock.due_at:%a %d %b %H:%M} UTC ({left(one, now)})"


def left(one: Escalation, now: datetime) -> str:
    """How long until an answer is due, or since when it is overdue."""
    minutes = round((one.clock.due_at - now).total_seconds() / 60)
    return f"in {span(minutes)}" if minutes >= 0 else f"{span(-minutes)} ago"


def span(minutes: int) -> str:
    """Minutes as people say them."""
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 min"


def state_lines(settings: Settings, store: Store, now: datetime, began: datetime | None) -> Iterator[str]:
    """The rest of the state, a line each."""
    with store.read() as tx:
        counted = outbox.counts(tx)
        aside = progress.quarantined(tx)
        failing = {each.name: undecided.failing(undecided.remembered(tx, each.name)) for each in settings.connectors}
        held = {each.name: brakes.hold_of(tx, each.name) for each in settings.connectors}
        writing = brakes.writes_allowed(tx, settings.policy.brakes)
        oldest = outbox.oldest_pending(tx)
        heard = {each.name: hearing.standing(tx, each.name) for each in settings.notifiers}
        quotas = {each.name: quota_of(tx, each.name, now) for each in settings.connectors}
        alike = [each for crm in settings.connectors for each in proposals.open_ones(tx, crm.name)]
    age = "never" if began is None else f"{round((now - began).total_seconds())} s ago"
    yield f"last cycle: {age}; writes are {'on' if writing else 'off'}"
    for (lane, state), count in sorted(counted.items()):
        if state in (State.NEW, State.TRYING, State.UNKNOWN, State.REFUSED, State.EXPIRED):
            yield f"{lane}: {count} {state}"
    if oldest is not None:
        yield f"the oldest waits for {span(round((now - oldest).total_seconds() / 60))}"
    yield from (f"{name}: {_quota(told, now)}" for name, told in quotas.items())
    yield from (f"{name}, buttons: {escape(str(line))}" for name, line in heard.items() if line is not None)
    for name, hold in held.items():
        if hold is not None:
            levels = ", ".join(f"{count} {level}" for level, count in hold.by_level.items())
            yield f"[yellow]{name}: {levels} held ({hold.why.value}); look with `dry-run`, say yes with `approve`[/]"
    for name, found in failing.items():
        if found:
            yield f"[yellow]{name}: {escape(undecided.in_words(found))}; {undecided.REMEDY}[/]"
    for each in alike:
        yield f"one bug? {escape(proposals.in_words(each))}; see `likeness list`"
    if aside:
        yield f"[yellow]{len(aside)} records in quarantine; see `dead-letters`[/]"


def _quota(told: Quota, now: datetime) -> str:
    if told.used is None or told.limit is None:
        return f"API calls not known: {told.unknown}"
    used = f"{told.used:,} of {told.limit:,} API calls in {told.period} used by everybody"
    if told.resets_at is None:
        return used
    return f"{used}, counted anew in {span(round((told.resets_at - now).total_seconds() / 60))}"
