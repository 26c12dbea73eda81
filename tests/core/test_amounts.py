from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.amounts import amounts
from worker.core.money import NumberStyle, format_number

READ = [
    ("Rp 7 500 000", "7500000", "IDR"),
    ("Rp 7 500 000.", "7500000", "IDR"),
    ("EUR 1 234,56", "1234.56", "EUR"),
    ("IDR 12\u00a0500\u00a0000", "12500000", "IDR"),
    ("Rp 500 250 orang", "500", "IDR"),
    ("Rp 12,5 juta", "12500000", "IDR"), ("Rp9.500.000", "9500000", "IDR"), ("IDR 15.000.000,00", "15000000", "IDR"),
    ("12jt", "12000000", "IDR"), ("12.5jt", "12500000", "IDR"), ("Rp1,2 miliar", "1200000000", "IDR"),
    ("USD 1,200", "1200", "USD"), ("$1,200.50", "1200.50", "USD"), ("US$ 1.2k", "1200", "USD"),
    ("10 juta rupiah", "10000000", "IDR"), ("sepuluh juta", "10000000", "IDR"), ("500rb", "500000", "IDR"),
    ("500 ribu", "500000", "IDR"), ("Rp 1,5 M", "1500000000", "IDR"), ("EUR 2.000,00", "2000", "EUR"),
    ("S$ 500", "500", "SGD"), ("USD 1.200", "1200", "USD"), ("Rp.12.500.000,-", "12500000", "IDR"),
    ("dua belas juta lima ratus ribu rupiah", "12500000", "IDR"), ("12 juta 500 ribu", "12500000", "IDR"),
    ("seratus dua puluh lima juta", "125000000", "IDR"), ("twenty five thousand dollars", "25000", "USD"),
    ("Rp 1.250 juta", "1250000000", "IDR"), ("1,250 juta", "1250000", "IDR"), ("$1.250M", "1250000", "USD"),
    ("2 juta dolar", "2000000", "USD"), ("Rp 12.500.000/bulan", "12500000", "IDR"), ("RM 300", "300", "MYR"),
    ("tagihan 12jt-an", "12000000", "IDR"), ("Rp 10.000.001.", "10000001", "IDR"),
    ("Rp 0,5 miliar", "500000000", "IDR"),
]  # fmt: skip

NO_MONEY = [
    "12.05.2024", "0812-3456-7890", "INV/2024/00123", "v2.3.1", "10%", "#12345", "1,5 M", "jam 10.30", "10 juta data",
    "sepuluh juta user", "CASE-500", "pasal 12 ayat 3", "200 seats", "PO 4500123", "tahun 2024", "dua ribu dua puluh",
    "Rp 1.23.456.78",
]  # fmt: skip


@pytest.mark.parametrize(("text", "amount", "currency"), READ)
def test_reads_the_amount_exactly(text, amount, currency):
    assert [(found.amount, found.currency) for found in amounts(f"nilainya {text} ya")] == [(Decimal(amount), currency)]


@pytest.mark.parametrize("text", NO_MONEY)
def test_numbers_that_are_no_money(text):
    assert amounts(f"lihat {text} ya") == ()


RANGES = ["Rp 10-12 juta", "10 s/d 12 juta", "Rp 10 juta - Rp 12 juta", "10 juta sampai 12 juta"]


@pytest.mark.parametrize("text", RANGES)
def test_a_range_gives_both_ends(text):
    assert [found.amount for found in amounts(text)] == [Decimal(10_000_000), Decimal(12_000_000)]


def test_places_are_those_of_the_text():
    text = "Tagihan Rp 12,5 juta dan USD 1,200.50."
    assert [text[found.start : found.end] for found in amounts(text)] == ["Rp 12,5 juta", "USD 1,200.50"]


@given(st.integers(min_value=1, max_value=10**14), st.sampled_from(["Rp ", "Rp", "IDR "]))
def test_every_indonesian_number_comes_back(number, sign):
    text = f"total {sign}{format_number(Decimal(number), NumberStyle.INDONESIAN)},00 ya"
    assert [found.amount for found in amounts(text)] == [Decimal(number)]


@given(st.decimals(min_value="0.01", max_value="999999999.99", places=2))
def test_every_english_number_comes_back(number):
    text = f"total USD {format_number(number, NumberStyle.ENGLISH, 2)} please"
    assert [found.amount for found in amounts(text)] == [number]


@given(st.text(alphabet="0123456789.,Rp$ jutamiliarbelsk-%/", max_size=200))
def test_never_fails_and_never_leaves_the_text(text):
    for found in amounts(text):
        assert 0 <= found.start < found.end <= len(text)
        assert found.amount >= 0
        assert found.currency
