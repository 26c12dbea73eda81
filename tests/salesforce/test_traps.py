"""Every trap of the Salesforce connector has a test that names it, or stands here with the reason why not."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
TRAPS = range(1, 45)
WAIVED: dict[int, str] = {}


def named() -> set[int]:
    found: set[int] = set()
    for path in FOLDER.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.update(int(each) for each in re.findall(r"trap_(\d\d)", node.name))
    return found


def test_every_trap_is_named_in_a_test_or_waived_with_a_reason() -> None:
    assert named() | set(WAIVED) == set(TRAPS)
    assert named() & set(WAIVED) == set()


def test_the_vendors_library_is_loaded_only_for_those_who_use_it() -> None:
    code = "import sys, worker.__main__, worker.wiring; sys.exit('simple_salesforce' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
