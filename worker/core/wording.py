"""What a case says, as words that can be compared: what the customer wrote now, each word in one form.

Greetings, signatures, quoted mail and words that every text has are left out. Words of any support case ("error",
"login", "invoice") are kept apart: they may agree, but never speak for a likeness.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from worker.core import markup
from worker.core.model import Author, Case
from worker.core.ordinary_words import ENGLISH, IN_ANY_CASE, IN_EVERY_TEXT
from worker.core.phrases import MOST_CHARACTERS, customer_parts
from worker.core.stems import stem

MOST_WORDS = 60
"""So many different words of one case are compared: a bug is said in the beginning, not in an attached log."""

_WORD = re.compile(r"\d+(?:[.,:/-]\d+)+|[^\W_]+")
_SHORT, _LONGEST = 4, 24
_STATUS_CODE = 3
"""Digits: of a bare number only what looks like an error's code tells something, such as 500; no date, no amount."""


def _stemmed(word: str) -> str:
    stemmed = stem(word)
    return stemmed.removesuffix("e") if len(stemmed) > _SHORT else stemmed


def _stems(words: str) -> frozenset[str]:
    return frozenset(_stemmed(word) for word in words.split())


def _pairs(words: str) -> dict[str, str]:
    each = iter(words.split())
    return {_stemmed(one): _stemmed(other) for one, other in zip(each, each, strict=True)}


_DROPPED, _GENERIC, _SAME = _stems(IN_EVERY_TEXT), _stems(IN_ANY_CASE), _pairs(ENGLISH)


@dataclass(frozen=True, slots=True)
class Wording:
    """The different words of a case, each in one form, in the order in which they come: of its subject, and of all."""

    subject: tuple[str, ...]
    whole: tuple[str, ...]


def wording(case: Case) -> Wording | None:
    """The words of what the customer wrote; None where nobody but us or a machine wrote."""
    said = _said(case)
    if said is None:
        return None
    subject = [word for word, _ in _words(case.subject)]
    whole = [*subject, *(word for word, _ in _words(said))]
    named = {word for word, _ in _words(case.product)}
    return Wording(_once(subject, named), _once(whole, named))


def _once(words: Iterable[str], named: Container[str]) -> tuple[str, ...]:
    """Each word once. The product's own name is left out: that cases name the same product is asked by itself."""
    return tuple(dict.fromkeys(word for word in words if word not in named))[:MOST_WORDS]


def written(case: Case, wanted: Iterable[str]) -> tuple[str, ...]:
    """How this case writes these words."""
    forms: dict[str, str] = {}
    for word, form in _words(f"{case.subject}\n{_said(case) or ''}"):
        forms.setdefault(word, form)
    return tuple(forms[word] for word in wanted if word in forms)


def telling(word: str) -> bool:
    """Whether two cases that share this word share more than being cases."""
    return word not in _GENERIC


def _said(case: Case) -> str | None:
    if case.author is not Author.CUSTOMER:
        return None
    body = case.text[:MOST_CHARACTERS]
    taken = customer_parts(case.subject[:MOST_CHARACTERS], body, case.channel)
    if taken is None:
        return None
    plain = markup.without_tags(body)
    return "\n".join(plain[span.start : span.end] for span in taken.own)


def _words(text: str) -> Iterator[tuple[str, str]]:
    """Each word that may tell something: the form in which it is compared, and as it is written."""
    for found in _WORD.finditer(text[:MOST_CHARACTERS]):
        form = found.group().casefold()
        word = _form(form)
        if word:
            yield word, form


@lru_cache(65_536)
def _form(word: str) -> str:
    """The form in which a word is compared, empty for one that tells nothing."""
    if word.isdecimal():
        return word if len(word) == _STATUS_CODE and word[0] != "0" else ""
    if not (1 < len(word) <= _LONGEST and any(each.isalpha() for each in word)):
        return ""
    stemmed = _stemmed(word)
    return "" if stemmed in _DROPPED or len(stemmed) < 2 else sys.intern(_SAME.get(stemmed, stemmed))
