"""What became of a customer after an escalation was closed: the renewal that came next, as the CRM has it.

An outcome is a person's word at the moment of closing. The renewal is the customer's, months later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

EARLY = timedelta(days=180)
"""A renewal date that moves so far before it is reached was renewed early; a smaller move only postpones it."""


class Renewal(StrEnum):
    """What the CRM says of the renewal that came after an escalation."""

    RENEWED = "renewed"
    NOT_RENEWED = "not renewed"
    NOT_YET_DUE = "not yet due"
    NOT_SAID = "the CRM does not say"
    """The date is over, and neither a new one nor a leaving stands in the CRM; or there never was a date."""


@dataclass(frozen=True, slots=True)
class RenewalDate:
    """A renewal date as it stood in the CRM from the day `since` on."""

    since: date
    due_on: date


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The renewal after an escalation: which one it was, what became of it, and from when on the CRM said so."""

    renewal: Renewal
    due_on: date | None = None
    known_on: date | None = None


def aftermath(dates: Sequence[RenewalDate], ended_on: date, left_on: date | None, today: date) -> Aftermath:
    """What became of the renewal that was ahead on `ended_on`. `dates` in the order in which the CRM had them.

    A date that moves on once it is reached means renewed, whatever the step (monthly contracts too). Who left before
    the CRM had moved the date has not renewed.
    """
    due_on = _ahead(dates, ended_on)
    for each in dates:
        if due_on is None or each.since <= ended_on:
            continue
        if left_on is not None and left_on <= each.since:
            break
        if _renews(due_on, each):
            return Aftermath(Renewal.RENEWED, due_on, each.since)
        due_on = each.due_on
    if left_on is not None:
        return Aftermath(Renewal.NOT_RENEWED, due_on, left_on)
    ahead = due_on is not None and today <= due_on
    return Aftermath(Renewal.NOT_YET_DUE if ahead else Renewal.NOT_SAID, due_on)


def _ahead(dates: Sequence[RenewalDate], ended_on: date) -> date | None:
    """The renewal date as it stood at the end, else the first one that the CRM had later."""
    known = [each for each in dates if each.since <= ended_on]
    return known[-1].due_on if known else next((each.due_on for each in dates), None)


def _renews(due_on: date, moved: RenewalDate) -> bool:
    return moved.due_on > due_on and (moved.since >= due_on or moved.due_on - due_on >= EARLY)
