"""What tables have in common: their metadata, the body of a record, and the mark of those that are sealed."""

from sqlalchemy import Column, MetaData, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


SEALED = {"sealed": True}
"""Of a table whose bodies may tell of patients: they are sealed at rest (:mod:`careplane.store.rows`)."""


def body() -> Column[str]:
    return Column("body", Text, nullable=False)
