"""Patterns of the phrase packs, compiled with google-re2: linear in the text, whatever the pattern.

A pattern is RE2 syntax over lower-case text with three conveniences: `{name}` stands for an entry of `words` of any
pack, a blank for one or more blanks (in a phrase also after a comma), ` ?` for any number of blanks, an apostrophe for
any number of them, none included. It matches whole words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import re2

from worker.core.book import Scope

_MACRO = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_BLANK = re.compile(r" (\?)?(?![^\[\]]*\])")
_MEMORY = 256 << 20

BLANK_IN_PHRASE = "[,:;]*[ ]+"
"""What a blank of a phrase stands for; guards stay on this side of a comma."""

FORMS = {
    Scope.BEFORE: r"(?:^|\b){}[ ,]*$",
    Scope.AFTER: r"^[ ,]*{}(?:\b|$)",
    Scope.INSIDE: r"\b{}(?:\b|$)",
    Scope.SENTENCE: r"\b{}(?:\b|$|\W)",
    Scope.TEXT: r"\b{}(?:\b|$|\W)",
}


class PatternError(ValueError):
    """A pattern names words that no pack defines, or that stand for themselves."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled pattern as the core wants it."""

    pattern: re2._Regexp

    def spans(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Every match, in order."""
        return (match.span() for match in self.pattern.finditer(text))

    def found(self, text: bytes) -> bool:
        """Whether there is any match."""
        return self.pattern.search(text) is not None


@dataclass(frozen=True, slots=True)
class AllPhrases:
    """All patterns at once: which of them match anywhere."""

    phrases: re2.Set

    def candidates(self, text: bytes) -> Sequence[int]:
        """The numbers of those that match."""
        return sorted(self.phrases.Match(text) or ())


def expand(pattern: str, words: Mapping[str, str], blank: str = "[ ]+") -> str:
    """`pattern` in plain RE2 syntax; PatternError for words that can't be filled in."""
    plain = _without_names(pattern, words).replace(r"[^ \n]", r"\S")
    return _BLANK.sub(lambda match: "[ ]*" if match[1] else blank, plain).replace("'", "'*")


def _without_names(pattern: str, words: Mapping[str, str], depth: int = 0) -> str:
    def replaced(match: re.Match[str]) -> str:
        if match[1] not in words:
            raise PatternError(f"the words {match[1]!r} are defined in no pack")
        if depth > 8:
            raise PatternError(f"the words {match[1]!r} stand for themselves")
        return _without_names(words[match[1]], words, depth + 1)

    return _MACRO.sub(replaced, pattern)


def compiled(pattern: str) -> re2._Regexp:
    """`pattern` compiled; re2.error or PatternError says what is wrong with it."""
    if not pattern.isascii():
        odd = next(character for character in pattern if not character.isascii())
        raise PatternError(f"{odd!r} never matches: texts are compared without accents, in plain letters")
    return re2.compile(pattern.encode("ascii"), _options())


def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MEMORY
    return options


def sieve(expressions: Sequence[str]) -> AllPhrases:
    """A sieve that numbers `expressions` in their order."""
    phrases = re2.Set.SearchSet(_options())
    for expression in expressions:
        phrases.Add(expression.encode("ascii"))
    phrases.Compile()
    return AllPhrases(phrases)
