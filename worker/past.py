"""Since when a stored version of a record counts, and what the CRM said of an account over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from worker.core.renewals import RenewalDate
from worker.core.story import HealthMove
from worker.field_readers import UnmappableError
from worker.mapping import CrmMapping
from worker.store.facts import Fact


def counts_from(fact: Fact, mapping: CrmMapping) -> datetime:
    """The stamp that the CRM gave the version, where it can be read and is not later than when the worker saw it."""
    if fact.gone:
        return fact.seen_at
    try:
        return min(mapping.stamp(mapping.load(fact.kind, fact.body)), fact.seen_at)
    except UnmappableError:
        return fact.seen_at


def health_moves(versions: Iterable[Fact], mapping: CrmMapping) -> Iterator[HealthMove]:
    """An account's health in each of its versions, oldest first; what cannot be read is left out."""
    for fact in versions:
        try:
            health = None if fact.gone else mapping.account(mapping.load(fact.kind, fact.body)).health
        except UnmappableError:
            continue
        if health is not None:
            yield HealthMove(counts_from(fact, mapping), health)


def renewal_dates(versions: Iterable[Fact], mapping: CrmMapping) -> Iterator[RenewalDate]:
    """An account's renewal dates as its versions, oldest first, had them: each once for as long as it stood."""
    before = None
    for fact in versions:
        try:
            due_on = None if fact.gone else mapping.account(mapping.load(fact.kind, fact.body)).renewal_on
        except UnmappableError:
            continue
        if due_on is not None and due_on != before:
            before = due_on
            yield RenewalDate(counts_from(fact, mapping).date(), due_on)
