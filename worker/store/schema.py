"""The tables. Times are integers: microseconds since 1970 UTC; values of the core are JSON, as msgspec writes them.

The guarantees live here: one open escalation per account and one outbox row per key are unique indexes, not habits.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from worker.store.kind_numbers import KindNumber

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

crm = Table(
    "crm",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("name", String, nullable=False, unique=True),
    comment="the connectors' names, by the numbers that facts carry",
)

fact = Table(
    "fact",
    metadata,
    Column("crm", Integer, primary_key=True, autoincrement=False),
    Column("kind", KindNumber, primary_key=True, autoincrement=False, comment="1 account, 2 case, 3 dispute"),
    Column("record_id", String, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False, server_default="1"),
    Column("account_id", String),
    Column("bug_key", String),
    Column("seen_at", BigInteger, nullable=False),
    Column("gone", SmallInteger, nullable=False, server_default="0"),
    Column("body", LargeBinary, nullable=False),
    comment="what the CRM said, version by version; the newest seq of a record is its present state",
)
Index(
    "ix_fact_account",
    fact.c.crm,
    fact.c.account_id,
    sqlite_where=text("account_id IS NOT NULL"),
    postgresql_where=text("account_id IS NOT NULL"),
)
Index(
    "ix_fact_bug",
    fact.c.crm,
    fact.c.bug_key,
    sqlite_where=text("bug_key IS NOT NULL"),
    postgresql_where=text("bug_key IS NOT NULL"),
)
_GONE = text("gone = 1")
Index("ix_fact_gone", fact.c.crm, fact.c.kind, fact.c.record_id, sqlite_where=_GONE, postgresql_where=_GONE)

cursor = Table(
    "cursor",
    metadata,
    Column("connector", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("stamp", BigInteger),
    Column("record_id", String, nullable=False, server_default=""),
    Column("read_at", BigInteger, comment="when the last complete read began"),
    Column("swept_at", BigInteger, comment="when the last complete full read began"),
    Column("failure", Text, nullable=False, server_default=""),
    comment="how far each kind of record has been read",
    sqlite_with_rowid=False,
)

dirty = Table(
    "dirty",
    metadata,
    Column("connector", String, primary_key=True),
    Column("account_id", String, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column(
        "mark", BigInteger, nullable=False, comment="changes with each marking, so that a mark set while deciding stays"
    ),
    comment="accounts that must be decided",
    sqlite_with_rowid=False,
)

watch = Table(
    "watch",
    metadata,
    Column("connector", String, primary_key=True),
    Column("account_id", String, primary_key=True),
    Column("next_at", BigInteger, index=True),
    Column("asked", Text, nullable=False, server_default="[]"),
    Column("written", Text, comment="the flag that the CRM last confirmed"),
    Column("written_at", BigInteger),
    Column("read_at", BigInteger, comment="when the account was last read"),
    comment="accounts to look at although nothing changed, and what the worker knows of its own flag there",
    sqlite_with_rowid=False,
)

escalation = Table(
    "escalation",
    metadata,
    Column("id", String, primary_key=True),
    Column("connector", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("status", String, nullable=False),
    Column("outcome", String),
    Column("opened_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("resolved_at", BigInteger),
    Column("version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("root_cause", String, nullable=False, server_default=""),
    Column(
        "number", Integer, nullable=False, server_default="0", comment="counts the account's; the last is its newest"
    ),
    comment="one row an escalation; body is the whole value",
)
Index("ix_escalation_account", escalation.c.connector, escalation.c.account_id, escalation.c.number)
Index(
    "uq_escalation_one_open",
    escalation.c.connector,
    escalation.c.account_id,
    unique=True,
    sqlite_where=text("status <> 'resolved'"),
    postgresql_where=text("status <> 'resolved'"),
)

_CAUSED = text("root_cause <> ''")
Index(
    "ix_escalation_root_cause",
    escalation.c.connector,
    escalation.c.root_cause,
    escalation.c.resolved_at,
    sqlite_where=_CAUSED,
    postgresql_where=_CAUSED,
)

trail = Table(
    "trail",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("connector", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("escalation_id", String, nullable=False),
    Column("event", String, nullable=False),
    Column("event_no", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("level", SmallInteger),
    Column("because", Text, nullable=False),
    Column("policy_version", String, nullable=False),
    Column("previous", String, nullable=False, server_default="", comment="the seal of the account's line before"),
    Column("seal", String, nullable=False, server_default="", comment="digest of this line and the one before"),
    comment="append-only: who did what, when and why",
    sqlite_autoincrement=True,
)
Index("ix_trail_account", trail.c.connector, trail.c.account_id, trail.c.id)

silence = Table(
    "silence",
    metadata,
    Column("id", String, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("ended_at", BigInteger, comment="taken away before its time"),
    Column("body", LargeBinary, nullable=False),
    comment="what people asked to hold back for a while",
    sqlite_with_rowid=False,
)

silenced = Table(
    "silenced",
    metadata,
    Column("silence_id", String, primary_key=True),
    Column("connector", String, primary_key=True),
    Column("account_id", String, primary_key=True),
    Column("fingerprint", String, primary_key=True),
    Column("at", BigInteger, nullable=False),
    comment="what a silence held back, each piece of evidence once",
    sqlite_with_rowid=False,
)

outbox = Table(
    "outbox",
    metadata,
    Column("ordinal", Integer, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False, unique=True),
    Column("lane", String, nullable=False, comment="the connector or notifier that delivers it"),
    Column("kind", String, nullable=False),
    Column("connector", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("escalation_id", String, nullable=False),
    Column("event", String, nullable=False),
    Column("event_no", Integer, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("deadline", BigInteger),
    Column("owner", String, nullable=False, server_default=""),
    Column("remote_id", String, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("remedy", Text, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("stream", String, nullable=False, server_default=""),
    comment="effects to bring about; the intent is here before a byte is sent",
    sqlite_autoincrement=True,
)
_PENDING = text("state IN ('new', 'trying', 'unknown')")
Index("ix_outbox_pending", outbox.c.lane, outbox.c.state, sqlite_where=_PENDING, postgresql_where=_PENDING)
Index("ix_outbox_order", outbox.c.lane, outbox.c.stream, sqlite_where=_PENDING, postgresql_where=_PENDING)
Index("ix_outbox_escalation", outbox.c.escalation_id)
_FLAGS = text("kind IN ('flag')")
Index("ix_outbox_flags", outbox.c.lane, outbox.c.account_id, sqlite_where=_FLAGS, postgresql_where=_FLAGS)

listing = Table(
    "listing",
    metadata,
    Column("list_id", String, primary_key=True, comment="stands as the escalation of the list's own rows"),
    Column("escalation_id", String, primary_key=True),
    Column("lane", String, nullable=False),
    Column("reader", String, nullable=False),
    Column("slot", String, nullable=False, comment="what the list gathers"),
    Column("body", LargeBinary, nullable=False, comment="the line as it stands"),
    Column("at", BigInteger, nullable=False),
    comment="which list tells of which escalation, and what it says of it",
    sqlite_with_rowid=False,
)
Index("ix_listing_escalation", listing.c.lane, listing.c.escalation_id)

click = Table(
    "click",
    metadata,
    Column("lane", String, primary_key=True),
    Column("key", String, primary_key=True, comment="the same in each delivery of one click"),
    Column("who", String, nullable=False),
    Column("place", String, nullable=False),
    Column("value", Text, nullable=False),
    Column("heard_at", BigInteger, nullable=False),
    Column("fate", String, nullable=False),
    Column("connector", String),
    Column("account_id", String),
    Column("answer", LargeBinary, comment="what it says once its person is found"),
    comment="buttons that people pressed in channels, and what became of it",
    sqlite_with_rowid=False,
)
Index("ix_click_fate", click.c.lane, click.c.fate)
Index("ix_click_account", click.c.connector, click.c.account_id)

quarantine = Table(
    "quarantine",
    metadata,
    Column("connector", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("record_id", String, primary_key=True),
    Column("account_id", String, nullable=False, server_default=""),
    Column("reason", Text, nullable=False),
    Column("modified", String, nullable=False, server_default=""),
    Column("body", Text, nullable=False, server_default=""),
    Column("since", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    comment="records that could not be understood, with the reason; they go on by themselves once they can",
    sqlite_with_rowid=False,
)

lease = Table(
    "lease",
    metadata,
    Column("name", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    comment="who runs",
)

note_of_state = Table(
    "setting",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
    comment="the brakes' memory: approved levels, the hold, the kill switch, the last cycle",
)
