"""Lists of escalations that are told together: which one stands in which list, and what its line says.

Lists that an earlier release has begun and not sent go out as they are; what comes later begins a new one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table; it begins empty."""
    op.create_table(
        "listing",
        sa.Column("list_id", sa.String(), nullable=False, comment="stands as the escalation of the list's own rows"),
        sa.Column("escalation_id", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("slot", sa.String(), nullable=False, comment="what the list gathers"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the line as it stands"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "escalation_id", name=op.f("pk_listing")),
        comment="which list tells of which escalation, and what it says of it",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_listing_escalation", "listing", ["lane", "escalation_id"], unique=False)
