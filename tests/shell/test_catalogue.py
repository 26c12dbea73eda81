"""Every sentence that the core says has its Indonesian form: the sentences are read out of the core's own code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.translation import load_translation

ROOT = Path(__file__).parent.parent.parent
CORE = ROOT / "worker/core"
INDONESIAN = load_translation(ROOT / "config/templates/id/sentences.yaml")

SILENT = {
    "amounts.py": "reads what customers write",
    "calendar.py": "errors of a configuration, for whoever writes it",
    "clock_story.py": "has its own words in both languages",
    "explain.py": "read on the command line, in English like all commands",
    "gaming.py": "stands in the report, which is English",
    "local_time.py": "has its own words in both languages",
    "markup.py": "reads what customers write",
    "money.py": "errors of a configuration, for whoever writes it",
    "phrases.py": "reads what customers write",
    "policy.py": "says nothing",
    "sentences.py": "reads what customers write",
    "standing.py": "read on the command line, in English like all commands",
    "stems.py": "reads what customers write",
    "text.py": "reads what customers write",
    "vocabulary.py": "reads what customers write",
    "weighing.py": "reads what customers write",
    "workings.py": "has its own words in both languages",
    "renewals.py": "stands in the report, which is English",
    "episodes.py": "stands in the report, which is English",
    "figures.py": "stands in the report, which is English",
    "report.py": "stands in the report, which is English",
}
NO_SENTENCES = frozenset(
    [
        *("Health Score", "Issue Summary", "Root Cause", "Attempted Resolution", "Customer Ask"),
        *("Personality and communication style", "What NOT to say", "Desired outcome"),
        *("root cause", "outcome note", "confirmation by the customer"),
        "which escalation or account it duplicates, in the note",
        *("CS manager", "VP CS", "nobody yet", "the CSM (vacant)", "the CSM", "a person in the CRM"),
        *("of unknown amount", "about X1", "in X1 days", "X1 days ago", "may mean it:"),
        *("is no longer active", "is away until X1 UTC"),
        *("{each.name}: {each.text}", "X1: X1", "X1: X1: X1", "X1 = X1 (rate X1 of X1)", "X1 of X1"),
    ]
)
"""Names of fields and roles, which templates and word lists translate, and parts of sentences that are tested whole."""
VALUES = {
    "_share(passed)": "50 %",
    "document.score": "3 of 10",
    "ref": "dispute D1",
    "colour.value": "red",
    "verb": "wrote",
    "amount": "about X1",
    "disputes.py:amount": "X1",
    "disputes.py:since": "X1",
    "shorter": " (3 days are the longest)",
    "waiting.py:by": ", set by X1,",
    "why": ": X1",
    "event.value": "raised",
    "told": "its evidence came or went 3 times within 7 days",
    "when": "in 3 days",
    "gone": "is no longer active",
    "wanted": "still needed to close: root cause",
    "', '.join(missing)": "root cause, outcome note",
    "missing": "Root Cause, Customer Ask",
    "merging.py:were": "were",
    "merging.py:said": "The CRM says: X1.",
    "since": "nothing was written since X1 UTC",
    "gap": "X1 is away until X1 UTC",
    "said": "nothing was written since X1 UTC",
    "', '.join(skipped)": "VP CS is vacant",
    "found.because": "X1 answers L2 as VP CS",
    "signal.detail": "The CRM says: X1.",
    "unseen[0].detail": "The CRM says: X1.",
    "new[0].detail": "The CRM says: X1.",
    "entry.because": "The CRM says: X1.",
    "type(error).__name__": "ValueError",
}


def value_of(expression: str, module: str) -> str:
    for name in (f"{module}:{expression}", expression):
        if name in VALUES:
            return VALUES[name]
    if expression.startswith(("'s' * (", "score", "as_of")):
        return ""
    return "X1"


def text_of(node: ast.JoinedStr, module: str) -> str:
    parts = ((part, isinstance(part, ast.Constant)) for part in node.values)
    return "".join(part.value if plain else value_of(ast.unparse(part.value), module) for part, plain in parts)


def texts(module: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module that is no docstring, with something in the place of what changes."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            skipped.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            skipped.update(id(inner) for inner in ast.walk(node) if inner is not node)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, text_of(node, module.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def is_sentence(text: str) -> bool:
    """Several words that stand by themselves; what begins with a blank or a mark only ever follows something.

    A colon without a blank after it makes a fingerprint, which nobody reads.
    """
    if re.search(r":\w", text):
        return False
    return len(re.findall(r"[A-Za-z]{2,}", text)) > 1 and text[0].isalnum() and text not in NO_SENTENCES


def sentences() -> Iterator[object]:
    for module in sorted(CORE.glob("*.py")):
        if module.name in SILENT:
            continue
        for line, text in texts(module):
            if " " in text and is_sentence(text):
                yield pytest.param(text, id=f"{module.name}:{line}")


@pytest.mark.parametrize("sentence", list(sentences()))
def test_a_sentence_of_the_core_has_its_indonesian_form(sentence: str) -> None:
    told = next((told for end in ("", ".") if (told := INDONESIAN(sentence + end)) != sentence + end), sentence)

    assert told != sentence
    assert not english_left(told), told


def english_left(told: str) -> list[str]:
    return re.findall(r"\b(?:the|is|are|was|were|has|have|and|of|from|until|since|by|with|nobody|what)\b", told)


def test_no_module_is_silent_that_there_is_not() -> None:
    assert [name for name in SILENT if not (CORE / name).is_file()] == []


@pytest.mark.parametrize(
    ("english", "indonesian"),
    [
        (
            "acknowledged by Bima, but nothing was written since 2026-11-24 03:00 UTC; moved from L1 to L2",
            "dikonfirmasi oleh Bima, tetapi tidak ada catatan sejak 2026-11-24 03:00 UTC; naik dari L1 ke L2",
        ),
        (
            "the snooze, set by Dewi, ends early: The health score is red, score 12.",
            "penundaan, oleh Dewi, berakhir lebih awal: Skor kesehatan merah, nilai 12.",
        ),
        (
            "Dewi said resolved; still needed to close: root cause, outcome note",
            "Dewi menyatakan selesai; untuk menutup masih perlu: akar masalah, catatan hasil",
        ),
        (
            "worker: reason added: The CRM says: cancel.",
            "worker: alasan baru: CRM menyatakan: cancel.",
        ),
        (
            "Bima is away until 2027-01-03 17:00 UTC; Putri answers L2 as VP CS, since VP CS is vacant",
            "Bima tidak di tempat sampai 2027-01-03 17:00 UTC; Putri menjawab L2 sebagai VP CS, karena VP CS kosong",
        ),
        (
            (
                "In case C1 (“is it closed by the bank?”) the customer wrote “nobody has answered”. "
                "No amount is filed: is it more than Rp 10.000.000?"
            ),
            (
                "Dalam kasus C1 (“is it closed by the bank?”) pelanggan menulis “nobody has answered”. "
                "Jumlah belum dicatat: apakah lebih dari Rp 10.000.000?"
            ),
        ),
    ],
)
def test_what_is_put_together_is_translated_part_by_part(english: str, indonesian: str) -> None:
    assert INDONESIAN(english) == indonesian
