"""What the tables' modules build their statements with, once, when they are imported.

Building a statement costs ten times what running it does, so no function builds one of its own: values are bound by
name, a list of any length is one value, and a closed set of words is written out, so that a partial index is found.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Connection,
    CursorResult,
    Dialect,
    String,
    Table,
    TextClause,
    bindparam,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Texts(TypeDecorator[Sequence[str]]):
    """Texts as one bound value: JSON on SQLite, an array on PostgreSQL."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else ARRAY(String()))

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str | list[str]:
        texts = list(value or ())
        return json.dumps(texts) if dialect.name == "sqlite" else texts


class _Listed(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: object = None) -> _Listed:  # noqa: ARG002
        """As it is: SQLAlchemy would ask SQLite for `... = 1`, and then no index is used."""
        return self


@compiles(_Listed, "sqlite")
def _listed_as_json(element: _Listed, compiler: SQLCompiler, **_: object) -> str:
    column, values = (compiler.process(each) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608  both were compiled from columns and bound values


@compiles(_Listed, "postgresql")
def _listed_as_array(element: _Listed, compiler: SQLCompiler, **_: object) -> str:
    column, values = (compiler.process(each) for each in element.clauses)
    return f"{column} = ANY ({values})"


def listed(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """`column IN values`; the values are bound as one list of texts by this name."""
    return _Listed(column, bindparam(name, type_=_Texts()))


class InWords:
    """A question that each database is asked in its own words; `:ids` in them is one bound list of texts."""

    def __init__(self, *, sqlite: str, postgresql: str) -> None:
        ids = bindparam("ids", type_=_Texts())
        said = {"sqlite": sqlite, "postgresql": postgresql}
        self._made = {dialect: text(words).bindparams(ids) for dialect, words in said.items()}

    def on(self, tx: Connection) -> TextClause:
        """The statement for this database."""
        return self._made[tx.dialect.name]


def one_of(column: ColumnElement[str], words: Iterable[StrEnum]) -> ColumnElement[bool]:
    """`column IN words`, with the words written out."""
    return column.in_([literal_column(f"'{word.value}'") for word in words])


_MAKERS: Mapping[str, Callable[[Table], Any]] = {"sqlite": sqlite_insert, "postgresql": pg_insert}


class Insert:
    """An insert with a rule for the row that is there already; each database has its own words for it."""

    def __init__(self, table: Table, names: Sequence[str], rule: Callable[[Any], Any]) -> None:
        values: dict[str, object] = {name: bindparam(name) for name in names}
        self._made = {dialect: rule(make(table).values(values)) for dialect, make in _MAKERS.items()}

    def on(self, tx: Connection) -> Any:
        """The statement for this database."""
        return self._made[tx.dialect.name]


def upsert(table: Table, keys: Sequence[str], changed: Sequence[str], kept: Sequence[str] = ()) -> Insert:
    """Insert a row, or change some columns of the one that is there; `kept` are set by the first insert only."""

    def change(statement: Any) -> Any:
        fresh = {name: statement.excluded[name] for name in changed}
        return statement.on_conflict_do_update(index_elements=list(keys), set_=fresh)

    return Insert(table, (*keys, *changed, *kept), change)


def add_rows(
    tx: Connection,
    table: Table,
    columns: Sequence[ColumnElement[Any]],
    rows: Sequence[tuple[object, ...]],
    otherwise: str = "",
) -> None:
    """Insert many rows, each with a value for each of these columns, as the database's driver takes them.

    `otherwise` says, in words that both databases know, what becomes of a row that is there already.

    It does without SQLAlchemy's care for each value, which costs as much as the insert itself.
    """
    if not rows:
        return
    names = ", ".join(column.name for column in columns)
    marks = ", ".join(["?" if tx.dialect.name == "sqlite" else "%s"] * len(columns))
    tx.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks}) {otherwise}", rows)  # noqa: S608  names are ours


def driver_rows(result: CursorResult[Any]) -> Sequence[tuple[Any, ...]]:
    """All rows as plain tuples, as the driver gives them: for reads of thousands whose columns need no conversion."""
    return result.cursor.fetchall() if result.cursor is not None else ()


__all__ = ["InWords", "Insert", "add_rows", "driver_rows", "listed", "one_of", "upsert"]
