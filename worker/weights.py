"""The learned weights of words as a table that people can read: one feature a line, one column for each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from worker.core.model import BUILT_IN_TRIGGERS, TriggerId
from worker.core.vocabulary import ALWAYS, Weights

NAME = "weights.tsv"
_LEAST = 0.1


class WeightsError(ValueError):
    """The table can't be used; says file, line and what to do."""


def load(path: Path) -> Weights:
    """The table at `path`. Raises WeightsError with file and line."""
    rows = [
        (number, line.rstrip("\n").split("\t"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not rows:
        raise WeightsError(f"{path}:1: the table is empty: learn it again with 'make weights'")
    labels = tuple(TriggerId(name) for name in rows[0][1][1:])
    if unknown := [label for label in labels if label not in BUILT_IN_TRIGGERS]:
        raise WeightsError(f"{path}:{rows[0][0]}: {unknown[0]!r} is no trigger: use {', '.join(BUILT_IN_TRIGGERS)}")
    return Weights(labels, dict(_row(path, number, cells, len(labels)) for number, cells in rows[1:]))


def _row(path: Path, number: int, cells: Sequence[str], wanted: int) -> tuple[str, tuple[float, ...]]:
    try:
        values = tuple(float(cell or 0) for cell in cells[1:])
    except ValueError:
        values = ()
    if len(values) != wanted:
        raise WeightsError(f"{path}:{number}: {cells[0]!r} needs {wanted} numbers, with tabs between: correct the line")
    return cells[0], values


def table(labels: Sequence[TriggerId], of: Mapping[str, Sequence[float]], head: str) -> str:
    """The text of the table: `head` as comment, weights to two places, what weighs next to nothing left out."""
    lines = [f"# {line}" for line in head.splitlines()] + ["\t".join(["feature", *labels])]
    for feature in sorted(of, key=lambda name: (not name.startswith("("), name)):
        values = of[feature]
        if feature == ALWAYS or max(abs(value) for value in values) >= _LEAST:
            lines.append("\t".join([feature, *(f"{value:.2f}" if abs(value) >= 0.05 else "" for value in values)]))
    return "\n".join(lines) + "\n"
