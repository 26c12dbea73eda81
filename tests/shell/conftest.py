"""What many tests of the shell begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.office import Office, Opened


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Opened]:
    opened: list[Office] = []

    def make(**given: object) -> Office:
        opened.append(Office(tmp_path, **given))
        return opened[-1]

    yield make
    for each in opened:
        each.close()
