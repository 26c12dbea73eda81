"""Facts are compared by what they say, so no digest of it is kept; and those that are gone have an index of their own.

Each tick asks which of the gone still need a decision: it used to look at every account that waits for one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_COLUMNS = "connector, kind, record_id, seq, account_id, bug_key, modified, seen_at, gone, body"
_GONE = sa.text("gone = 1")


def upgrade() -> None:
    """Every fact is kept. SQLite can drop a column only since 3.35, so there the table is made anew."""
    if op.get_bind().dialect.name == "sqlite":
        _made_anew()
    else:
        op.drop_column("fact", "digest")
    op.create_index(
        "ix_fact_gone",
        "fact",
        ["connector", "kind", "record_id"],
        unique=False,
        sqlite_where=_GONE,
        postgresql_where=_GONE,
    )


def _made_anew() -> None:
    op.execute("ALTER TABLE fact RENAME TO fact_with_digest")
    op.execute("DROP INDEX ix_fact_account")
    op.execute("DROP INDEX ix_fact_bug")
    op.execute(
        "CREATE TABLE fact (connector VARCHAR NOT NULL, kind VARCHAR NOT NULL, record_id VARCHAR NOT NULL, "
        "seq INTEGER NOT NULL, account_id VARCHAR, bug_key VARCHAR, modified VARCHAR NOT NULL, "
        "seen_at BIGINT NOT NULL, gone SMALLINT NOT NULL, body BLOB NOT NULL, "
        "CONSTRAINT pk_fact PRIMARY KEY (connector, kind, record_id, seq))"
    )
    op.execute(
        f"INSERT INTO fact ({_COLUMNS}) SELECT {_COLUMNS} FROM fact_with_digest ORDER BY rowid"  # noqa: S608  names are ours
    )
    op.execute("DROP TABLE fact_with_digest")
    op.execute("CREATE INDEX ix_fact_account ON fact (connector, account_id) WHERE account_id IS NOT NULL")
    op.execute("CREATE INDEX ix_fact_bug ON fact (connector, bug_key) WHERE bug_key IS NOT NULL")
