"""When a record was changed last, as one field that can be searched, ordered and indexed.

Tryton leaves `write_date` empty until a record is written for the first time, so that a reader of changes would have to
follow two stamps. This field is their first that is set.
"""

import datetime as dt

from sql.conditionals import Coalesce
from trytond.model import Index, fields
from trytond.tools import grouped_slice
from trytond.transaction import Transaction


def now():
    """The time as Tryton keeps it: UTC without a zone."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def _as_time(stamp):
    """SQLite gives an expression's time as text."""
    return dt.datetime.fromisoformat(stamp) if isinstance(stamp, str) else stamp


class ChangedMixin:
    """Adds `changed_at`."""

    __slots__ = ()

    changed_at = fields.Function(
        fields.Timestamp("Changed", help="When this record was made or changed last."), "get_changed_at"
    )

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        changed = Coalesce(table.write_date, table.create_date)
        cls._sql_indexes.add(Index(table, (changed, Index.Range()), (table.id, Index.Range())))

    @classmethod
    def get_changed_at(cls, records, name):  # noqa: ARG003  Tryton asks for it
        """The stamps, by SQL: through the records Tryton would load every other column with them."""
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        changed = Coalesce(table.write_date, table.create_date)
        stamps = dict.fromkeys(map(int, records))
        for ids in grouped_slice(list(stamps)):
            cursor.execute(*table.select(table.id, changed, where=fields.SQL_OPERATORS["in"](table.id, list(ids))))
            stamps.update((number, _as_time(stamp)) for number, stamp in cursor)
        return stamps

    @classmethod
    def domain_changed_at(cls, domain, tables):
        """A condition on it as SQL."""
        table, _ = tables[None]
        _, operator, value = domain
        changed = fields.Timestamp("changed_at")
        return fields.SQL_OPERATORS[operator](
            Coalesce(table.write_date, table.create_date), changed._domain_value(operator, value)
        )

    @classmethod
    def order_changed_at(cls, tables):
        """Its order as SQL."""
        table, _ = tables[None]
        return [Coalesce(table.write_date, table.create_date)]
