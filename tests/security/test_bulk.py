"""Thousands of damaged files of every kind: each is read or refused with its place, and none stops the worker."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.bulk import KINDS, SEEDS
from worker.documents import FaultyDocumentError
from worker.import_mapping import load_import_mapping
from worker.mapping import load_mapping
from worker.translation import load_translation

COUNTS = {"policy": 150, "calendars": 250, "rates": 250}
"""These are read with all that belongs to them, which takes its time; of every other kind there are 600."""

_HANGS = 120


@pytest.fixture(autouse=True)
def none_hangs() -> Iterator[None]:
    """A reader that never ends is a failure with a traceback, not a test run without end."""

    def end(_number: int, _frame: object) -> None:
        raise TimeoutError("a reader hangs")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(_HANGS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_whole_is_read(name: str, tmp_path: Path) -> None:
    assert KINDS[name](tmp_path).outcome(SEEDS[name]) == "read"


@pytest.mark.parametrize("name", KINDS)
def test_what_is_damaged_is_read_or_refused_with_its_place(name: str, tmp_path: Path) -> None:
    kind, told = KINDS[name](tmp_path), Counter[str]()
    for number in range(COUNTS.get(name, 600)):
        body = kind.accident(random.Random(f"{name} {number}"))
        try:
            told[kind.outcome(body)] += 1
        except Exception as error:
            raise AssertionError(f"accident {number} of {name}: {body!r}") from error

    assert min(told["read"], told["refused"]) > 2, told


WRONG = [
    ("mapping", "case:\n  object: case", "case: 12\nodd:\n  object: case", "case: how the CRM keeps its cases"),
    ("mapping", "extra: {seats: seats__c}", "extra: [seats]", "keys with values are needed, not ['seats']"),
    ("mapping", "{seats: seats__c}", "{Seats!: seats__c}", "small letters, digits and _ only"),
    ("mapping", "red_below: 40", "red_below: low", "a number is needed, not 'low'"),
    ("mapping", "currency: IDR", "currency: [IDR]", "a name of the CRM is needed, not ['IDR']"),
    ("mapping", "yellow: Kuning", "yellow: {a: b}", "a word of the CRM is needed, not {'a': 'b'}"),
    (
        "mapping",
        "flag_owner: owner",
        "flag_owner: status",
        "'status' is mapped already, as fields.flag_status",
    ),
    ("mapping", "name: name", "name: 'na\\me'", "has no quotes"),
    ("mapping", "name: name", 'name: "\\ud83d"', "half of a character"),
    ("import mapping", "numbers: detect", "numbers: german", "expected one of detect,"),
    ("import mapping", '"%d/%m/%Y", ', '"%d/%m", ', "expected a form such as %d/%m/%Y, not '%d/%m'"),
    ("import mapping", "zone: Asia/Jakarta", "zone: ../Jakarta", "expected a time zone such as Asia/Jakarta"),
    ("import mapping", "name: Account Name", "name: []", "expected the name of a column, not []"),
    ("sentences", "words: {red: merah}", "words: [red]", "English texts with their translations are needed"),
]
LOADERS = {"mapping": load_mapping, "import mapping": load_import_mapping, "sentences": load_translation}


@pytest.mark.parametrize(("name", "whole", "broken", "said"), WRONG)
def test_what_is_of_the_wrong_kind_is_never_passed_over(
    name: str, whole: str, broken: str, said: str, tmp_path: Path
) -> None:
    text = SEEDS[name].decode()
    assert whole in text
    path = tmp_path / "file.yaml"
    path.write_text(text.replace(whole, broken, 1), encoding="utf-8")

    with pytest.raises(FaultyDocumentError) as refused:
        LOADERS[name](path)
    assert said in str(refused.value)
