"""Migrations: bring a database to the newest tables."""

from sqlalchemy import Engine

from careplane.store.tables import metadata


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest migration."""
    metadata.create_all(engine)
