"""Facts are stored in the order in which they come.

Without a row id SQLite keeps a table sorted by its key: a first load then rewrites pages all over the file, three times
the work. PostgreSQL never did, so nothing changes there.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_COLUMNS = "connector, kind, record_id, seq, account_id, bug_key, modified, seen_at, gone, digest, body"


def upgrade() -> None:
    """Rebuild the table with row ids; every fact is kept."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("ALTER TABLE fact RENAME TO fact_by_key")
    op.execute("DROP INDEX ix_fact_account")
    op.execute("DROP INDEX ix_fact_bug")
    op.execute(
        "CREATE TABLE fact (connector VARCHAR NOT NULL, kind VARCHAR NOT NULL, record_id VARCHAR NOT NULL, "
        "seq INTEGER NOT NULL, account_id VARCHAR, bug_key VARCHAR, modified VARCHAR NOT NULL, "
        "seen_at BIGINT NOT NULL, gone SMALLINT NOT NULL, digest BLOB NOT NULL, body BLOB NOT NULL, "
        "CONSTRAINT pk_fact PRIMARY KEY (connector, kind, record_id, seq))"
    )
    op.execute(
        f"INSERT INTO fact ({_COLUMNS}) SELECT {_COLUMNS} FROM fact_by_key "  # noqa: S608  names are ours
        "ORDER BY seen_at, record_id, seq"
    )
    op.execute("DROP TABLE fact_by_key")
    op.execute("CREATE INDEX ix_fact_account ON fact (connector, account_id) WHERE account_id IS NOT NULL")
    op.execute("CREATE INDEX ix_fact_bug ON fact (connector, bug_key) WHERE bug_key IS NOT NULL")
