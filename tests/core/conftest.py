"""Small accounts, cases and policies for tests of decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from worker.core.model import (
    Account,
    AccountId,
    AccountView,
    Case,
    Colour,
    Dispute,
    Health,
    Person,
    RecordId,
    Role,
    UserId,
)
from worker.core.money import Money, currency
from worker.core.policy import Policy

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


class Make:
    """Values for one test."""

    now = NOW

    def person(self, key: str, *, active: bool = True) -> Person:
        return Person(UserId(key), key.title(), f"{key}@example.com", active)

    def money(self, amount: str, code: str = "IDR") -> Money:
        return Money(Decimal(amount), currency(code))

    def policy(self, **changes: object) -> Policy:
        people = {role: self.person(role.value) for role in (Role.VP_CS, Role.CEO, Role.CFO, Role.CTO, Role.CS_MANAGER)}
        return replace(Policy("p1", people=people, executive_titles=("ceo", "direktur utama")), **changes)

    def account(self, **changes: object) -> Account:
        base = Account(
            AccountId("acme"),
            "PT Acme",
            owner=self.person("dewi"),
            manager=self.person("ratna"),
            health=Health(Colour.GREEN, as_of=NOW),
            modified_at=NOW,
        )
        return replace(base, **changes)

    def view(self, **changes: object) -> AccountView:
        return replace(AccountView(self.account(), read_at=NOW), **changes)

    def red(self, **changes: object) -> AccountView:
        return self.view(account=self.account(health=Health(Colour.RED, Decimal(20), NOW)), **changes)

    def case(self, key: str = "c1", **changes: object) -> Case:
        return replace(Case(RecordId(key), AccountId("acme"), subject="Hello", opened_at=NOW), **changes)

    def dispute(self, amount: str | None, code: str = "IDR", key: str = "d1") -> Dispute:
        value = None if amount is None else self.money(amount, code)
        return Dispute(RecordId(key), AccountId("acme"), value, opened_at=NOW)


@pytest.fixture
def make() -> Make:
    return Make()
