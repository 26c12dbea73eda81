"""Money never mixes currencies, never rounds, and a missing rate is None."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.money import (
    IDR,
    Conversion,
    Currency,
    MixedCurrencyError,
    Money,
    NumberStyle,
    Rate,
    Rates,
    currency,
    format_money,
    format_number,
    parse_number,
    rupiah,
    total,
)

USD = Currency("USD")
SGD = Currency("SGD")
LIMIT = rupiah(10_000_000)

amounts = st.decimals(min_value=-(10**15), max_value=10**15, places=4, allow_nan=False, allow_infinity=False)
positive = st.decimals(min_value="0.000001", max_value=10**9, places=6, allow_nan=False, allow_infinity=False)
days = st.dates(date(2024, 1, 1), date(2027, 12, 31))


def usd(amount: str) -> Money:
    return Money(Decimal(amount), USD)


def rates(*dated: tuple[str, date], max_age: int = 40) -> Rates:
    found = tuple(Rate(USD, IDR, Decimal(value), day) for value, day in dated)
    return Rates(IDR, found, timedelta(days=max_age))


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+30", "1E-31"])
def test_refuses_what_is_not_an_amount(amount: str) -> None:
    with pytest.raises(ValueError, match="amount of money"):
        Money(Decimal(amount), IDR)


@pytest.mark.parametrize("amount", [1.5, 3, "10"])
def test_refuses_what_is_not_a_decimal(amount: object) -> None:
    with pytest.raises(ValueError, match="must be a Decimal"):
        Money(amount, IDR)  # type: ignore[arg-type]  # the wrong type is the point


@pytest.mark.parametrize("code", ["idr", "Rp", "RUPIAH", "", "ID1", "ÏDR", "IDR\n", None])
def test_refuses_what_is_not_a_currency(code: str) -> None:
    with pytest.raises(ValueError, match="is not a currency"):
        currency(code)
    with pytest.raises(ValueError, match="is not a currency"):
        Money(Decimal(1), Currency(code))


@pytest.mark.parametrize(
    ("money", "shown", "indonesian", "english"),
    [
        (rupiah(12_500_000), "Rp 12.500.000", "Rp 12.500.000", "IDR 12,500,000"),
        (usd("1200.5"), "USD 1,200.50", "USD 1.200,50", "USD 1,200.50"),
        (rupiah(Decimal("10000000.01")), "Rp 10.000.000,01", "Rp 10.000.000,01", "IDR 10,000,000.01"),
        (rupiah(Decimal("12500000.00")), "Rp 12.500.000", "Rp 12.500.000", "IDR 12,500,000"),
        (rupiah(Decimal("-999.5")), "Rp -999,50", "Rp -999,50", "IDR -999.50"),
        (rupiah(Decimal("1E+7")), "Rp 10.000.000", "Rp 10.000.000", "IDR 10,000,000"),
        (usd("0"), "USD 0.00", "USD 0,00", "USD 0.00"),
        (usd("0.12345"), "USD 0.12345", "USD 0,12345", "USD 0.12345"),
        (Money(Decimal("2.5"), Currency("KWD")), "KWD 2.500", "KWD 2,500", "KWD 2.500"),
    ],
)
def test_shows_money_for_each_reader(money: Money, shown: str, indonesian: str, english: str) -> None:
    assert (shown, indonesian, english) == (str(money), format_money(money, "id"), format_money(money, "en"))


def test_different_currencies_never_meet() -> None:
    for attempt in (
        lambda: rupiah(1) + usd("1"),
        lambda: rupiah(1) < usd("1"),
        lambda: rupiah(1) >= usd("1"),
        lambda: sum([rupiah(1), usd("1")]),
        lambda: total([rupiah(1), usd("1")], IDR),
        lambda: 5 + rupiah(1),
    ):
        with pytest.raises(MixedCurrencyError):
            attempt()
    assert rupiah(1) != usd("1")


def test_sums_with_and_without_a_start() -> None:
    assert rupiah(6) == sum([rupiah(1), rupiah(2), rupiah(3)]) == total([rupiah(1), rupiah(2), rupiah(3)], IDR)
    assert rupiah(0) == total([], IDR)


@given(st.lists(amounts, max_size=20))
def test_a_total_is_exact(values: list[Decimal]) -> None:
    exact = sum((Fraction(value) for value in values), Fraction(0))

    assert exact == Fraction(total([Money(value, IDR) for value in values], IDR).amount)


def test_adding_does_not_round_beyond_28_digits() -> None:
    big, small = rupiah(Decimal(10) ** 29), rupiah(Decimal("1E-29"))

    assert Fraction(10) ** 29 + Fraction(1, 10**29) == Fraction((big + small).amount)


@pytest.mark.parametrize(
    ("amount", "above"),
    [("9999999.99", False), ("10000000", False), ("10000000.00", False), ("10000000.01", True), ("10000001", True)],
)
def test_strictly_above_ten_million(amount: str, above: bool) -> None:
    assert above is (rupiah(Decimal(amount)) > LIMIT)


@given(amounts, positive, days)
def test_conversion_is_exact_and_shows_its_rate(amount: Decimal, value: Decimal, day: date) -> None:
    rate = Rate(USD, IDR, value, day)

    conversion = Rates(IDR, (rate,), timedelta(0)).convert(Money(amount, USD), day)

    assert conversion is not None
    assert rate == conversion.rate
    assert Fraction(amount) * Fraction(value) == Fraction(conversion.result.amount)
    assert conversion.result.currency == IDR


def test_a_converted_amount_is_judged_to_the_last_decimal() -> None:
    on = date(2026, 11, 3)
    table = rates(("16000", date(2026, 11, 1)))

    at_limit, above = table.convert(usd("625"), on), table.convert(usd("625.0000001"), on)

    assert at_limit is not None
    assert above is not None
    assert (at_limit.result > LIMIT, above.result > LIMIT) == (False, True)


def test_home_currency_needs_no_rate() -> None:
    assert Conversion(rupiah(5), rupiah(5), None) == rates().convert(rupiah(5), date(2026, 1, 1))


def test_the_newest_rate_on_or_before_the_day_counts() -> None:
    table = rates(("3", date(2026, 3, 1)), ("1", date(2026, 1, 1)), ("2", date(2026, 2, 1)))

    used = {}
    for day in (date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 9)):
        conversion = table.convert(usd("1"), day)
        used[day.isoformat()] = conversion and conversion.result.amount

    assert used == {"2026-01-01": 1, "2026-01-31": 1, "2026-02-01": 2, "2026-02-28": 2, "2026-03-09": 3}


def test_a_later_rate_is_never_used() -> None:
    assert rates(("16000", date(2026, 1, 2))).convert(usd("1"), date(2026, 1, 1)) is None


def test_a_stale_rate_is_no_rate() -> None:
    table = rates(("16000", date(2026, 1, 1)), max_age=40)

    assert table.convert(usd("1"), date(2026, 2, 10)) is not None
    assert table.convert(usd("1"), date(2026, 2, 11)) is None


def test_a_missing_rate_is_none_and_no_inverse_is_invented() -> None:
    day = date(2026, 1, 1)
    table = rates(("16000", day))

    assert table.convert(Money(Decimal(1), SGD), day) is None
    assert Rates(USD, (), timedelta(days=40)).convert(rupiah(16_000), day) is None


@given(st.lists(days, unique=True, max_size=12), days, st.integers(0, 60))
def test_the_chosen_rate_is_what_a_person_would_choose(dated: list[date], on: date, max_age: int) -> None:
    table = rates(*((str(position + 1), day) for position, day in enumerate(dated)), max_age=max_age)
    fitting = [day for day in dated if day <= on <= day + timedelta(days=max_age)]

    conversion = table.convert(usd("1"), on)

    assert max(fitting, default=None) == (conversion and conversion.rate and conversion.rate.as_of)


@pytest.mark.parametrize(
    ("home", "found", "complaint"),
    [
        (USD, (Rate(SGD, IDR, Decimal(1), date(2026, 1, 1)),), "not into USD"),
        (
            IDR,
            (Rate(USD, IDR, Decimal(1), date(2026, 1, 1)), Rate(USD, IDR, Decimal(2), date(2026, 1, 1))),
            "two rates",
        ),
    ],
)
def test_refuses_a_doubtful_table(home: Currency, found: tuple[Rate, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Rates(home, found, timedelta(days=1))


@pytest.mark.parametrize("value", ["0", "-1", "NaN"])
def test_refuses_a_rate_that_is_not_above_zero(value: str) -> None:
    with pytest.raises(ValueError, match="rate USD to IDR"):
        Rate(USD, IDR, Decimal(value), date(2026, 1, 1))


def test_a_rate_is_chosen_by_the_day() -> None:
    with pytest.raises(ValueError, match="by the day"):
        rates().convert(usd("1"), datetime(2026, 1, 1, tzinfo=UTC))


@given(amounts, st.sampled_from(NumberStyle), st.integers(0, 4))
def test_a_number_reads_back_as_it_was_written(number: Decimal, style: NumberStyle, decimals: int) -> None:
    assert number == parse_number(format_number(number, style, decimals), style)


@pytest.mark.parametrize(
    ("text", "style", "number"),
    [
        ("1.234.567,89", NumberStyle.INDONESIAN, "1234567.89"),
        ("10.000.000", NumberStyle.INDONESIAN, "10000000"),
        ("10000000,01", NumberStyle.INDONESIAN, "10000000.01"),
        (" -1.500 ", NumberStyle.INDONESIAN, "-1500"),
        ("1,234,567.89", NumberStyle.ENGLISH, "1234567.89"),
        ("12.500", NumberStyle.ENGLISH, "12.500"),
        ("+1,000", NumberStyle.ENGLISH, "1000"),
        ("0.1", NumberStyle.PLAIN, "0.1"),
    ],
)
def test_reads_each_style(text: str, style: NumberStyle, number: str) -> None:
    assert Decimal(number) == parse_number(text, style)


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("1.50", NumberStyle.INDONESIAN),
        ("1,234,567.89", NumberStyle.INDONESIAN),
        ("1.2345", NumberStyle.INDONESIAN),
        ("1000.000", NumberStyle.INDONESIAN),
        ("1,50", NumberStyle.ENGLISH),
        ("1.234.567,89", NumberStyle.ENGLISH),
        ("12,34,567", NumberStyle.ENGLISH),
        ("1,000", NumberStyle.PLAIN),
        ("1e5", NumberStyle.PLAIN),
        ("NaN", NumberStyle.PLAIN),
        ("", NumberStyle.PLAIN),
        ("5.", NumberStyle.PLAIN),
        (".5", NumberStyle.ENGLISH),
        ("- 5", NumberStyle.PLAIN),
        ("١٢٣", NumberStyle.PLAIN),
        ("1_000", NumberStyle.PLAIN),
        ("Rp 5", NumberStyle.INDONESIAN),
        ("9" * 1_000_000, NumberStyle.PLAIN),
    ],
)
def test_refuses_a_number_in_another_form(text: str, style: NumberStyle) -> None:
    with pytest.raises(ValueError, match=f"is not a number in {style} form: expected for example") as caught:
        parse_number(text, style)
    assert text[:40] in str(caught.value)
    assert len(str(caught.value)) < 200
