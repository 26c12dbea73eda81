"""Phrase packs from `config/phrases/*.yaml`. How a pattern is written stands in `worker/patterns.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import re2
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from worker import weights
from worker.core.book import Company, Guard, GuardKind, Phrase, PhraseBook, Place, Scope, Within
from worker.core.model import BUILT_IN_TRIGGERS, Certainty, TriggerId
from worker.core.vocabulary import Weights
from worker.documents import FaultyDocumentError, read_document
from worker.patterns import BLANK_IN_PHRASE, FORMS, Expression, PatternError, compiled, expand, sieve

_TOP = {"words", "guards", "phrases"}
_PHRASE = {"id", "label", "certainty", "place", "with", "without", "within", "ignores", "patterns", "yes", "no"}
_GUARD = {"id", "kind", "scope", "effect", "labels", "patterns", "unless"}
_NEEDED_PHRASE = ("id", "label", "patterns", "yes", "no")
_NEEDED_GUARD = ("id", "kind", "scope", "effect", "patterns")
_Choice = TypeVar("_Choice", Certainty, Place, GuardKind, Scope, Within)


class PhraseBookError(ValueError):
    """The packs can't be used; `faults` names every fault as `file:line:column: what is wrong and what to do`."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(slots=True)
class _Shelf:
    """What has been read so far, and every fault."""

    words: dict[str, str] = field(default_factory=dict)
    phrases: list[Phrase] = field(default_factory=list)
    expressions: list[str] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def load(folder: Path) -> PhraseBook:
    """All `*.yaml` packs of `folder` as one book; PhraseBookError with every fault of every pack."""
    shelf = _Shelf()
    packs = [(path, pack) for path in sorted(folder.glob("*.yaml")) if (pack := _document(path, shelf)) is not None]
    if not packs and not shelf.faults:
        shelf.faults.append(f"{folder}: no phrase packs (*.yaml) here: name the folder that holds them")
    for path, pack in packs:
        _read_words(path, pack, shelf)
    for path, pack in packs:
        _each(path, pack, "guards", shelf, _guard)
        _each(path, pack, "phrases", shelf, _phrase)
    learned = _weights(folder / weights.NAME, shelf)
    if shelf.faults:
        raise PhraseBookError(shelf.faults)
    return PhraseBook(tuple(shelf.phrases), tuple(shelf.guards), sieve(shelf.expressions), learned)


def _weights(path: Path, shelf: _Shelf) -> Weights | None:
    try:
        return weights.load(path) if path.exists() else None
    except (weights.WeightsError, OSError, UnicodeDecodeError) as error:
        shelf.faults.append(str(error))
        return None


def _document(path: Path, shelf: _Shelf) -> CommentedMap | None:
    try:
        pack = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else f"{path}:1:1"
        shelf.faults.append(f"{where}: {error.problem or 'this is no YAML'}: correct the file")
        return None
    except (OSError, ValueError, TypeError, YAMLError, RecursionError, LookupError, NotImplementedError) as error:
        shelf.faults += _unreadable(path, error)
        return None
    if not isinstance(pack, CommentedMap):
        shelf.faults.append(f"{path}:1:1: a pack is a mapping with words, guards and phrases")
        return None
    shelf.faults += [
        f"{_at_key(path, pack, key)}: {key!r} is unknown: use {', '.join(sorted(_TOP))}"
        for key in pack
        if key not in _TOP
    ]
    return pack


def _unreadable(path: Path, error: Exception) -> list[str]:
    """Why a pack is no YAML at all, in the words of the stricter reader, which knows the place."""
    try:
        read_document(path)
    except FaultyDocumentError as refused:
        return [str(each) for each in refused.faults]
    return [f"{path}:1:1: can't be read ({type(error).__name__}): correct the file"]


def _read_words(path: Path, pack: CommentedMap, shelf: _Shelf) -> None:
    words = pack.get("words")
    if words is not None and not isinstance(words, CommentedMap):
        shelf.faults.append(f"{_at(path, pack, 'words')}: words must be names with their texts")
    for name in words if isinstance(words, CommentedMap) else ():
        if name in shelf.words:
            shelf.faults.append(f"{_at(path, words, name)}: the words {name!r} are defined twice: rename one")
        try:
            shelf.words[name] = "(?:" + "|".join(_texts(words, name)) + ")"
        except PatternError as fault:
            shelf.faults.append(f"{_at(path, words, name)}: {fault}")


def _each(path: Path, pack: CommentedMap, section: str, shelf: _Shelf, read: Callable[[_Entry], None]) -> None:
    entries = pack.get(section)
    if entries is None:
        return
    if not isinstance(entries, CommentedSeq):
        shelf.faults.append(f"{_at(path, pack, section)}: {section} must be a list")
        return
    for number, entry in enumerate(entries):
        if not isinstance(entry, CommentedMap):
            shelf.faults.append(f"{_at(path, entries, number)}: each of {section} must be a mapping")
            continue
        read(_Entry(path, entry, shelf))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One phrase or guard as written, that notes its faults where they stand."""

    path: Path
    source: CommentedMap
    shelf: _Shelf

    def fault(self, key: str, text: str) -> None:
        self.shelf.faults.append(f"{_at(self.path, self.source, key)}: {text}")

    def check_keys(self, known: set[str], needed: Sequence[str]) -> bool:
        for key in self.source:
            if key not in known:
                place = _at_key(self.path, self.source, key)
                self.shelf.faults.append(f"{place}: {key!r} is unknown: use {', '.join(sorted(known))}")
        missing = [key for key in needed if not self.source.get(key)]
        if missing:
            self.fault("", f"{self.source.get('id', 'this entry')} lacks {', '.join(missing)}: add it")
        identity = str(self.source.get("id", ""))
        if identity in self.shelf.ids:
            self.fault("id", f"the id {identity!r} is used twice: rename one")
        self.shelf.ids.add(identity)
        return not missing

    def choice(self, key: str, kind: type[_Choice], default: _Choice) -> _Choice:
        value = self.source.get(key, default.value)
        try:
            return kind(value)
        except ValueError:
            self.fault(key, f"{key} {value!r} is unknown: use {', '.join(kind)}")
            return default

    def texts(self, key: str) -> tuple[str, ...]:
        try:
            return _texts(self.source, key) if key in self.source else ()
        except PatternError as fault:
            self.fault(key, str(fault))
            return ()

    def labels(self, key: str) -> frozenset[TriggerId]:
        values = self.texts(key)
        for value in values:
            if value not in BUILT_IN_TRIGGERS:
                self.fault(key, f"{value!r} is no trigger: use {', '.join(BUILT_IN_TRIGGERS)}")
        return frozenset(TriggerId(value) for value in values)

    def expression(self, key: str, form: str, blank: str = "[ ]+") -> tuple[str, Expression | None]:
        plain = [self.plain(key, number, pattern, blank) for number, pattern in enumerate(self.texts(key))]
        expanded = [text for text in plain if text]
        if not expanded:
            return "", None
        whole = form.format("(?:" + "|".join(expanded) + ")")
        return whole, Expression(compiled(whole))

    def single(self, key: str, number: int, pattern: str) -> Expression | None:
        text = self.plain(key, number, pattern, "[ ]+")
        return Expression(compiled(FORMS[Scope.TEXT].format(f"(?:{text})"))) if text else None

    def plain(self, key: str, number: int, pattern: str, blank: str) -> str:
        """One pattern in plain RE2 syntax; empty, and its fault noted, where it has one."""
        try:
            text = expand(pattern, self.shelf.words, blank)
            compiled(text)
        except (PatternError, re2.error) as error:
            values = self.source[key]
            place = (
                _at(self.path, values, number) if isinstance(values, CommentedSeq) else _at(self.path, self.source, key)
            )
            self.shelf.faults.append(f"{place}: {_reason(error)}: correct the pattern {pattern!r}")
            return ""
        return text


def _guard(entry: _Entry) -> None:
    if not entry.check_keys(_GUARD, _NEEDED_GUARD):
        return
    scope = entry.choice("scope", Scope, Scope.SENTENCE)
    effect = entry.source["effect"]
    if effect not in ("drop", "weaken"):
        entry.fault("effect", f"effect {effect!r} is unknown: use drop or weaken")
    _, matcher = entry.expression("patterns", FORMS[scope])
    _, unless = entry.expression("unless", FORMS[Scope.SENTENCE])
    kind = entry.choice("kind", GuardKind, GuardKind.NEGATION)
    labels = entry.labels("labels")
    if matcher is not None:
        weaker = Certainty.POSSIBLE if effect == "weaken" else None
        entry.shelf.guards.append(Guard(str(entry.source["id"]), kind, scope, weaker, labels, matcher, unless))


def _phrase(entry: _Entry) -> None:
    if not entry.check_keys(_PHRASE, _NEEDED_PHRASE):
        return
    labels = entry.labels("label")
    certainty = entry.choice("certainty", Certainty, Certainty.CERTAIN)
    place = entry.choice("place", Place, Place.OWN)
    whole, matcher = entry.expression("patterns", FORMS[Scope.SENTENCE], BLANK_IN_PHRASE)
    company = Company(
        entry.choice("within", Within, Within.SENTENCE), _matchers(entry, "with"), _matchers(entry, "without")
    )
    ignores = frozenset(GuardKind(name) for name in entry.texts("ignores") if _known_kind(entry, name))
    if matcher is None or not labels:
        return
    entry.shelf.expressions.append(whole)
    entry.shelf.phrases.append(
        Phrase(
            str(entry.source["id"]),
            min(labels),
            certainty,
            matcher,
            place,
            company,
            ignores,
            entry.texts("yes"),
            entry.texts("no"),
        )
    )


def _matchers(entry: _Entry, key: str) -> tuple[Expression, ...]:
    found = (entry.single(key, number, pattern) for number, pattern in enumerate(entry.texts(key)))
    return tuple(one for one in found if one is not None)


def _known_kind(entry: _Entry, name: str) -> bool:
    if name in set(GuardKind):
        return True
    entry.fault("ignores", f"{name!r} is no kind of guard: use {', '.join(GuardKind)}")
    return False


def _texts(source: CommentedMap, key: str) -> tuple[str, ...]:
    value = source[key]
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise PatternError(f"{key} must be a text or a list of texts")
    return tuple(str(text) for text in texts)


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _at_key(path: Path, source: CommentedMap, key: str) -> str:
    line, column = source.lc.key(key)
    return f"{path}:{line + 1}:{column + 1}"


def _at(path: Path, source: CommentedMap | CommentedSeq, key: str | int) -> str:
    try:
        line, column = source.lc.value(key) if isinstance(key, str) and key in source else source.lc.item(key)
    except (KeyError, AttributeError, TypeError, IndexError):
        line, column = source.lc.line, source.lc.col
    return f"{path}:{line + 1}:{column + 1}"
