"""Just enough SOQL for the stub: comparisons, IN, AND, OR, parentheses, ORDER BY. Anything else is an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

Record = dict[str, Any]
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:\\.|[^'\\])*')|(?P<time>\d{4}-\d\d-\d\dT[\d:.]+Z)|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][\w.]*)|(?P<sign>>=|<=|!=|[=<>(),]))"
)
_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class MalformedQueryError(Exception):
    """Not SOQL that the stub knows."""


def parsed(text: str) -> tuple[list[str], str, Callable[[Record], bool], list[str]]:
    """Fields, object, condition, order."""
    found = re.fullmatch(
        r"SELECT (.+?) FROM (\w+)(?: WHERE (.+?))?(?: ORDER BY (.+?))?(?: LIMIT \d+)?", text, re.DOTALL
    )
    if found is None:
        raise MalformedQueryError(text)
    order = [each.split()[0] for each in found[4].split(", ")] if found[4] else []
    condition = _Condition(found[3]).whole() if found[3] else lambda _: True
    return found[1].split(", "), found[2], condition, order


def value_of(record: Record, path: str) -> Any:
    for step in path.split("."):
        record = (record or {}).get(step)  # type: ignore[assignment]
    return record


def comparable(value: Any) -> Any:
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return datetime.fromisoformat(value)
    return value


class _Condition:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                raise MalformedQueryError(text[place:])
            self.tokens.append((str(found.lastgroup), found[found.lastgroup or 0]))
            place = found.end()
        self.at = 0

    def whole(self) -> Callable[[Record], bool]:
        made = self.either()
        if self.at != len(self.tokens):
            raise MalformedQueryError(str(self.tokens[self.at :]))
        return made

    def next_is(self, *words: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at][1].upper() in words:
            self.at += 1
            return True
        return False

    def either(self) -> Callable[[Record], bool]:
        parts = [self.both()]
        while self.next_is("OR"):
            parts.append(self.both())
        return lambda record: any(part(record) for part in parts)

    def both(self) -> Callable[[Record], bool]:
        parts = [self.one()]
        while self.next_is("AND"):
            parts.append(self.one())
        return lambda record: all(part(record) for part in parts)

    def one(self) -> Callable[[Record], bool]:
        if self.next_is("("):
            inner = self.either()
            self.expect(")")
            return inner
        kind, name = self.tokens[self.at]
        if kind != "word":
            raise MalformedQueryError(name)
        self.at += 1
        if self.next_is("IN"):
            self.expect("(")
            values = [self.value()]
            while self.next_is(","):
                values.append(self.value())
            self.expect(")")
            return lambda record: comparable(value_of(record, name)) in values
        sign = self.tokens[self.at][1]
        self.at += 1
        value = self.value()
        return lambda record: _compared(comparable(value_of(record, name)), sign, value)

    def expect(self, word: str) -> None:
        if not self.next_is(word):
            raise MalformedQueryError(f"{word} expected")

    def value(self) -> Any:
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "text":
            return re.sub(r"\\(.)", lambda found: _UNESCAPED.get(found[1], found[1]), text[1:-1], flags=re.DOTALL)
        if kind == "time":
            return datetime.fromisoformat(text)
        if kind == "number":
            return float(text)
        return {"true": True, "false": False, "null": None}[text]


def _compared(left: Any, sign: str, right: Any) -> bool:
    if sign in ("=", "!="):
        return (left == right) == (sign == "=")
    if left is None or right is None:
        return False
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[sign]
