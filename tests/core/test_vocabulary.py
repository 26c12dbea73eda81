"""Words that weigh: how the table is learned, written, read and used beside the phrases."""

from dataclasses import replace
from pathlib import Path

import pytest

from worker import learning, weights
from worker.core.model import Certainty
from worker.core.phrases import Message, read
from worker.core.stems import stem
from worker.core.vocabulary import ALWAYS, HINT, PHRASE, Weights, features
from worker.phrasebook import PhraseBookError, load

HERE = Path(__file__).parent
PACKS = HERE.parents[1] / "config" / "phrases"
LEARNED_FROM = [HERE / "detection_texts.jsonl", HERE / "detection_texts_fresh.jsonl"]
PACK = """phrases:
- {id: go, label: churn_threat, patterns: [we go], yes: [we go], no: [y]}
- {id: hint.a, label: churn_threat, certainty: possible, patterns: [sigh], yes: [sigh], no: [y]}
- {id: hint.b, label: churn_threat, certainty: possible, patterns: [alas], yes: [alas], no: [y]}
guards:
- {id: test, kind: elsewhere, scope: text, effect: drop, patterns: [only a test]}
"""


def book(tmp_path, **of):
    (tmp_path / "p.yaml").write_text(PACK, encoding="utf-8")
    table = {ALWAYS: (-2.0,), PHRASE: (3.0,), HINT: (0.5,)} | {name: (value,) for name, value in of.items()}
    return replace(load(tmp_path), weights=Weights(("churn_threat",), table))


def certainty(of_book, body):
    return read(of_book, Message(body=body)).certainty.get("churn_threat")


def test_the_committed_table_was_learned_from_the_committed_texts_and_packs():
    learned = learning.digest(load(PACKS), LEARNED_FROM)
    assert learned in (PACKS / weights.NAME).read_text(encoding="utf-8").splitlines()[0], "run: make weights"


def test_features_are_words_beginnings_and_pairs_within_a_sentence():
    assert features(b"pay 15 invoices\n\nno") == {
        "pay", "0", "invoices", "invoic*", "~pay", "~0", "~invoic", "pay 0", "0 invoic", "pay _ invoic", "no", "~no",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "stem_of"),
    [
        ("nggak", "tidak"),
        ("gue", "kami"),
        ("dipindahkan", "pindah"),
        ("mboten", "tidak"),
        ("cancelled", "cancell"),
        ("pindah", "pindah"),
        ("use", "use"),
        ("0", "0"),
    ],
)
def test_spellings_and_affixes_weigh_as_one_word(written, stem_of):
    assert stem(written) == stem_of


def test_pairs_have_what_both_texts_have():
    bye, late = learning.Example(("bye",), frozenset({"churn_threat"})), learning.Example(("late",), frozenset({"x"}))
    made = list(learning.pairs([bye, late] * 20))
    assert {(one.found, one.labels) for one in made} == {(("bye", "late"), frozenset({"churn_threat", "x"}))}


def test_two_hints_assert_and_one_does_not(tmp_path):
    assert certainty(book(tmp_path, x=0.0), "sigh") is Certainty.POSSIBLE
    assert certainty(book(tmp_path, x=0.0), "sigh, alas") is Certainty.CERTAIN


def test_words_assert_what_no_phrase_finds_and_show_the_sentence(tmp_path):
    (hit,) = read(book(tmp_path, farewell=2.5), Message(body="Hello all.\nThis is farewell then.\nBye")).hits
    assert (hit.phrase, hit.text, hit.certainty) == ("weights", "This is farewell then.", Certainty.CERTAIN)


def test_words_that_speak_against_it_make_a_phrase_only_possible(tmp_path):
    assert certainty(book(tmp_path, cinema=-2.0), "tonight we go") is Certainty.CERTAIN
    assert certainty(book(tmp_path, cinema=-2.0), "tonight we go to the cinema") is Certainty.POSSIBLE


def test_a_guard_over_the_text_silences_words_too(tmp_path):
    assert certainty(book(tmp_path, farewell=2.5), "this is farewell, only a test") is None


def test_a_label_is_learned_from_texts_that_have_it():
    bye, hello = frozenset({"churn_threat"}), frozenset()
    texts = [learning.Example(("good", "bye"), bye), learning.Example(("good", "day"), hello)] * 4
    table = learning.learn(texts, ["churn_threat"])
    assert table["bye"][0] > 0.5 > 0 > table["day"][0]
    assert table == learning.learn(texts, ["churn_threat"])


def test_a_table_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / weights.NAME
    of = {"two words": (0.5, -1.25), ALWAYS: (-2.0, 0.0), "next to nothing": (0.04, 0.01)}
    path.write_text(weights.table(["churn_threat", "payment_dispute"], of, "a head"), encoding="utf-8")
    kept = {name: values for name, values in of.items() if name != "next to nothing"}
    assert weights.load(path) == Weights(("churn_threat", "payment_dispute"), kept)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("# nothing\n", "weights.tsv:1: the table is empty"),
        ("feature\tchurn\n", "weights.tsv:1: 'churn' is no trigger"),
        ("feature\tchurn_threat\nbye\tmuch\n", "weights.tsv:2: 'bye' needs 1 numbers"),
        ("feature\tchurn_threat\nbye\t1\t2\n", "weights.tsv:2: 'bye' needs 1 numbers"),
    ],
)
def test_a_fault_of_the_table_is_told_with_those_of_the_packs(tmp_path, table, fault):
    (tmp_path / "p.yaml").write_text(PACK, encoding="utf-8")
    (tmp_path / weights.NAME).write_text(table, encoding="utf-8")
    with pytest.raises(PhraseBookError, match=fault.replace("(", r"\(")):
        load(tmp_path)
