"""The database's own time, by which processes of several machines agree on what is over."""

from sqlalchemy import ColumnElement, Connection, Float, cast, func, literal_column

_UNIX_EPOCH = 2440587.5
"""The Julian day of 1970-01-01T00:00Z."""


def database_time(connection: Connection) -> ColumnElement[float]:
    """Seconds since 1970 as the database counts them, at the time of the statement; precise to a millisecond."""
    if connection.dialect.name == "sqlite":
        return (func.julianday("now") - literal_column(str(_UNIX_EPOCH))) * literal_column("86400.0")
    return cast(func.extract("epoch", func.clock_timestamp()), Float)
