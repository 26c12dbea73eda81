"""Customers who left within the last year: most after a bad phase that was seen, some from a green sky."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from connectors.base import Value

Fields = dict[str, Value]
Record = tuple[str, str, datetime, Fields]

_SHARE = 0.03
_YEAR = timedelta(days=365)
_LATELY = timedelta(days=45)
_GREEN = ("Green", "Hijau")


def with_leavers(
    accounts: Sequence[Record], versions: Sequence[Record], seed: int, until: datetime
) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """The same accounts and old versions, about 3 in 100 accounts gone. Only accounts that are green today leave, so
    what is escalated today stays what it was.

    The dice are its own: the rest of the portfolio is the same with and without it.
    """
    dice = random.Random(f"{seed} leaving")  # noqa: S311  a portfolio is no secret
    pasts: dict[str, list[Record]] = {account[1]: [] for account in accounts}
    for record in (*versions, *accounts):
        pasts[record[1]].append(record)
    gone = {key: _past_of_a_leaver(pasts[key], at, dice) for key, at in _leavers(pasts, dice, until)}
    present = tuple(gone[each[1]][-1] if each[1] in gone else each for each in accounts)
    older = tuple(each for each in versions if each[1] not in gone)
    return present, older + tuple(each for past in gone.values() for each in past[:-1])


def _leavers(
    pasts: Mapping[str, Sequence[Record]], dice: random.Random, until: datetime
) -> Iterator[tuple[str, datetime]]:
    """Who left and when: one in four with no sign of it, the others some weeks after the health turned."""
    well = {key: past for key, past in pasts.items() if past[-1][3]["health"] in _GREEN}
    turned = {key: at for key, past in well.items() if (at := _turned(past, until)) is not None}
    calm = [key for key, past in well.items() if len(past) == 1 and past[0][2] < until - _YEAR]
    count = round(len(pasts) * _SHARE)
    silent = dice.sample(calm, min(len(calm), max(1, count // 4))) if count > 1 else []
    for key in silent:
        yield key, until - timedelta(days=dice.randint(20, 330))
    for key in dice.sample(sorted(turned), min(len(turned), count - len(silent))):
        yield key, turned[key] + timedelta(days=dice.randint(10, 40))


def _turned(past: Sequence[Record], until: datetime) -> datetime | None:
    """When the health last turned bad, within the last year and not just now."""
    bad = [at for _, _, at, fields in past if fields["health"] not in _GREEN and until - _YEAR < at < until - _LATELY]
    return bad[-1] if bad else None


def _past_of_a_leaver(past: Sequence[Record], at: datetime, dice: random.Random) -> list[Record]:
    """What was recorded until then, and a last record that says so; nobody scores a customer who is gone."""
    known = [record for record in past if record[2] <= at]
    kind, key, _, fields = known[-1]
    left: Fields = {**fields, "churned_on": at.date().isoformat()}
    if fields["health"] not in _GREEN or dice.random() < 0.5:
        left |= {"health": None, "health_score": None, "health_as_of": None}
    return [*known, (kind, key, at, left)]
