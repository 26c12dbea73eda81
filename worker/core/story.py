"""What happened, in one list: cases, disputes and health moves out of the CRM, and the escalation's own trail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from worker.core.disputes import beside_disputes
from worker.core.model import AccountView, Escalation, Health, TrailEntry

MOST = 24
"""Entries of a timeline; the newest are kept."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """Something that happened, UTC."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class HealthMove:
    """A health score as it was from `at` on."""

    at: datetime
    health: Health


@dataclass(frozen=True, slots=True)
class Past:
    """What the store knows of earlier: an account's health moves, oldest first, and its trail."""

    moves: tuple[HealthMove, ...] = ()
    trail: tuple[TrailEntry, ...] = ()


NO_PAST = Past()


def story(view: AccountView, escalation: Escalation, past: Past) -> list[TimelineEntry]:
    """The newest entries, oldest first. Without a trail at hand the opening stands for it."""
    own = list(_trail(past)) or [TimelineEntry(escalation.opened_at, f"escalated to {escalation.level}")]
    found = [*_cases(view), *_disputes(view), *_moves(past), *own]
    return sorted(found, key=lambda entry: (entry.at, entry.what))[-MOST:]


def _cases(view: AccountView) -> Iterator[TimelineEntry]:
    for case in beside_disputes(view):
        if case.opened_at is not None:
            yield TimelineEntry(case.opened_at, f"case {case.id} opened: {case.subject}")
        if case.closed_at is not None:
            yield TimelineEntry(case.closed_at, f"case {case.id} closed: {case.subject}")


def _disputes(view: AccountView) -> Iterator[TimelineEntry]:
    for dispute in view.disputes:
        if dispute.opened_at is not None:
            amount = "of unknown amount" if dispute.amount is None else f"about {dispute.amount}"
            yield TimelineEntry(dispute.opened_at, f"dispute {dispute.id} {amount}")


def _moves(past: Past) -> Iterator[TimelineEntry]:
    before: Health | None = None
    for move in past.moves:
        health = move.health
        if before is not None and health.colour is not before.colour:
            score = "" if health.score is None else f" / {health.score.normalize():f}"
            what = f"health went from {before.colour.value} to {health.colour.value}{score}"
            yield TimelineEntry(health.as_of or move.at, what)
        before = health


def _trail(past: Past) -> Iterator[TimelineEntry]:
    for entry in past.trail:
        yield TimelineEntry(entry.at, f"{entry.actor}: {entry.event.value.replace('_', ' ')}: {entry.because}")
