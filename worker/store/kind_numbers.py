"""What kind of record a fact is, as the tables keep it: a number, since it stands in every fact and in its key."""

from __future__ import annotations

from sqlalchemy import Dialect, SmallInteger
from sqlalchemy.types import TypeDecorator

from worker.core.model import RecordKind

KIND_NUMBERS = {RecordKind.ACCOUNT.value: 1, RecordKind.CASE.value: 2, RecordKind.DISPUTE.value: 3}
"""They stand in stored facts: none is ever given to another kind."""
_KINDS = {number: kind for kind, number in KIND_NUMBERS.items()}


class KindNumber(TypeDecorator[str]):
    """A RecordKind's word on this side, its number on the other."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> int | None:  # noqa: ARG002  the base's signature
        """The number of a word."""
        return None if value is None else KIND_NUMBERS[value]

    def process_result_value(self, value: int | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """The word of a number."""
        return None if value is None else _KINDS[value]
