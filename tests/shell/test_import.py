"""CSV exports: what is good goes in, what is bad is told with its place, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.crm.embedded import EmbeddedCrm
from worker.importing import import_files

SALESFORCE = Path("import-salesforce.yaml")


@pytest.fixture
def crm(tmp_path: Path) -> EmbeddedCrm:
    return EmbeddedCrm.create(tmp_path / "crm.sqlite")


def accounts(crm: EmbeddedCrm, folder: Path, body: str | bytes, mapping: Path = SALESFORCE, **more: Path):
    path = folder / "a.csv"
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return import_files(crm, {"account": path}, mapping, **more)


@pytest.mark.parametrize(
    ("body", "arr"),
    [
        ('Account ID,Account Name,Annual Revenue\nA1,PT Satu,"12,500,000.50"\n', "12500000.50"),
        ("\ufeffAccount ID;Account Name;Annual Revenue\nA1;PT Satu;12.500.000,50\n", "12500000.50"),
        ("Account ID;Account Name;Annual Revenue\nA1;PT Satu;Rp 12.500.000\n", "12500000"),
    ],
)
def test_it_reads_what_salesforce_writes(crm, tmp_path, body, arr) -> None:
    report = accounts(crm, tmp_path, body)

    assert (report.faults, crm.get("account", "A1").fields["arr"]) == ([], arr)


def test_it_reads_what_hubspot_writes(crm, tmp_path) -> None:
    body = "Record ID,Company name,Annual Revenue,Renewal date\n9007199254740993,PT Satu,12500000,2026-12-01\n"
    report = accounts(crm, tmp_path, body, Path("import-hubspot.yaml"))

    assert report.imported == {"account": 1}
    assert crm.get("account", "9007199254740993").fields["renewal_on"] == "2026-12-01"


def test_a_bad_row_is_told_and_the_good_ones_go_on(crm, tmp_path) -> None:
    body = 'Account ID,Account Name,Annual Revenue\nA1,"PT\nSatu",5\nA2,PT Dua,lots\nA3,PT Tiga,7\n'
    rejects = tmp_path / "r.csv"
    report = accounts(crm, tmp_path, body, rejects=rejects)
    fault = report.faults[0]

    assert report.imported == {"account": 2}
    assert (fault.line, fault.column, fault.value) == (4, "Annual Revenue", "lots")
    assert "PT Dua" in rejects.read_text(encoding="utf-8-sig")


def test_a_number_that_reads_in_two_ways_is_refused(crm, tmp_path) -> None:
    report = accounts(crm, tmp_path, "Account ID,Account Name,Annual Revenue\nA1,PT Satu,1.500\n")

    assert "two ways" in report.faults[0].reason


@pytest.mark.parametrize(
    ("header", "row", "currency"),
    [
        ("Account ID;Account Name;Annual Revenue", "A1;PT Satu;USD 120.000,00", "USD"),
        ("Account ID;Account Name;Annual Revenue;Account Currency", "A1;PT Satu;USD 120.000,00;", "USD"),
        ("Account ID;Account Name;Annual Revenue;Account Currency", "A1;PT Satu;Rp. 120.000,00;IDR", "IDR"),
        ("Account ID;Account Name;Annual Revenue;Account Currency", "A1;PT Satu;120.000,00;USD", "USD"),
    ],
)
def test_the_currency_before_an_amount_counts(crm, tmp_path, header, row, currency) -> None:
    report = accounts(crm, tmp_path, f"{header}\n{row}\n")
    fields = crm.get("account", "A1").fields

    assert (report.faults, fields["arr"], fields["arr_currency"]) == ([], "120000.00", currency)


def test_a_currency_before_an_amount_that_contradicts_its_column_is_told(crm, tmp_path) -> None:
    body = "Account ID;Account Name;Annual Revenue;Account Currency\nA1;PT Satu;USD 120.000,00;IDR\n"
    report = accounts(crm, tmp_path, body)

    assert crm.get("account", "A1") is None
    assert report.faults[0].reason == "is in USD, and column 'Account Currency' says IDR: correct one"


def test_one_clear_number_settles_the_column(crm, tmp_path) -> None:
    body = "Account ID;Account Name;Annual Revenue\nA1;PT Satu;1.500\nA2;PT Dua;1.500.000,00\n"
    accounts(crm, tmp_path, body)

    assert crm.get("account", "A1").fields["arr"] == "1500"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("Name,Revenue\nx,1\n", "column 'Account ID'"),
        ("", "empty"),
        (b"Account ID,Account Name\nA1,PT \xff\n", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(crm, tmp_path, body, said) -> None:
    report = accounts(crm, tmp_path, body)

    assert said in report.faults[0].reason
    assert report.imported == {"account": 0}


def test_an_open_quote_keeps_what_came_before(crm, tmp_path) -> None:
    report = accounts(crm, tmp_path, 'Account ID,Account Name\nA1,PT Satu\nA2,"PT Dua\n')

    assert report.imported == {"account": 1}
    assert report.faults[0].line == 3


def test_importing_again_changes_nothing(crm, tmp_path) -> None:
    body = "Account ID,Account Name\nA1,PT Satu\n"
    accounts(crm, tmp_path, body)
    before = crm.get("account", "A1")
    accounts(crm, tmp_path, body)

    assert crm.get("account", "A1") == before


def test_a_case_of_nobody_and_a_doubled_id_are_told(crm, tmp_path) -> None:
    accounts(crm, tmp_path, "Account ID,Account Name\nA1,PT Satu\n")
    cases = tmp_path / "c.csv"
    cases.write_text("Case ID,Account ID,Status\nC1,A1,Open\nC1,A1,Open\nC2,ZZ,Open\n", encoding="utf-8")
    report = import_files(crm, {"case": cases}, SALESFORCE)

    assert [fault.line for fault in report.faults] == [3, 4]


def test_rejects_are_harmless_to_a_spreadsheet(crm, tmp_path) -> None:
    rejects = tmp_path / "r.csv"
    accounts(crm, tmp_path, "Account ID,Account Name,Annual Revenue\n=1+1,PT,x\n", rejects=rejects)

    assert '"\'=1+1"' in rejects.read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("separator", ["\u2028", "\x0c", "\x85", "\x1c"])
def test_a_line_separator_of_unicode_is_a_part_of_a_cell(crm, tmp_path, separator) -> None:
    report = accounts(crm, tmp_path, f"Account ID,Account Name\nA1,PT{separator}Satu\nA2,PT Dua\n")

    assert (report.faults, report.imported) == ([], {"account": 2})
    assert crm.get("account", "A1").fields["name"] == f"PT{separator}Satu"


def test_an_export_with_the_ends_of_lines_of_an_old_mac_is_read(crm, tmp_path) -> None:
    report = accounts(crm, tmp_path, "Account ID,Account Name\rA1,PT Satu\rA2,PT Dua\r")

    assert (report.faults, report.imported) == ([], {"account": 2})
