"""Sentences of the worker in Indonesian: each form for itself, and what no form fits stays as it is."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from worker.documents import read_document
from worker.translation import Translation, load_translation

PATH = Path(__file__).parent.parent.parent / "config/templates/id/sentences.yaml"
TABLE = read_document(PATH).value
FORMS: dict[str, str] = TABLE["sentences"]
INDONESIAN = load_translation(PATH)


def filled(form: str) -> str:
    return re.sub(r"\{[a-z]+\}", "X1", form)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_translated_by_itself_and_keeps_what_changes(form: str) -> None:
    assert INDONESIAN(filled(form)) == filled(FORMS[form])
    assert sorted(re.findall(r"\{[a-z]+\}", FORMS[form])) == sorted(re.findall(r"\{[a-z]+\}", form))


def test_sentences_in_a_row_and_known_words() -> None:
    english = "The health score is red, score 12. Case C1 (“The CRM says: x.”) is filed as security incident."

    assert INDONESIAN(english) == (
        "Skor kesehatan merah, nilai 12. Kasus C1 (“The CRM says: x.”) tercatat sebagai insiden keamanan."
    )


def test_what_no_form_fits_stays_and_the_rest_goes_on() -> None:
    assert INDONESIAN("Something else. The evidence is gone.") == "Something else. Tanda sudah hilang."
    assert INDONESIAN("the snooze ends early: The health score is red.") == (
        "penundaan berakhir lebih awal: Skor kesehatan merah."
    )
    assert Translation()("The evidence is gone.") == "The evidence is gone."


def test_a_customers_words_are_no_form_and_cost_no_time() -> None:
    began = time.process_time()
    hostile = "In case C1 (“" + "a (“ the customer wrote “" * 3000 + "{id.__class__}”)."

    assert "{id.__class__}" in INDONESIAN(hostile)
    assert time.process_time() - began < 5
