"""Measures on DuckDB, in this process: the default."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
import pyarrow.lib as pa

from careplane.errors import DataError
from careplane.evidence.engines import Name
from careplane.measures import Dialect
from careplane.store.lake_views import Kept


class DuckDB:
    """A DuckDB in memory that spills to a folder."""

    name: Name = "duckdb"
    dialect: Dialect = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def put(self, name: str, table: pa.Table) -> None:
        """See :class:`careplane.evidence.engines.Engine`."""
        self.connection.register(name, table)

    def put_kept(self, name: str, kept: Kept) -> None:
        """The files are read when a query needs them."""
        self.connection.execute(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {kept.sql}')

    def query(self, sql: str) -> pa.Table:
        """See :class:`careplane.evidence.engines.Engine`."""
        try:
            return self.connection.execute(sql).to_arrow_table()
        except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException) as error:
            raise DataError(f"DuckDB cannot answer: {str(error).partition(chr(10))[0]}") from error


@contextmanager
def open_duckdb(scratch: Path) -> Iterator[DuckDB]:
    """An engine until the block ends.

    Args:
        scratch: a folder for what does not fit into memory; it holds patient data while the engine runs.
    """
    with closing(duckdb.connect(config={"memory_limit": "1GB"})) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET temp_directory = $folder", {"folder": str(scratch)})
        yield DuckDB(connection)
