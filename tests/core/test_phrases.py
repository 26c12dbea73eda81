from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.core.model import AccountId, Author, Case, Certainty, RecordId, RecordKind, RecordRef
from worker.core.phrases import MOST_CHARACTERS, Message, Place, canvas, case_hits, read
from worker.core.text import parts
from worker.phrasebook import PhraseBookError, load

PACKS = Path(__file__).parents[2] / "config" / "phrases"
BOOK = load(PACKS)


def labels(body, **more):
    return read(BOOK, Message(body=body, **more)).labels


@pytest.mark.parametrize(
    ("phrase", "text"), [(p, text) for p in BOOK.phrases for text in p.yes], ids=lambda v: getattr(v, "id", None)
)
def test_each_phrase_finds_its_own_sentences(phrase, text):
    reading = read(BOOK, Message(body=text))
    if phrase.certainty is Certainty.CERTAIN:
        assert phrase.label in reading.labels, reading.hits
    taken = parts(text)
    seen = canvas(text, taken.signature if phrase.place is Place.SIGNATURE else taken.own)
    assert phrase.matcher.found(seen), "another phrase of the label found it: move the sentence there"


@pytest.mark.parametrize(
    ("phrase", "text"), [(p, text) for p in BOOK.phrases for text in p.no], ids=lambda v: getattr(v, "id", None)
)
def test_each_phrase_leaves_its_counter_examples(phrase, text):
    assert phrase.label not in labels(text)


def test_each_phrase_has_both_kinds_of_sentences():
    assert [phrase.id for phrase in BOOK.phrases if not (phrase.yes and phrase.no)] == []


@pytest.mark.parametrize(
    "text",
    [
        "If this is not fixed by Friday we will cancel our subscription.",
        "kalau tidak beres minggu ini, kami pindah ke kompetitor",
    ],
)
def test_a_conditional_threat_is_a_threat(text):
    assert labels(text) == ("churn_threat",)


def test_a_hypothetical_is_possible_at_most():
    reading = read(BOOK, Message(body="If we ever wanted to cancel our subscription, how does it work?"))
    assert reading.labels == ()
    assert set(reading.certainty.values()) == {Certainty.POSSIBLE}


def test_a_hit_shows_its_place():
    body = "Selamat pagi.\n\nKami akan memutus kontrak bulan depan."
    (hit,) = read(BOOK, Message(body=body)).hits
    assert body[hit.span.start : hit.span.end] == hit.text
    assert "memutus kontrak" in hit.text


def test_the_subject_of_an_answer_is_only_a_hint():
    assert read(BOOK, Message("Cancel our subscription", "Please see attached.")).labels == ("churn_threat",)
    answered = read(BOOK, Message("Re: Cancel our subscription", "Thanks, noted."))
    assert answered.labels == ()
    assert answered.certainty == {"churn_threat": Certainty.POSSIBLE}


def test_the_writers_title_counts_only_with_a_complaint():
    assert labels("This is unacceptable, nobody answers.", title="Chief Executive Officer") == ("executive_complaint",)
    assert labels("Please send the price list.", title="Chief Executive Officer") == ()


def test_what_is_cut_is_reported_and_not_read():
    reading = read(BOOK, Message(body="a " * (MOST_CHARACTERS // 2) + "we will cancel our subscription"))
    assert reading.labels == ()
    assert reading.cut == len("we will cancel our subscription")


def test_amounts_come_only_from_what_the_customer_wrote():
    reading = read(BOOK, Message("Rp 5 juta", "Tagihan Rp 12,5 juta.\n\n> Rp 99 juta"))
    assert [(found.field, int(found.amount.amount)) for found in reading.amounts] == [
        ("subject", 5_000_000),
        ("body", 12_500_000),
    ]


def test_a_case_becomes_evidence():
    case = Case(
        RecordId("500"),
        AccountId("A"),
        "Kontrak",
        "Kami tidak akan memperpanjang kontrak.",
        opened_at=datetime(2025, 1, 1, tzinfo=UTC),
    )
    ref = RecordRef(RecordKind.CASE, "500")
    (hit,) = case_hits(BOOK, case, ref)
    assert case_hits(BOOK, replace(case, author=Author.AGENT), ref) == ()
    assert (hit.trigger, hit.ref, hit.field, hit.certainty) == ("churn_threat", ref, "body", Certainty.CERTAIN)


@pytest.mark.parametrize(
    "piece",
    [
        "if we ",
        "not ",
        "kalau ",
        "cancel our ",
        "(",
        "<div",
        "> ",
        "On Mon wrote:\n",
        "lawyer\n",
        "\n",
        "we will cancel our contract. ",
        "a.b@",
        "Rp 1.",
        "&#39;",
        "tidak akan ",
        "1,",
    ],
)
def test_evil_inputs_are_answered(piece):
    read(BOOK, Message(piece * 400, piece * (MOST_CHARACTERS // len(piece)), "email"))


@settings(max_examples=60)
@given(st.text(max_size=300), st.text(max_size=300), st.sampled_from(["email", "chat", "note", ""]))
def test_any_text_is_read_and_every_hit_lies_in_its_field(subject, body, channel):
    for hit in read(BOOK, Message(subject, body, channel)).hits:
        field = {"subject": subject, "body": body}[hit.field]
        assert field[hit.span.start : hit.span.end] == hit.text != ""


@given(st.integers(0, 6), st.integers(0, 6))
def test_blank_lines_and_case_change_nothing(before, after):
    text = "KAMI AKAN MEMUTUS KONTRAK BULAN DEPAN."
    assert labels("\n" * before + text + "\n" * after) == labels(text.lower()) == ("churn_threat",)


GOOD = "words: {w: 'a|b'}\nphrases:\n- {id: p, label: churn_threat, patterns: ['{w} x'], yes: [a x], no: [y]}\n"


def faults(tmp_path, pack):
    (tmp_path / "p.yaml").write_text(pack, encoding="utf-8")
    with pytest.raises(PhraseBookError) as caught:
        load(tmp_path)
    return [fault.replace(f"{tmp_path}/", "") for fault in caught.value.faults]


def test_a_small_pack_loads(tmp_path):
    (tmp_path / "p.yaml").write_text(GOOD, encoding="utf-8")
    assert read(load(tmp_path), Message(body="so b   x then")).labels == ("churn_threat",)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("churn_threat", "churn"), "p.yaml:3:18: 'churn' is no trigger"),
        (("'{w} x'", "'(x'"), "p.yaml:3:43: missing ): (x"),
        (("'{w} x'", "'{v} x'"), "p.yaml:3:43: the words 'v' are defined in no pack"),
        (("yes: [a x], ", ""), "p.yaml:3:3: p lacks yes"),
        (("yes:", "yess: [a], yes:"), "p.yaml:3:53: 'yess' is unknown"),
        (("no: [y]}", "no: [y], certainty: sure}"), "certainty 'sure' is unknown: use certain, possible"),
        (("no: [y]}", "no: [y], with: '{nothing}'}"), "the words 'nothing' are defined in no pack"),
        (("no: [y]}", "no: [y], without: '(x'}"), "missing )"),
        (("no: [y]}", "no: [y], within: reach}"), "within 'reach' is unknown: use sentence, neighbours, text"),
        (("no: [y]}", "no: [y], ignores: [all]}"), "'all' is no kind of guard"),
        (("words:", "wordz:"), "p.yaml:1:1: 'wordz' is unknown"),
        (("no: [y]}", "no: [y]"), "p.yaml:"),
        (("'a|b'", "'{w}'"), "the words 'w' stand for themselves"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, change, fault):
    found = faults(tmp_path, GOOD.replace(*change))
    assert any(fault in one for one in found), found


def test_every_fault_is_named_at_once(tmp_path):
    broken = GOOD.replace("churn_threat", "churn").replace("'{w} x'", "'(x'")
    assert len(faults(tmp_path, broken)) == 2
    assert faults(tmp_path, GOOD + "- {id: p, label: churn_threat, patterns: [x], yes: [x], no: [y]}\n") == [
        "p.yaml:4:8: the id 'p' is used twice: rename one"
    ]


def test_a_folder_without_packs_is_a_fault(tmp_path):
    with pytest.raises(PhraseBookError, match="no phrase packs"):
        load(tmp_path)
