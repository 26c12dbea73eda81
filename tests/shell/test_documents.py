"""The YAML reader: plain values, exact places, and no file that gets past its limits."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.documents import Document, FaultyDocumentError, Place, parse_document
from worker.yaml12 import DEEPEST


def read(text: str) -> Document:
    return parse_document(text.encode(), "f.yaml")


def faults(body: str | bytes) -> list[str]:
    with pytest.raises(FaultyDocumentError) as caught:
        parse_document(body.encode() if isinstance(body, str) else body, "f.yaml")
    return [str(fault) for fault in caught.value.faults]


def test_yaml_12_values_stay_what_was_written() -> None:
    document = read(
        'a: no\nb: on\nc: 12:30:45\nd: 0.1\ne: 1e9\nf: 10.000.000\ng: ~\nh: "5"\ni: true\nj: 2026-11-24\n1: x'
    )
    assert document.value == {
        "a": "no", "b": "on", "c": "12:30:45", "d": Decimal("0.1"), "e": Decimal("1e9"), "f": "10.000.000",
        "g": None, "h": "5", "i": True, "j": "2026-11-24", "1": "x",
    }  # fmt: skip


def test_every_duplicate_key_is_told_at_once_with_the_line_of_the_first() -> None:
    assert faults("a: 1\nb: {x: 1, x: 2}\na: 2\n") == [
        "f.yaml:2:11: b.x: this key stands here twice, first in line 2: keep one",
        "f.yaml:3:1: a: this key stands here twice, first in line 1: keep one",
    ]


def test_places_of_values_keys_and_what_is_missing() -> None:
    document = read("a:\n  - {b: 1}\n  - x\nempty:\n")
    assert document.place(("a", 0, "b")) == Place(2, 9)
    assert document.place(("a", 0, "b"), key=True) == Place(2, 6)
    assert document.place(("a", 1)) == Place(3, 5)
    assert document.place(("a", 0, "missing")) == Place(2, 5)
    assert document.place(("empty",)) == Place(4, 1)
    assert document.place(("nowhere",)) == Place(1, 1)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("k: one MARK", 1, 8),
        ('k: "one MARK"', 1, 9),
        ("k: |\n  one\n  two MARK\n", 3, 7),
        ("k: |\n  one\n    MARK\n", 3, 5),
        ("k: >-\n  one\n  two MARK three\n", 3, 7),
        ("x:\n  k: >\n     one\n     two\n     MARK\n", 5, 6),
    ],
)
def test_a_place_inside_a_text_is_found_in_the_file(text: str, line: int, column: int) -> None:
    document = read(text)
    path = ("x", "k") if text.startswith("x") else ("k",)
    value = document.value
    for step in path:
        assert isinstance(value, dict)
        value = value[step]
    before = str(value)[: str(value).index("MARK")]
    found = document.inside(path, before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert found == Place(line, column)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("[" * 50_000, f"more than {DEEPEST} levels"),
        ("- " * 3_000, f"more than {DEEPEST} levels"),
        ("a: &x [1]\nb: *x\n", "anchors and aliases"),
        ("!!python/object/apply:os.system [id]", "tags"),
        ("a: [1\nb: 2", "is not YAML"),
        ("? [1]\n: 2", "a key must be a plain text"),
        ("--- a\n--- b\n", "second document"),
        ("a: " + "9" * 40, "more than 30 digits"),
        (b"a: \xff", "not UTF-8"),
        (b"a: \x07", "U+0007"),
        ("%YAML 9.9\n--- a", "is not YAML"),
        ('a: "\\U00ffffff"', "is not YAML"),
        (b"#" * 1_000_001, "larger than"),
    ],
)
def test_hostile_files_get_one_clear_fault(body: str | bytes, word: str) -> None:
    assert word in "\n".join(faults(body))


def test_a_fault_never_shows_a_value_of_the_file() -> None:
    assert "hunter2" not in "\n".join(faults("token: hunter2\ntoken: hunter2\nx: [hunter2"))


@given(st.text(alphabet=" \n:-[]{}'\"#&*!|>%@,?ab1.~\\\t", max_size=60))
def test_any_text_is_a_value_or_a_fault(text: str) -> None:
    with contextlib.suppress(FaultyDocumentError):
        read(text)
