"""The worker's own sentences in another language, by a catalogue: English form to translated form.

What the core says of evidence and events is English and stands so in the trail. A form's names match as little as they
can, on a linear engine: a customer's words are in there. What no form fits stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import re2

from worker.documents import Document, Fault, FaultyDocumentError, read_document
from worker.parsed import KeyPath, shown

_NAME = re.compile(r"\\\{([a-z]+)\\\}")
_SLOT = re.compile(r"\{([a-z]+)\}")
_END = r"(?:(?P<gap>[;.]? +|; )|$)"
_BREAK = re.compile(r"(?<=[.?!;]) +")
_TRANSLATED = "more"
"""A name whose value is a sentence of its own; and one whose value is a list of words."""
_LIST = "list"
_LONGEST = 4_000


@dataclass(frozen=True, slots=True)
class _Form:
    pattern: re2._Regexp
    translated: str


class Translation:
    """One language's catalogue. Without a file everything stays English."""

    def __init__(self, forms: Mapping[str, str] | None = None, words: Mapping[str, str] | None = None) -> None:
        longest_first = sorted((forms or {}).items(), key=lambda form: -len(_NAME.sub("", re.escape(form[0]))))
        self._forms = tuple(_Form(_compiled(english), other) for english, other in longest_first)
        self._words = dict(words or {})

    def __call__(self, text: str) -> str:
        """The text, sentence by sentence."""
        told, rest = list[str](), text[:_LONGEST]
        while self._forms and rest:
            piece, rest = self._next(rest)
            told.append(piece)
        return "".join(told) + rest + text[_LONGEST:]

    def _next(self, text: str) -> tuple[str, str]:
        for form in self._forms:
            found = form.pattern.match(text)
            if found:
                values = {name: self._value(name, value) for name, value in found.groupdict().items() if name != "gap"}
                told = _SLOT.sub(lambda slot: values.get(slot[1], slot[0]), form.translated)  # noqa: B023  used at once
                return told + (found["gap"] or ""), text[found.end() :]
        cut = _BREAK.search(text)
        return (text, "") if cut is None else (text[: cut.end()], text[cut.end() :])

    def _value(self, name: str, value: str) -> str:
        if name == _TRANSLATED:
            return self(value)
        listed = value.split(", ") if name == _LIST else [value]
        return ", ".join(self._words.get(each, each) for each in listed)


def _compiled(english: str) -> re2._Regexp:
    names = _NAME.sub(r"(?P<\1>.+?)", re.escape(english))
    for whole in (_TRANSLATED, _LIST):
        names = names.replace(f"(?P<{whole}>.+?)", f"(?P<{whole}>.+)")
    return re2.compile("(?s)^" + names + _END)


def load_translation(path: Path) -> Translation:
    """The catalogue at `path`. Raises FaultyDocumentError for a file that is not YAML of this form."""
    if not path.is_file():
        return Translation()
    document = read_document(path)
    faults: list[Fault] = []
    tables = {name: _texts(document, (name,), faults) for name in ("sentences", "words")}
    if not isinstance(document.value, (dict, type(None))):
        faults.append(document.fault((), f"the keys sentences and words are needed, not {shown(document.value)}"))
    if faults:
        raise FaultyDocumentError(faults)
    return Translation(tables["sentences"], tables["words"])


def _texts(document: Document, at: KeyPath, faults: list[Fault]) -> dict[str, str]:
    table = document.value.get(at[0]) if isinstance(document.value, dict) else None
    if table is not None and not isinstance(table, dict):
        faults.append(document.fault(at, f"English texts with their translations are needed, not {shown(table)}"))
    pairs = table if isinstance(table, dict) else {}
    faults.extend(
        document.fault((*at, key), f"a text is needed, not {shown(value)}")
        for key, value in pairs.items()
        if not isinstance(value, str)
    )
    return {key: str(value) for key, value in pairs.items()}
