"""The first schema.

Written out rather than taken from `worker.store.schema`, so that a later change of the tables cannot change what this
release created.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "cursor",
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=True),
        sa.Column("record_id", sa.String(), server_default="", nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True, comment="when the last complete read began"),
        sa.Column("swept_at", sa.BigInteger(), nullable=True, comment="when the last complete full read began"),
        sa.Column("failure", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("connector", "kind", name=op.f("pk_cursor")),
        comment="how far each kind of record has been read",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dirty",
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column(
            "mark",
            sa.BigInteger(),
            nullable=False,
            comment="changes with each marking, so that a mark set while deciding stays",
        ),
        sa.PrimaryKeyConstraint("connector", "account_id", name=op.f("pk_dirty")),
        comment="accounts that must be decided",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "escalation",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalation")),
        comment="one row an escalation; body is the whole value",
    )
    op.create_index("ix_escalation_account", "escalation", ["connector", "account_id", "opened_at"], unique=False)
    op.create_index(
        "uq_escalation_one_open",
        "escalation",
        ["connector", "account_id"],
        unique=True,
        sqlite_where=sa.text("status <> 'resolved'"),
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.create_table(
        "fact",
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("bug_key", sa.String(), nullable=True),
        sa.Column("modified", sa.String(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "kind", "record_id", "seq", name=op.f("pk_fact")),
        comment="what the CRM said, version by version; the newest seq of a record is its present state",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_fact_account",
        "fact",
        ["connector", "account_id"],
        unique=False,
        sqlite_where=sa.text("account_id IS NOT NULL"),
        postgresql_where=sa.text("account_id IS NOT NULL"),
    )
    op.create_index(
        "ix_fact_bug",
        "fact",
        ["connector", "bug_key"],
        unique=False,
        sqlite_where=sa.text("bug_key IS NOT NULL"),
        postgresql_where=sa.text("bug_key IS NOT NULL"),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
        comment="who runs",
    )
    op.create_table(
        "outbox",
        sa.Column("ordinal", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False, comment="the connector or notifier that delivers it"),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("escalation_id", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("event_no", sa.Integer(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("owner", sa.String(), server_default="", nullable=False),
        sa.Column("remote_id", sa.String(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("remedy", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key"),
        comment="effects to bring about; the intent is here before a byte is sent",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_escalation", "outbox", ["escalation_id"], unique=False)
    op.create_index(
        "ix_outbox_order",
        "outbox",
        ["lane", "account_id"],
        unique=False,
        sqlite_where=sa.text("state IN ('new', 'trying', 'unknown')"),
        postgresql_where=sa.text("state IN ('new', 'trying', 'unknown')"),
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["lane", "state"],
        unique=False,
        sqlite_where=sa.text("state IN ('new', 'trying', 'unknown')"),
        postgresql_where=sa.text("state IN ('new', 'trying', 'unknown')"),
    )
    op.create_table(
        "quarantine",
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("modified", sa.String(), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "kind", "record_id", name=op.f("pk_quarantine")),
        comment="records that could not be understood, with the reason; they go on by themselves once they can",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
        comment="the brakes' memory: approved levels, the hold, the kill switch, the last cycle",
    )
    op.create_table(
        "trail",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("escalation_id", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("event_no", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("policy_version", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trail")),
        comment="append-only: who did what, when and why",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_trail_account", "trail", ["connector", "account_id", "id"], unique=False)
    op.create_table(
        "watch",
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("asked", sa.Text(), server_default="[]", nullable=False),
        sa.Column("written", sa.Text(), nullable=True, comment="the flag that the CRM last confirmed"),
        sa.Column("written_at", sa.BigInteger(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=True, comment="when the account was last read"),
        sa.PrimaryKeyConstraint("connector", "account_id", name=op.f("pk_watch")),
        comment="accounts to look at although nothing changed, and what the worker knows of its own flag there",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_watch_next_at"), "watch", ["next_at"], unique=False)


def downgrade() -> None:
    """Drop every table."""
    op.drop_index(op.f("ix_watch_next_at"), table_name="watch")
    op.drop_table("watch")
    op.drop_index("ix_trail_account", table_name="trail")
    op.drop_table("trail")
    op.drop_table("setting")
    op.drop_table("quarantine")
    op.drop_index(
        "ix_outbox_pending",
        table_name="outbox",
        sqlite_where=sa.text("state IN ('new', 'trying', 'unknown')"),
        postgresql_where=sa.text("state IN ('new', 'trying', 'unknown')"),
    )
    op.drop_index(
        "ix_outbox_order",
        table_name="outbox",
        sqlite_where=sa.text("state IN ('new', 'trying', 'unknown')"),
        postgresql_where=sa.text("state IN ('new', 'trying', 'unknown')"),
    )
    op.drop_index("ix_outbox_escalation", table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("lease")
    op.drop_index(
        "ix_fact_bug",
        table_name="fact",
        sqlite_where=sa.text("bug_key IS NOT NULL"),
        postgresql_where=sa.text("bug_key IS NOT NULL"),
    )
    op.drop_index(
        "ix_fact_account",
        table_name="fact",
        sqlite_where=sa.text("account_id IS NOT NULL"),
        postgresql_where=sa.text("account_id IS NOT NULL"),
    )
    op.drop_table("fact")
    op.drop_index(
        "uq_escalation_one_open",
        table_name="escalation",
        sqlite_where=sa.text("status <> 'resolved'"),
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.drop_index("ix_escalation_account", table_name="escalation")
    op.drop_table("escalation")
    op.drop_table("dirty")
    op.drop_table("cursor")
