"""Clicks on buttons in channels: kept before the channel hears that they arrived."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the table; it begins empty."""
    op.create_table(
        "click",
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False, comment="the same in each delivery of one click"),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("fate", sa.String(), nullable=False),
        sa.Column("connector", sa.String(), nullable=True),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True, comment="what it says once its person is found"),
        sa.PrimaryKeyConstraint("lane", "key", name=op.f("pk_click")),
        comment="buttons that people pressed in channels, and what became of it",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_click_fate", "click", ["lane", "fate"], unique=False)
    op.create_index("ix_click_account", "click", ["connector", "account_id"], unique=False)
