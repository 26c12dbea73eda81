"""How large a module may be: about 300 lines; what is larger says why, and loses its excuse when it shrinks."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MOST = 300
REASONS = {
    "connectors/crm/embedded/database.py": "one file format, with its schema and everything that reads or writes it",
}


def sizes() -> dict[str, int]:
    files = [*ROOT.glob("worker/**/*.py"), *ROOT.glob("connectors/**/*.py")]
    return {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}


def test_a_module_over_300_lines_has_a_reason() -> None:
    assert {name: size for name, size in sizes().items() if size > MOST and name not in REASONS} == {}


def test_no_reason_outlives_its_module() -> None:
    present = sizes()

    assert [name for name in REASONS if present.get(name, 0) <= MOST] == []
