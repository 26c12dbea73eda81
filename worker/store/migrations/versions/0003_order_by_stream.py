"""What must keep an order has a name of its own, beside the account.

The copies of one mail go to several people: a mailbox that is full must hold back nobody else's.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_PENDING = sa.text("state IN ('new', 'trying', 'unknown')")


def upgrade() -> None:
    """Everything that waits keeps the order that it had."""
    op.add_column("outbox", sa.Column("stream", sa.String, nullable=False, server_default=""))
    op.execute("UPDATE outbox SET stream = account_id")
    op.drop_index("ix_outbox_order", "outbox")
    op.create_index("ix_outbox_order", "outbox", ["lane", "stream"], sqlite_where=_PENDING, postgresql_where=_PENDING)
