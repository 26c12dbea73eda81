"""The escalation's life: silences with what they held back, root causes to look up, and a trail that shows edits.

Lines that are in the trail already are sealed as they stand.
"""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SEALED = (
    "connector",
    "account_id",
    "escalation_id",
    "event",
    "event_no",
    "at",
    "actor",
    "level",
    "because",
    "policy_version",
)


def upgrade() -> None:
    """Add the columns and tables, then seal the trail."""
    op.add_column("escalation", sa.Column("root_cause", sa.String(), server_default="", nullable=False))
    some = sa.text("root_cause <> ''")
    op.create_index(
        "ix_escalation_root_cause",
        "escalation",
        ["connector", "root_cause", "resolved_at"],
        sqlite_where=some,
        postgresql_where=some,
    )
    op.add_column(
        "trail",
        sa.Column(
            "previous", sa.String(), comment="the seal of the account's line before", server_default="", nullable=False
        ),
    )
    op.add_column(
        "trail",
        sa.Column(
            "seal", sa.String(), comment="digest of this line and the one before", server_default="", nullable=False
        ),
    )
    op.create_table(
        "silence",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), comment="taken away before its time"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
        comment="what people asked to hold back for a while",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "silenced",
        sa.Column("silence_id", sa.String(), nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("silence_id", "connector", "account_id", "fingerprint", name=op.f("pk_silenced")),
        comment="what a silence held back, each piece of evidence once",
        sqlite_with_rowid=False,
    )
    _seal()


def _seal() -> None:
    connection = op.get_bind()
    newest: dict[tuple[str, str], str] = {}
    rows = connection.execute(sa.text(f"SELECT id, {', '.join(_SEALED)} FROM trail ORDER BY id")).mappings().all()  # noqa: S608
    for row in rows:
        key = (row["connector"], row["account_id"])
        before = newest.get(key, "")
        told = json.dumps([before, *(row[name] for name in _SEALED)], ensure_ascii=False)
        newest[key] = hashlib.sha256(told.encode()).hexdigest()
        values = {"previous": before, "seal": newest[key], "id": row["id"]}
        connection.execute(sa.text("UPDATE trail SET previous = :previous, seal = :seal WHERE id = :id"), values)
