"""A fact carries two small numbers instead of its connector's and its kind's names, and no second copy of its stamp.

The names stood in every fact and again in its key: a fifth of what a first load writes, and half of what it compares.
The stamp stands in the body.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_NUMBER = "CASE kind WHEN 'account' THEN 1 WHEN 'case' THEN 2 WHEN 'dispute' THEN 3 END"
_WHERE = {
    "ix_fact_account": (["crm", "account_id"], "account_id IS NOT NULL"),
    "ix_fact_bug": (["crm", "bug_key"], "bug_key IS NOT NULL"),
    "ix_fact_gone": (["crm", "kind", "record_id"], "gone = 1"),
}


def upgrade() -> None:
    """Every fact is kept, in the order in which it came."""
    op.create_table(
        "crm",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_crm")),
        sa.UniqueConstraint("name"),
        comment="the connectors' names, by the numbers that facts carry",
    )
    op.execute("INSERT INTO crm (name) SELECT DISTINCT connector FROM fact ORDER BY connector")
    for name in _WHERE:
        op.drop_index(name, "fact")
    op.rename_table("fact", "fact_by_names")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER INDEX pk_fact RENAME TO pk_fact_by_names")
    _make()
    order = "ORDER BY fact_by_names.rowid" if op.get_bind().dialect.name == "sqlite" else ""
    op.execute(
        "INSERT INTO fact (crm, kind, record_id, seq, account_id, bug_key, seen_at, gone, body) "  # noqa: S608  ours
        f"SELECT crm.number, {_NUMBER}, record_id, seq, account_id, bug_key, seen_at, gone, body "
        f"FROM fact_by_names JOIN crm ON crm.name = fact_by_names.connector {order}"
    )
    op.drop_table("fact_by_names")
    for name, (columns, condition) in _WHERE.items():
        where = sa.text(condition)
        op.create_index(name, "fact", columns, unique=False, sqlite_where=where, postgresql_where=where)


def _make() -> None:
    op.create_table(
        "fact",
        sa.Column("crm", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "kind", sa.SmallInteger(), autoincrement=False, nullable=False, comment="1 account, 2 case, 3 dispute"
        ),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, server_default="1", nullable=False),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("bug_key", sa.String(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("crm", "kind", "record_id", "seq", name=op.f("pk_fact")),
        comment="what the CRM said, version by version; the newest seq of a record is its present state",
    )
