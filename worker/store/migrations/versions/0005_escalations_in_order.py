"""An account's escalations are counted: which one is the newest no longer depends on the clock.

A clock that was an hour ahead and was put right made a closed one look newer than the open one that came after it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Count what is there by the time it was opened; one that is open is the newest whatever its time says."""
    op.add_column(
        "escalation",
        sa.Column(
            "number",
            sa.Integer(),
            comment="counts the account's; the last is its newest",
            server_default="0",
            nullable=False,
        ),
    )
    op.execute(
        "UPDATE escalation SET number = counted.number FROM (SELECT id, row_number() OVER (PARTITION BY connector, "
        "account_id ORDER BY status <> 'resolved', opened_at, id DESC) AS number FROM escalation) AS counted "
        "WHERE counted.id = escalation.id"
    )
    op.drop_index("ix_escalation_account", "escalation")
    op.create_index("ix_escalation_account", "escalation", ["connector", "account_id", "number"], unique=False)
