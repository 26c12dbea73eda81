"""An account's flag writes are found by an index: each decision asks for the last one, and read the whole outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_FLAGS = sa.text("kind IN ('flag')")


def upgrade() -> None:
    """Add the index."""
    op.create_index(
        "ix_outbox_flags",
        "outbox",
        ["lane", "account_id"],
        unique=False,
        sqlite_where=_FLAGS,
        postgresql_where=_FLAGS,
    )
