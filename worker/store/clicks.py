"""Clicks that people made in channels, from the moment they were heard until they are answered.

A click is kept before its channel is told so, and under a key that each delivery of it repeats: it is acted on once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from connectors.hearing import Click
from worker.core.model import AccountId, Answer, ConnectorName
from worker.store.codec import decode, encode, instant, micros
from worker.store.schema import click
from worker.store.statements import Insert, one_of


class Fate(StrEnum):
    """What became of a click. HEARD waits for its person to be found, SAID for the next decision on the account."""

    HEARD = "heard"
    SAID = "said"
    HEEDED = "heeded"
    TOLD = "told"
    """The person was told why it does not count."""
    LOST = "lost"
    """Nobody could be asked who it was, or told, for too long."""


def _once(statement: Any) -> Any:
    return statement.on_conflict_do_nothing(index_elements=["lane", "key"]).returning(click.c.key)


_KEEP = Insert(click, ("lane", "key", "who", "place", "value", "heard_at", "fate"), _once)
_OF_LANE = click.c.lane == bindparam("of_lane")
_HEARD = (
    select(click)
    .where(_OF_LANE, one_of(click.c.fate, [Fate.HEARD]))
    .order_by(click.c.heard_at, click.c.key)
    .limit(bindparam("most"))
)
_SAID = (
    select(click.c.answer)
    .where(
        click.c.connector == bindparam("of_connector"),
        click.c.account_id == bindparam("of_account"),
        one_of(click.c.fate, [Fate.SAID]),
    )
    .order_by(click.c.heard_at, click.c.key)
)
_SETTLE = update(click).where(_OF_LANE, click.c.key == bindparam("own_key"))
_DECIDED = update(click).where(
    click.c.connector == bindparam("of_connector"),
    click.c.account_id == bindparam("of_account"),
    click.c.key == bindparam("own_key"),
    one_of(click.c.fate, [Fate.SAID]),
)


@dataclass(frozen=True, slots=True)
class Heard:
    """A click that waits."""

    lane: str
    click: Click
    at: datetime


def keep(tx: Connection, lane: str, value: Click, now: datetime) -> bool:
    """Keep a click. False when an earlier delivery of it was kept."""
    row = {
        "lane": lane,
        "key": value.key,
        "who": value.user,
        "place": value.place,
        "value": value.value,
        "heard_at": micros(now),
        "fate": Fate.HEARD.value,
    }
    return tx.execute(_KEEP.on(tx), row).first() is not None


def heard(tx: Connection, lane: str, most: int) -> list[Heard]:
    """The clicks of a channel whose person nobody has found yet, the oldest first."""
    rows = tx.execute(_HEARD, {"of_lane": lane, "most": most})
    return [Heard(lane, Click(row.key, row.who, row.place, row.value), instant(row.heard_at)) for row in rows]


def say(tx: Connection, lane: str, connector: ConnectorName, account_id: AccountId, answer: Answer) -> None:
    """The click is a person's answer on an account: the next decision heeds it."""
    named = {"connector": connector, "account_id": account_id, "answer": encode(answer), "fate": Fate.SAID.value}
    tx.execute(_SETTLE, {"of_lane": lane, "own_key": answer.key, **named})


def said(tx: Connection, connector: ConnectorName, account_id: AccountId) -> tuple[Answer, ...]:
    """The answers on an account that no decision has heeded, the first to be heard first."""
    rows = tx.execute(_SAID, {"of_connector": connector, "of_account": account_id})
    return tuple(decode(row[0], Answer) for row in rows)


def decided(tx: Connection, connector: ConnectorName, account_id: AccountId, key: str, *, heeded: bool) -> None:
    """A decision has seen an answer. One that it did not heed is heard anew, so that its person is told why."""
    whose = {"of_connector": connector, "of_account": account_id, "own_key": key}
    tx.execute(_DECIDED, {**whose, "fate": (Fate.HEEDED if heeded else Fate.HEARD).value})


def settle(tx: Connection, lane: str, key: str, fate: Fate) -> None:
    """The click has come to its end."""
    tx.execute(_SETTLE, {"of_lane": lane, "own_key": key, "fate": fate.value})
