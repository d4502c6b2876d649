"""The rows of a measure from FHIR resources in hand: for hand-worked patients, and to try a measure on a file."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

import duckdb
import orjson

from careplane.codecs.views import duckdb_sql
from careplane.errors import InputError
from careplane.measures._contract import Measure, rows_sql
from careplane.measures._tables import TABLES
from careplane.records import JSON

_DUCKDB = {"string": "VARCHAR", "int64": "BIGINT", "float64": "DOUBLE", "boolean": "BOOLEAN"}
_IBIS = {name: kind for kind, name in _DUCKDB.items()}


def rows_in_memory(
    measure: Measure, resources: Iterable[JSON], record: Mapping[str, Iterable[Mapping[str, object]]] | None = None
) -> dict[str, dict[str, Any]]:
    """The rows of a measure by key.

    Args:
        measure: the measure.
        resources: FHIR resources of any type.
        record: rows of its tables of the run record by name; what a row leaves out is null.

    Raises:
        InputError: a view uses what the compiler leaves out, or the rows lack a column.
    """
    given = list(resources)
    with closing(duckdb.connect()) as connection:
        for kind in sorted({str(view["resource"]) for view in measure.views.values()}):
            connection.execute(f'CREATE TABLE "{kind}" (resource VARCHAR)')
            texts = [(orjson.dumps(one).decode(),) for one in given if one["resourceType"] == kind]
            if texts:
                connection.executemany(f'INSERT INTO "{kind}" VALUES (?)', texts)  # noqa: S608 - a view's own name
        schemas = {name: _view(connection, name, view) for name, view in measure.views.items()}
        for name in measure.reads:
            _table(connection, name, (record or {}).get(name, ()))
        found = connection.execute(rows_sql(measure, schemas)).to_arrow_table()
        rows = found.to_pylist()
    by_key = {row["key"]: row for row in rows}
    if len(by_key) != len(rows):
        raise InputError("its rows must have unique keys", field=f"measure {measure.info.id}")
    return by_key


def _view(connection: duckdb.DuckDBPyConnection, name: str, view: JSON) -> dict[str, str]:
    connection.execute(f'CREATE TABLE "{name}" AS {duckdb_sql(view)}')
    return {row[0]: _IBIS[row[1]] for row in connection.execute(f'DESCRIBE "{name}"').fetchall()}


def _table(connection: duckdb.DuckDBPyConnection, name: str, rows: Iterable[Mapping[str, object]]) -> None:
    types = TABLES[name]
    columns = ", ".join(f'"{column}" {_DUCKDB[kind]}' for column, kind in types.items())
    connection.execute(f'CREATE TABLE "{name}" ({columns})')
    places = ", ".join("?" for _ in types)
    for row in rows:
        values = [row.get(column) for column in types]
        connection.execute(f'INSERT INTO "{name}" VALUES ({places})', values)  # noqa: S608 - a table of ours
