"""Draws the portfolio. One seed gives one portfolio; the past is a random walk that ends in the present."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from connectors.crm.embedded import EmbeddedCrm
from worker.mapping import CrmMapping
from worker.portfolio import words
from worker.portfolio.leaving import Fields, Record, with_leavers

SEED = 20261124
MONTHS = 18
_HISTORY = timedelta(days=MONTHS * 30)
_COLOURS = ("Green", "Yellow", "Red")
_WALK = {"Green": (0.965, 0.03, 0.005), "Yellow": (0.50, 0.42, 0.08), "Red": (0.25, 0.45, 0.30)}
_CATEGORIES = {
    "legal": "Legal",
    "security": "Security",
    "churn": "",
    "executive": "Complaint",
    "dispute": "",
}
_SERIOUS_SHARE = 0.012
"""Share of open cases that are more than an everyday matter."""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Records as (kind, key, modified, fields), with the older versions of accounts. Fields are named as the embedded
    CRM names them.
    """

    users: tuple[Record, ...]
    accounts: tuple[Record, ...]
    cases: tuple[Record, ...]
    disputes: tuple[Record, ...]
    versions: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """What was made."""

    accounts: int
    cases: int
    disputes: int
    users: int
    versions: int


class _Draw:
    """The dice, and where in time we are."""

    def __init__(self, seed: int, until: datetime) -> None:
        self.dice = random.Random(seed)  # noqa: S311  a portfolio is no secret
        self.until = until
        self.since = until - _HISTORY

    def moment(self, start: datetime, end: datetime) -> datetime:
        seconds = max(1.0, (end - start).total_seconds())
        return start + timedelta(seconds=int(self.dice.uniform(0, seconds)))

    def person(self) -> str:
        return f"{self.dice.choice(words.FIRST)} {self.dice.choice(words.LAST)}"


def draw(seed: int = SEED, accounts: int = 520, until: datetime | None = None, cases: int = 4200) -> Portfolio:
    """Make up a portfolio that ends at `until` (now by default)."""
    dice = _Draw(seed, (until or datetime.now(UTC)).replace(microsecond=0))
    users = tuple(_users(dice))
    versions: list[Record] = []
    made = [_account(dice, number, list(users), versions) for number in range(accounts)]
    bugs = [f"BUG-{number}" for number in range(101, 101 + max(4, accounts // 60))]
    written = tuple(_cases(dice, made, cases, bugs))
    disputed = tuple(_disputes(dice, made)) if cases else ()
    present, older = with_leavers(made, versions, seed, dice.until)
    return Portfolio(users, present, written, disputed, older)


def build(
    path: Path,
    seed: int = SEED,
    accounts: int = 520,
    until: datetime | None = None,
    cases: int = 4200,
    mapping: CrmMapping | None = None,
) -> Summary:
    """Make a CRM file with a portfolio that ends at `until` (now by default). `mapping` adds the fields it needs."""
    drawn = draw(seed, accounts, until, cases)
    crm = EmbeddedCrm.create(path)
    if mapping is not None:
        for need in mapping.needs():
            if "." not in need.field_name:
                crm.add_fields(need.object_name, [need.field_name])
    crm.load((*drawn.users, *drawn.accounts, *drawn.cases, *drawn.disputes), drawn.versions)
    crm.close()
    return Summary(*(len(each) for each in (drawn.accounts, drawn.cases, drawn.disputes, drawn.users, drawn.versions)))


def _users(draw: _Draw) -> Iterator[Record]:
    roles = [("CSM", 12), ("CS Manager", 3), ("VP Customer Success", 1)]
    for title, count in roles:
        for number in range(1, count + 1):
            name = draw.person()
            key = f"u-{title.split()[0].lower()}{'-manager' if 'Manager' in title else ''}-{number:02d}"
            active = not (title == "CSM" and number == count)
            email = f"{name.lower().replace(' ', '.')}@example.com"
            yield "user", key, draw.since, {"name": name, "email": email, "active": active, "title": title}


def _company(draw: _Draw, number: int) -> str:
    name = f"{draw.dice.choice(words.STEMS)} {draw.dice.choice(words.TRADES)}"
    if number % 3 == 0:
        name = f"{draw.dice.choice(words.STEMS)} {name}"
    return draw.dice.choices(tuple(words.FORMS), tuple(words.FORMS.values()))[0].format(name)


def _account(draw: _Draw, number: int, users: list[Record], versions: list[Record]) -> Record:
    dice = draw.dice
    csms = [user[1] for user in users if user[3]["title"] == "CSM"]
    managers = [user[1] for user in users if user[3]["title"] == "CS Manager"]
    key = f"ACC-{number + 1:05d}"
    in_dollars = dice.random() < 0.18
    revenue = math.exp(dice.gauss(19.2, 1.1))
    amount = round(revenue / 16_000, -2) if in_dollars else round(revenue, -6)
    tier = dice.choices(("standard", "enterprise", "strategic"), (86, 11, 3))[0]
    signed = draw.moment(draw.since - timedelta(days=700), draw.until - timedelta(days=60))
    renewal = draw.until + timedelta(days=dice.randint(5, 360))
    fields: Fields = {
        "name": _company(draw, number),
        "owner_id": dice.choice(csms),
        "manager_id": None if dice.random() < 0.02 else managers[number % len(managers)],
        "arr": Decimal(int(max(amount, 1000 if in_dollars else 6_000_000))),
        "arr_currency": "USD" if in_dollars else "IDR",
        "tier": tier,
        "renewal_on": renewal.date().isoformat(),
        "city": dice.choice(words.CITIES),
        "language": "en" if in_dollars else "id",
        "churn_signals": "Pengajuan pembatalan kontrak" if dice.random() < 0.004 else None,
    }
    modified = max(signed, draw.since)
    return _walk(draw, key, fields, modified, versions)


def _walk(draw: _Draw, key: str, fields: Fields, start: datetime, versions: list[Record]) -> Record:
    """Health moves month by month; each change leaves a version behind."""
    dice = draw.dice
    colour, at = "Green", start
    record: Record = ("account", key, at, {**fields, **_health(draw, colour, at)})
    while at + timedelta(days=31) < draw.until:
        at += timedelta(days=dice.randint(24, 31))
        moved = dice.choices(_COLOURS, _WALK[colour])[0]
        if moved != colour:
            versions.append(record)
            colour = moved
            record = ("account", key, at, {**fields, **_health(draw, colour, at)})
    if colour != "Green":
        seen = draw.until - timedelta(minutes=dice.randint(5, 9000))
        record = ("account", key, seen, {**record[3], "health_as_of": seen.isoformat()})
    return record


def _health(draw: _Draw, colour: str, at: datetime) -> Fields:
    ranges = {"Green": (70, 98), "Yellow": (41, 69), "Red": (8, 40)}
    word = draw.dice.choice(
        {"Green": ("Green", "Hijau"), "Yellow": ("Yellow", "Kuning"), "Red": ("Red", "Merah")}[colour]
    )
    return {"health": word, "health_score": draw.dice.randint(*ranges[colour]), "health_as_of": at.isoformat()}


def _cases(draw: _Draw, accounts: list[Record], count: int, bugs: list[str]) -> Iterator[Record]:
    dice = draw.dice
    for number in range(count):
        account = dice.choice(accounts)
        age = dice.expovariate(1 / 150)
        opened = draw.until - timedelta(days=min(age, _HISTORY.days), minutes=dice.randint(1, 1400))
        is_open = age < 12 and dice.random() < 0.55
        closed = None if is_open else min(opened + timedelta(hours=dice.expovariate(1 / 40)), draw.until)
        serious = dice.random() < _SERIOUS_SHARE
        fields = _serious(draw) if serious else _everyday(draw, bugs, opened)
        yield (
            "case",
            f"CASE-{number + 1:06d}",
            closed or opened,
            {
                **fields,
                "account_id": account[1],
                "author": "Customer",
                "channel": dice.choice(("email", "email", "chat", "web")),
                "status": "Open" if is_open else "Closed",
                "reporter": draw.person(),
                "opened_at": opened,
                "closed_at": closed,
            },
        )


def _filled(draw: _Draw, subject: str, text: str) -> Fields:
    dice = draw.dice
    slots = {
        "feature": dice.choice(words.FEATURES),
        "product": dice.choice(words.PRODUCTS),
        "city": dice.choice(words.CITIES),
        "time": dice.choice(words.TIMES),
        "close": dice.choice(words.CLOSES).format(name=draw.person()),
    }
    return {"subject": subject.format(**slots), "text": text.format(**slots), "product": slots["product"]}


def _everyday(draw: _Draw, bugs: list[str], opened: datetime) -> Fields:
    dice = draw.dice
    fields = _filled(draw, *dice.choice(words.EVERYDAY))
    title = dice.choices(words.TITLES, (16, 16, 14, 10, 12, 8, 8, 6, 5, 2, 1, 1, 1))[0]
    recent = draw.until - opened < timedelta(days=20)
    bug = dice.choice(bugs[-2:] if recent else bugs) if dice.random() < 0.04 else None
    category = dice.choice(("Question", "Product issue", "Billing", "Feature request"))
    priority = dice.choice(("Low", "Medium", "Medium", "High"))
    return {**fields, "category": category, "priority": priority, "reporter_title": title, "bug_key": bug}


def _serious(draw: _Draw) -> Fields:
    kind, subject, text = draw.dice.choice(words.SERIOUS)
    title = "Direktur Utama" if kind == "executive" else draw.dice.choice(words.TITLES)
    filed = _CATEGORIES[kind] if draw.dice.random() < 0.5 else "Question"
    return {**_filled(draw, subject, text), "category": filed, "priority": "High", "reporter_title": title}


def _disputes(draw: _Draw, accounts: list[Record]) -> Iterator[Record]:
    """Below, at and above the limit; in rupiah, in dollars, and in a currency for which no rate is kept."""
    dice = draw.dice
    count = max(12, len(accounts) // 14)
    for number in range(count):
        account = dice.choice(accounts)
        opened = draw.until - timedelta(days=dice.expovariate(1 / 60), minutes=dice.randint(1, 1400))
        settled = dice.random() < 0.6
        currency = dice.choices(("IDR", "USD", "CHF"), (84, 13, 3))[0]
        amount = Decimal(int(round(math.exp(dice.gauss(15.4, 0.9)), -4)))
        if number % 10 == 0:
            amount = Decimal(10_000_000)
        if currency != "IDR":
            amount = (amount / 16_000).quantize(Decimal("0.01"))
        yield (
            "dispute",
            f"DSP-{number + 1:05d}",
            opened,
            {
                "account_id": account[1],
                "amount": amount,
                "currency": currency,
                "status": "Settled" if settled else "Open",
                "reason": dice.choice(("Double billing", "Tagihan tidak sesuai PO", "Service credit not applied")),
                "opened_at": opened,
            },
        )
