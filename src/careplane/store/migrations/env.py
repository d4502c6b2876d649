"""Alembic's environment: runs on the connection that :func:`careplane.store.migrate.upgrade` hands over."""

from alembic import context

from careplane.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    render_as_batch=True,
)
context.run_migrations()
