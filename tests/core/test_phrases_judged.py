"""How well the phrases do on texts that are not their own sentences.

`detection_texts.jsonl` was used to improve the phrases. `detection_texts_fresh.jsonl` was written afterwards: unseen it
gave precision 0.919 and recall 0.919; six of its errors were then looked at. Add texts that went wrong to the former,
and judge a change by texts that were not looked at.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from worker.core.phrases import Message, read
from worker.phrasebook import load

HERE = Path(__file__).parent
BOOK = load(HERE.parents[1] / "config" / "phrases")


def judged(name):
    right, wrong, missed, errors = Counter(), Counter(), Counter(), []
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        text = json.loads(line)
        got = set(read(BOOK, Message(text["subject"], text["body"], text["channel"])).labels)
        want = set(text["labels"])
        right.update(got & want)
        wrong.update(got - want)
        missed.update(want - got)
        if got != want:
            errors.append(f"{text['id']}: found {sorted(got)}, expected {sorted(want)}")
    return right, wrong, missed, errors


def ratio(part, rest):
    return part / (part + rest) if part + rest else 1.0


@pytest.mark.parametrize("name", ["detection_texts.jsonl", "detection_texts_fresh.jsonl"])
def test_precision_and_recall(name):
    right, wrong, missed, errors = judged(name)
    for label in sorted(right | wrong | missed):
        print(
            f"{label:20} precision {ratio(right[label], wrong[label]):.3f}"
            f" recall {ratio(right[label], missed[label]):.3f}"
        )
    precision, recall = ratio(right.total(), wrong.total()), ratio(right.total(), missed.total())
    print(f"{name}: precision {precision:.3f} recall {recall:.3f}")
    assert precision >= 0.95, errors
    assert recall >= 0.85, errors


def test_the_texts_are_many_and_hard():
    texts = [json.loads(line) for line in (HERE / "detection_texts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(texts) >= 300
    assert sum(1 for text in texts if not text["labels"]) >= len(texts) * 0.4
