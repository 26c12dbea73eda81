"""Alembic's entry: runs on the connection that `worker.store.database` hands over, in one transaction."""

from alembic import context

from worker.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
