"""Custom triggers: checked when loaded, three-valued when asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from worker.core.model import (
    Account,
    AccountId,
    AccountView,
    Case,
    CaseStatus,
    Colour,
    Dispute,
    Health,
    RecordId,
    TriggerId,
)
from worker.core.money import IDR, Currency, Money, Rate, Rates, rupiah
from worker.core.policy import Verdict
from worker.expressions import VARIABLES, ExpressionError, compile_trigger

USD = Currency("USD")
RATES = Rates(IDR, (Rate(USD, IDR, Decimal(16_000), date(2026, 11, 1)),), timedelta(days=40))
ONE = AccountId("a-1")
VIEW = AccountView(
    Account(
        ONE,
        "PT Contoh",
        arr=Money(Decimal(100), USD),
        health=Health(Colour.YELLOW, Decimal("41.5")),
        tier="enterprise",
        renewal_on=date(2026, 12, 1),
        churn_signals=("cancellation_requested",),
        extra={"seats": 12, "plan": "gold", "nothing": None, "share": Decimal("0.5")},
    ),
    cases=(
        Case(RecordId("c-1"), ONE, priority="Urgent"),
        Case(RecordId("c-2"), ONE),
        Case(RecordId("c-3"), ONE, priority="urgent", status=CaseStatus.CLOSED),
    ),
    disputes=(
        Dispute(RecordId("d-1"), ONE, rupiah(4_000_000)),
        Dispute(RecordId("d-2"), ONE, Money(Decimal(10), USD)),
        Dispute(RecordId("d-3"), ONE, rupiah(99), CaseStatus.CLOSED),
    ),
    read_at=datetime(2026, 11, 24, 3, tzinfo=UTC),
)


def verdict(source: str, view: AccountView = VIEW) -> Verdict:
    return compile_trigger(TriggerId("mine"), source, RATES).holds(view)


def complaints(source: str) -> list[tuple[int, int, str]]:
    with pytest.raises(ExpressionError) as caught:
        compile_trigger(TriggerId("mine"), source, RATES)
    return [(c.line, c.column, c.message) for c in caught.value.complaints]


@pytest.mark.parametrize(
    "source",
    [
        "account.arr_known && account.arr_home == 1600000",
        'account.health == "yellow" && account.score < 42.0 && account.score_known',
        "account.renewal_known && account.days_to_renewal == 7",
        "cases.open == 2 && cases.urgent == 1",
        "disputes.open == 2 && disputes.open_total_home == 4160000 && disputes.all_known",
        '"cancellation_requested" in account.churn_signals',
        'account.extra["seats"] > 10 && account.extra["plan"] == "gold" && account.extra["share"] < 0.6',
        'account.name.startsWith("PT ")',
        "!account.pr_risk && !account.owned",
    ],
)
def test_what_an_expression_can_see(source: str) -> None:
    assert verdict(source) is Verdict.YES
    assert verdict(f"!({source})") is Verdict.NO


@pytest.mark.parametrize(
    "source",
    ['account.extra["absent"] == 3', 'account.extra["nothing"] > 3', "1 / (cases.open - 2) > 0"],
)
def test_what_can_not_be_evaluated_is_unknown_and_never_fires(source: str) -> None:
    assert verdict(source) is Verdict.UNKNOWN


def test_an_unknown_part_does_not_hide_a_certain_one() -> None:
    assert verdict('account.extra["absent"] == 3 || cases.open == 2') is Verdict.YES


def test_values_that_are_missing_are_told_by_their_companions() -> None:
    bare = AccountView(
        Account(ONE, "x", arr=Money(Decimal(1), Currency("EUR"))), disputes=(Dispute(RecordId("d"), ONE),)
    )
    assert verdict("!account.arr_known && !account.score_known && !account.renewal_known", bare) is Verdict.YES
    assert verdict("!disputes.all_known && disputes.open_total_home == 0 && account.arr_home == 0", bare) is Verdict.YES


@pytest.mark.parametrize("amount", [Decimal(2) ** 63, Decimal("1e29")])
def test_an_amount_beyond_the_evaluator_is_unknown_not_wrong(amount: Decimal) -> None:
    view = replace(VIEW, account=replace(VIEW.account, arr=Money(amount, IDR)))
    assert verdict("account.arr_known", view) is Verdict.NO


def test_text_that_breaks_encoders_is_survived() -> None:
    view = replace(VIEW, account=replace(VIEW.account, name="\ud800\x00", extra={"\udc00": "\ud800"}))
    assert verdict("account.name.size() > 0", view) is Verdict.YES


def test_all_faults_with_line_column_and_caret() -> None:
    found = complaints('account.nme == "x" &&\n  account.arr_home > "3"')
    assert [(line, column) for line, column, _ in found] == [(1, 8), (2, 20)]
    assert "did you mean account.name?" in found[0][2]
    assert found[0][2].splitlines()[-1].index("^") == 4 + 7


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("account.arr_home", "gives int and not true or false"),
        ('account.extra["x"]', "gives dyn"),
        ("", "Syntax error"),
        ("account.arr_home >", "Syntax error"),
        ("(" * 3_000 + "true" + ")" * 3_000, "longer than"),
        ("(" * 500 + "true" + ")" * 500, "recursion limit"),
        ("account.arr_home > 1.5", "no matching overload"),
        ("__import__('os')", "undeclared"),
    ],
)
def test_what_is_no_condition_is_refused_when_loaded(source: str, word: str) -> None:
    assert word in complaints(source)[0][2]


def test_the_reference_names_every_variable(pytestconfig: pytest.Config) -> None:
    reference = (pytestconfig.rootpath / "config" / "README.md").read_text()
    assert [v.name for v in VARIABLES if f"`{v.name}`" not in reference or v.meaning not in reference] == []
