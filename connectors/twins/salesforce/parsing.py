"""SOQL as text -> a query as values. Grammar: "SOQL SELECT Syntax" and its pages of the SOQL and SOSL Reference.

As there, AND and OR do not mix without parentheses, NOT takes one condition, and dates stand without quotes. What the
vendor knows beyond this part (subqueries, GROUP BY, functions, aliases, date literals) is refused as TWIN_SUBSET.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from connectors.twins.salesforce.errors import RefusedError, beyond
from connectors.twins.salesforce.soql import All, Any, Condition, Literal, Money, Not, Order, Select, Term, refused
from connectors.twins.salesforce.values import day, moment

LONGEST = 100_000
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>'(?:[^'\\]|\\.)*')
  | (?P<moment>\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:?\d\d)?)
  | (?P<date>\d{4}-\d\d-\d\d)
  | (?P<money>[A-Z]{3}\d+(?:\.\d+)?)(?![\w.])
  | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<name>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*(?::\d+)?)
  | (?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,)
  | (?P<bad>\S)
  | (?P<end>$)
  )""",
    re.VERBOSE,
)
_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "b": "\b",
    "f": "\f",
    '"': '"',
    "'": "'",
    "\\": "\\",
    "_": "\\_",
    "%": "\\%",
}
_BEYOND = frozenset({"GROUP", "HAVING", "FOR", "USING", "TYPEOF", "FIELDS", "WITH", "ALL", "UPDATE"})
_RESERVED = frozenset(
    {"AND", "OR", "NOT", "IN", "LIKE", "ORDER", "LIMIT", "OFFSET", "WHERE", "FROM", "SELECT", "NULLS"}
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "name" else self.text


def parse(text: str) -> Select:
    """Read a query. Raises RefusedError with MALFORMED_QUERY for what the grammar does not allow."""
    if len(text) > LONGEST:
        raise RefusedError("MALFORMED_QUERY", f"SOQL statements cannot be longer than {LONGEST} characters.")
    return _Parser(text).select()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.place = 0

    def select(self) -> Select:
        self.expect("SELECT")
        fields, count = self._selection()
        self.expect("FROM")
        named = self.name("from")
        if self.now.kind == "name" and self.now.word not in _RESERVED | _BEYOND:
            raise beyond("an alias after FROM")
        where = self._condition() if self.skip("WHERE") else None
        orders = self._orders() if self.skip("ORDER") else ()
        limit = self._whole("LIMIT") if self.skip("LIMIT") else None
        offset = self._whole("OFFSET") if self.skip("OFFSET") else 0
        if self.now.word in _BEYOND:
            raise beyond(self.now.word)
        if self.now.kind != "end":
            self.unexpected()
        return Select(self.text, named.text, named.at, fields, count, where, orders, limit, offset)

    def _selection(self) -> tuple[tuple[tuple[str, int], ...], bool]:
        if self.now.word == "COUNT" and self.peek().text == "(":
            self.place += 2
            if self.now.text != ")":
                raise beyond("COUNT(field)")
            self.place += 1
            return (), True
        fields = [self._field()]
        while self.skip(","):
            fields.append(self._field())
        return tuple((each.text, each.at) for each in fields), False

    def _field(self) -> _Token:
        if self.now.text == "(":
            raise beyond("a subquery in SELECT")
        named = self.name("select")
        if self.now.text == "(":
            raise beyond(f"the function {named.text}()")
        if self.now.kind == "name" and self.now.word not in _RESERVED:
            raise beyond("an alias in SELECT")
        return named

    def _condition(self) -> Condition:
        if self.skip("NOT"):
            return Not(self._simple())
        first = self._simple()
        if self.now.word not in ("AND", "OR"):
            return first
        joined, parts = self.now.word, [first]
        while self.skip(joined):
            parts.append(self._simple())
        if self.now.word in ("AND", "OR"):
            self.unexpected()
        return All(tuple(parts)) if joined == "AND" else Any(tuple(parts))

    def _simple(self) -> Condition:
        if self.skip("("):
            inside = self._condition()
            self.expect(")")
            return inside
        return self._term()

    def _term(self) -> Term:
        named = self.name("where")
        if self.now.text == "(":
            raise beyond(f"the function {named.text}()")
        operator = self._operator()
        at = self.now.at
        value = self._list() if operator in ("IN", "NOT IN") else self._literal()
        return Term(named.text, operator, value, named.at, at)

    def _operator(self) -> str:
        word = self.now.word
        if word in ("INCLUDES", "EXCLUDES"):
            raise beyond(word)
        if word == "NOT" and self.peek().word == "IN":
            self.place += 2
            return "NOT IN"
        if word not in ("=", "!=", "<>", "<", "<=", ">", ">=", "IN", "LIKE"):
            self.unexpected()
        self.place += 1
        return "!=" if word == "<>" else word

    def _list(self) -> tuple[Literal, ...]:
        self.expect("(")
        if self.now.word == "SELECT":
            raise beyond("a semi-join")
        values = [self._literal()]
        while self.skip(","):
            values.append(self._literal())
        self.expect(")")
        return tuple(values)

    def _literal(self) -> Literal:
        token = self.now
        value = self._value(token)
        self.place += 1
        return value

    def _value(self, token: _Token) -> Literal:
        if token.kind == "string":
            return _unquoted(self.text, token)
        if token.kind == "number":
            return Decimal(token.text)
        if token.kind == "money":
            return Money(token.text[:3], Decimal(token.text[3:]))
        if token.kind in ("moment", "date"):
            read = moment(token.text) if token.kind == "moment" else day(token.text)
            return read if read is not None else self.unexpected()
        return self._named_value(token)

    def _named_value(self, token: _Token) -> Literal:
        words: dict[str, Literal] = {"NULL": None, "TRUE": True, "FALSE": False}
        if token.word in words:
            return words[token.word]
        if re.fullmatch(r"(TODAY|YESTERDAY|TOMORROW|(LAST|NEXT|THIS)_\w+(:\d+)?)", token.word):
            raise beyond(f"the date literal {token.text}")
        return self.unexpected()

    def _orders(self) -> tuple[Order, ...]:
        self.expect("BY")
        orders = [self._order()]
        while self.skip(","):
            orders.append(self._order())
        return tuple(orders)

    def _order(self) -> Order:
        named = self.name("order")
        descending = self.skip("DESC")
        if not descending:
            self.skip("ASC")
        first = True
        if self.skip("NULLS"):
            first = self.skip("FIRST")
            if not first:
                self.expect("LAST")
        return Order(named.text, descending, first, named.at)

    def _whole(self, _: str) -> int:
        token = self.now
        if token.kind != "number" or not token.text.isdigit():
            self.unexpected()
        self.place += 1
        return int(token.text)

    @property
    def now(self) -> _Token:
        return self.tokens[self.place]

    def peek(self) -> _Token:
        return self.tokens[min(self.place + 1, len(self.tokens) - 1)]

    def skip(self, word: str) -> bool:
        found = self.now.word == word and self.now.kind in ("name", "sign")
        self.place += found
        return found

    def expect(self, word: str) -> None:
        if not self.skip(word):
            self.unexpected()

    def name(self, _: str) -> _Token:
        token = self.now
        if token.kind not in ("name", "money") or token.word in _RESERVED or ":" in token.text:
            self.unexpected()
        self.place += 1
        return token

    def unexpected(self) -> NoReturn:
        token = self.now
        shown = "<EOF>" if token.kind == "end" else token.text
        raise refused(self.text, token.at, "MALFORMED_QUERY", f"unexpected token: '{shown}'")


def _tokens(text: str) -> list[_Token]:
    tokens, place = [], 0
    while True:
        found = _TOKEN.match(text, place)
        assert found is not None
        kind = found.lastgroup or "end"
        token = _Token(kind, found.group(kind), found.start(kind))
        if kind == "bad":
            told = (
                f"unexpected token: '{token.text}'" if token.text != "'" else "line has an unterminated string literal"
            )
            raise refused(text, token.at, "MALFORMED_QUERY", told)
        tokens.append(token)
        if kind == "end":
            return tokens
        place = found.end()


def _unquoted(text: str, token: _Token) -> str:
    """Escapes for LIKE keep their backslash: the pattern reader needs it."""

    def plain(found: re.Match[str]) -> str:
        letter = found.group(1)
        if letter.lower() not in _ESCAPES:
            at = token.at + 1 + found.start()
            raise refused(text, at, "MALFORMED_QUERY", f"Invalid string literal: illegal escape sequence '\\{letter}'")
        return _ESCAPES[letter.lower()]

    return re.sub(r"\\(.)", plain, token.text[1:-1], flags=re.DOTALL)
