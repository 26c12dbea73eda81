"""CRM records to core values and back, driven by one file per CRM. The only room that knows both.

A kind's shape is a msgspec struct whose fields carry the CRM's own names, so that a connector decodes a page in one
step; values are turned into core values only for accounts that are decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec

from connectors.base import Cursor, FieldNeed, Query, Row, Value
from worker import field_readers as read
from worker.account_signs import AccountSigns
from worker.core.model import (
    Account,
    AccountId,
    Author,
    BugKey,
    Case,
    CaseStatus,
    Dispute,
    Flag,
    Override,
    RecordId,
    RecordKind,
    Wish,
)
from worker.core.money import Money, currency
from worker.field_readers import UnmappableError
from worker.mapping_file import FLAG_FIELDS, REQUIRED, KindMap, read_mapping
from worker.row_shape import names_used, shape_of

T = TypeVar("T")


class CrmMapping:
    """One CRM's mapping. Safe to share; holds no state."""

    def __init__(self, name: str, kinds: Mapping[RecordKind, KindMap]) -> None:
        self.name = name
        self.kinds = tuple(kinds)
        self._maps = dict(kinds)
        self._shapes = {kind: shape_of(kind, each) for kind, each in kinds.items()}
        self._decoders = {kind: msgspec.json.Decoder(shape, float_hook=Decimal) for kind, shape in self._shapes.items()}
        self._encoder = msgspec.json.Encoder()
        account = kinds[RecordKind.ACCOUNT].fields
        self._signs = AccountSigns(kinds[RecordKind.ACCOUNT])
        self._stamp_marks = {kind: b',"%s":"' % each.modified_field.encode() for kind, each in kinds.items()}
        self.disputes_are_cases = len({each.object_name for each in kinds.values()}) < len(kinds)
        title = kinds[RecordKind.CASE].fields.get("reporter_title") if RecordKind.CASE in kinds else None
        self.titles_elsewhere = title is not None and "." in title.field
        self._flag_fields = {name: account[name].field for name in FLAG_FIELDS}

    def query(
        self,
        kind: RecordKind,
        *,
        since: Cursor | None = None,
        where: Sequence[Mapping[str, Sequence[Value]]] = (),
        ids: Sequence[str] | None = None,
        page_size: int = 2000,
    ) -> Query[Row]:
        """What to ask the connector. `where` is in the CRM's own words."""
        each = self._maps[kind]
        required = frozenset(each.fields[name].field for name in REQUIRED[kind])
        return Query(kind.value, each.object_name, self._shapes[kind], since, where, ids, page_size, required)

    def state_query(self) -> Query[Row]:
        """Accounts that no cursor finds when a calculated field moves: not green, flagged, or spoken for."""
        fields = self._maps[RecordKind.ACCOUNT].fields
        unhealthy = [word for word, ours in fields["health"].written.items() if ours in ("red", "yellow")]
        flagged = fields["flag_escalated"].field
        wanted: list[dict[str, Sequence[Value]]] = [
            {fields["health"].field: unhealthy or ["red", "yellow"], flagged: [False, None]},
            {flagged: [True]},
        ]
        if "pr_risk" in fields:
            wanted.append({fields["pr_risk"].field: [True], flagged: [False, None]})
        if "wish" in fields:
            wishes = [word for word, ours in fields["wish"].written.items() if ours != Wish.NONE.value]
            wishes = wishes or [each.value for each in Wish if each is not Wish.NONE]
            wanted.append({fields["wish"].field: wishes, flagged: [False, None]})
        return self.query(RecordKind.ACCOUNT, where=wanted)

    def account_id(self, kind: RecordKind, row: Row) -> AccountId | None:
        """Whose record it is; None for a case without an account."""
        if kind is RecordKind.ACCOUNT:
            return AccountId(row.record_id)
        value = getattr(row, "account_id")  # noqa: B009  the shape is made at run time
        return AccountId(str(value)) if value not in (None, "") else None

    def merged_into(self, row: Row) -> AccountId | None:
        """The account that a deleted one went into; None where the CRM does not say, or it is simply deleted."""
        return read.merged_into(row)

    def category(self, row: Row) -> str:
        """What a case is filed as: one of the trigger ids where the mapping says so, else the CRM's word, or empty."""
        spec, word = self._maps[RecordKind.CASE].fields.get("category"), read.text(row, "category")
        return "" if spec is None else spec.values.get(word.casefold(), word)

    def bug_key(self, row: Row) -> tuple[BugKey | None, bool]:
        """The bug that a case is about, and whether the case is open."""
        key = getattr(row, "bug_key", None)
        return (BugKey(str(key)) if key not in (None, "") else None), self._is_open(RecordKind.CASE, row)

    def _is_open(self, kind: RecordKind, row: Row) -> bool:
        return not row.deleted and self._status(kind, row) is CaseStatus.OPEN

    def quiet(self, kind: RecordKind, row: Row) -> bool:
        """Whether this record alone cannot ask for anything. Raises UnmappableError where it cannot be told."""
        if kind is not RecordKind.ACCOUNT:
            return not self._is_open(kind, row)
        return self._signs.quiet(row)

    def asking(self, accounts: Sequence[Row]) -> list[Row]:
        """Those of these accounts that are not quiet."""
        return self._signs.asking(accounts)

    def stamp(self, row: Row) -> datetime:
        """When the CRM changed it last, aware UTC."""
        return read.moment(row, "modified_at", row.modified_at)

    def body(self, row: Row) -> bytes:
        """The mapped fields as JSON in the CRM's words, which is how a record is stored."""
        return self._encoder.encode(row)

    def bodies(self, rows: Sequence[Row]) -> list[bytes]:
        """The same of many at once: JSON keeps a line break inside a text apart from one between two records."""
        return self._encoder.encode_lines(rows).split(b"\n")[:-1]

    def says_the_same(self, kind: RecordKind, body: bytes, other: bytes) -> bool:
        """Whether two stored bodies differ in nothing but their modified stamps."""
        return self._unstamped(kind, body) == self._unstamped(kind, other)

    def stamp_said(self, kind: RecordKind, body: bytes) -> str:
        """The modified stamp in a stored body, in the CRM's words; empty where a mapping of then named it otherwise."""
        _, _, rest = body.partition(self._stamp_marks[kind])
        return rest.partition(b'"')[0].decode()

    def _unstamped(self, kind: RecordKind, body: bytes) -> bytes:
        head, mark, rest = body.partition(self._stamp_marks[kind])
        return head + rest[rest.index(b'"') :] if mark else body

    def load(self, kind: RecordKind, body: bytes) -> Row:
        """A stored record back."""
        return self._decoders[kind].decode(body)

    def flag_object(self) -> str:
        """The object that carries the flag."""
        return self._maps[RecordKind.ACCOUNT].object_name

    def flag_values(self, flag: Flag) -> dict[str, Value]:
        """The flag in the CRM's fields."""
        fields = self._flag_fields
        return {
            fields["flag_escalated"]: flag.escalated,
            fields["flag_level"]: None if flag.level is None else str(flag.level),
            fields["flag_reason"]: flag.reason,
            fields["flag_opened_at"]: flag.opened_at,
            fields["flag_due_at"]: flag.due_at,
            fields["flag_status"]: flag.status,
            fields["flag_owner"]: flag.owner,
        }

    def needs(self) -> tuple[FieldNeed, ...]:
        """Every CRM field that is read or written, for `check` and `setup`."""
        return tuple(
            FieldNeed(each.object_name, name, core, core in FLAG_FIELDS, core in REQUIRED[kind])
            for kind, each in self._maps.items()
            for core, name in names_used(each)
        )

    def account(self, row: Row) -> Account:
        """Raises UnmappableError for a value that is not understood; an unknown health word is UNKNOWN."""
        owner, manager = read.person(row, "owner"), read.person(row, "manager")
        return Account(
            id=AccountId(row.record_id),
            name=read.text(row, "name") or row.record_id,
            owner=owner,
            manager=manager,
            arr=self._money(RecordKind.ACCOUNT, row, "arr"),
            health=read.health(row, self._maps[RecordKind.ACCOUNT].fields["health"]),
            tier=read.text(row, "tier"),
            renewal_on=read.day(row, "renewal_on"),
            churn_signals=read.signs(row),
            pr_risk=read.truth(row, "pr_risk"),
            flag=read.flag(row),
            override=self._override(row),
            issue=read.issue(row),
            churned_on=read.day(row, "churned_on"),
            language=read.text(row, "language"),
            modified_at=self.stamp(row),
            parent_id=AccountId(read.text(row, "parent_id")) if read.text(row, "parent_id") else None,
            deleted=row.deleted,
            merged_into=self.merged_into(row),
            call_held_at=read.time(row, "call_held_at"),
            extra={name: read.further(row, name) for name in self._maps[RecordKind.ACCOUNT].extra},
        )

    def case(self, row: Row) -> Case:
        """Raises UnmappableError for a value that is not understood."""
        return Case(
            id=RecordId(row.record_id),
            account_id=AccountId(read.text(row, "account_id")),
            subject=read.text(row, "subject"),
            text=read.text(row, "text"),
            author=self._word(RecordKind.CASE, row, "author", Author, Author.CUSTOMER),
            channel=read.text(row, "channel"),
            category=self.category(row),
            priority=read.text(row, "priority"),
            status=self._status(RecordKind.CASE, row),
            reporter=read.text(row, "reporter"),
            reporter_title=read.text(row, "reporter_title"),
            bug_key=self.bug_key(row)[0],
            product=read.text(row, "product"),
            amount=self._money(RecordKind.CASE, row, "amount"),
            opened_at=read.time(row, "opened_at"),
            closed_at=read.time(row, "closed_at"),
            modified_at=self.stamp(row),
            untitled=read.untitled(row),
        )

    def dispute(self, row: Row) -> Dispute:
        """Raises UnmappableError for a value that is not understood."""
        return Dispute(
            id=RecordId(row.record_id),
            account_id=AccountId(read.text(row, "account_id")),
            amount=self._money(RecordKind.DISPUTE, row, "amount"),
            status=self._status(RecordKind.DISPUTE, row),
            reason=read.text(row, "reason"),
            opened_at=read.time(row, "opened_at"),
            modified_at=self.stamp(row),
        )

    def _status(self, kind: RecordKind, row: Row) -> CaseStatus:
        return self._word(kind, row, "status", CaseStatus, CaseStatus.OPEN)

    def _word(self, kind: RecordKind, row: Row, name: str, words: Callable[[str], T], default: T) -> T:
        """A word of the CRM as one of ours; empty means the default, an unknown one is never guessed."""
        text = read.text(row, name)
        if not text:
            return default
        mapped = self._maps[kind].fields.get(name)
        ours = text if mapped is None else mapped.values.get(text.casefold(), text.casefold())
        try:
            return words(ours)
        except ValueError:
            known = sorted(set(mapped.values.values())) if mapped else []
            raise UnmappableError(
                row.record_id,
                name,
                text,
                f"means none of {', '.join(known) or 'the known words'}; add it to the mapping",
            ) from None

    def _override(self, row: Row) -> Override:
        return Override(
            wish=self._word(RecordKind.ACCOUNT, row, "wish", Wish, Wish.NONE),
            until=read.time(row, "until"),
            outcome_note=read.text(row, "outcome_note"),
            root_cause=read.text(row, "root_cause"),
            customer_confirmed=read.truth(row, "customer_confirmed"),
            by=read.text(row, "override_by"),
            at=read.time(row, "override_at"),
        )

    def _money(self, kind: RecordKind, row: Row, name: str) -> Money | None:
        amount = read.decimal(row, name)
        if amount is None:
            return None
        spec = self._maps[kind].fields[name]
        code = read.text(row, f"{name}_currency") or spec.currency
        try:
            return Money(amount, currency(code.upper()))
        except ValueError as error:
            raise UnmappableError(row.record_id, f"{name}_currency", code, str(error)) from error


def load_mapping(path: Path) -> CrmMapping:
    """Read a mapping file. Raises FaultyDocumentError with every fault, each with file, line and column."""
    return CrmMapping(path.stem, read_mapping(path))
