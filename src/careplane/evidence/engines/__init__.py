"""Where the expressions of measures run: DuckDB unless a site outgrew it, then Spark or PostgreSQL.

An engine holds named tables and answers SQL of its dialect with Arrow. The rows of a measure are the same on all three
(``tests/evidence/test_engines.py`` holds every measure of the shelf to that).
"""

from collections.abc import Mapping
from typing import Literal, Protocol

import pyarrow.lib as pa

from careplane.errors import InputError
from careplane.measures import Dialect, Measure, rows_sql
from careplane.store.lake_views import Kept

ROWS = pa.schema(
    [
        *((name, pa.string()) for name in ("key", "cluster", "patient", "clinician")),
        ("at", pa.int64()),
        ("value", pa.float64()),
        ("weight", pa.float64()),
    ]
)
"""The columns of the rows of a measure."""

Name = Literal["duckdb", "spark", "postgres"]


class Engine(Protocol):
    """Named tables, and answers to SQL over them."""

    name: Name
    dialect: Dialect

    def put(self, name: str, table: pa.Table) -> None:
        """Hold a table under a name; one of that name before is replaced."""

    def put_kept(self, name: str, kept: Kept) -> None:
        """Hold the kept rows of a view."""

    def query(self, sql: str) -> pa.Table:
        """What a query answers.

        Raises:
            DataError: the data does not bear it, such as a text that is no number.
        """


def ibis_schema(schema: pa.Schema) -> dict[str, str]:
    """The Ibis types of Arrow columns.

    Raises:
        InputError: a column has a type that measures may not read.
    """
    kinds = {pa.string(): "string", pa.int64(): "int64", pa.float64(): "float64", pa.bool_(): "boolean"}
    for field in schema:
        if field.type not in kinds:
            raise InputError(f"a column of type {field.type} cannot be read by a measure", field=field.name)
    return {field.name: kinds[field.type] for field in schema}


def rows_on(engine: Engine, measure: Measure, schemas: Mapping[str, Mapping[str, str]]) -> pa.Table:
    """The rows of a measure over tables that the engine holds, with the columns ``ROWS``, in the order of their keys.

    Args:
        engine: holds the views of the measure and what it reads of the run record.
        measure: the measure.
        schemas: Ibis types by column, by table.

    Raises:
        InputError: the expression does not give the columns that a measure promises.
        DataError: the data does not bear the expression.
    """
    found = engine.query(rows_sql(measure, schemas, engine.dialect)).cast(ROWS)
    return found.sort_by("key")
