"""The rows of measures: views over the lake of a home, and the reviews of the run record beside them."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.lib as pa
from numpy.typing import NDArray

from careplane.codecs.views import duckdb_sql
from careplane.estimators import Floats, Ints
from careplane.evidence.patients import GROUPS
from careplane.measures import REVIEWS, Measure, rows_sql
from careplane.records.run import Run
from careplane.store.lake import connect

Texts = NDArray[np.object_]
_TYPES = {"VARCHAR": "string", "BIGINT": "int64", "DOUBLE": "float64", "BOOLEAN": "boolean"}


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of a measure as columns, ordered by key. ``at`` epoch seconds; ``value`` is NaN where missing."""

    key: Texts
    cluster: Texts
    patient: Texts
    at: Ints
    value: Floats

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True, slots=True)
class Extract:
    """All that an analysis reads: rows by measure, and of each patient the group by dimension."""

    rows: Mapping[str, Rows]
    groups: Mapping[str, Mapping[str, str]]


def extract(home: Path, measures: Mapping[str, Measure], runs: list[Run]) -> Extract:
    """Read the rows of measures and the groups of patients from the lake.

    Args:
        home: home folder of the installation.
        measures: by id.
        runs: whose reviews count.
    """
    with closing(connect(home)) as connection:
        connection.register(REVIEWS, _reviews(runs))
        rows = {name: _rows(connection, measure) for name, measure in measures.items()}
        return Extract(rows, _groups(connection))


def _reviews(runs: list[Run]) -> pa.Table:
    reviewed = [(run.id, run.event.focus, run.review.seconds) for run in runs if run.review and run.event.focus]
    columns = zip(*reviewed, strict=True) if reviewed else ((), (), ())
    types = (pa.string(), pa.string(), pa.float64())
    arrays = [pa.array(list(column), type=kind) for column, kind in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, names=["run", "focus", "seconds"])


def _rows(connection: duckdb.DuckDBPyConnection, measure: Measure) -> Rows:
    schemas = {name: _materialise(connection, name, duckdb_sql(view)) for name, view in measure.views.items()}
    schemas[REVIEWS] = {"run": "string", "focus": "string", "seconds": "float64"}
    found = connection.execute(rows_sql(measure, schemas)).fetchnumpy()
    value = np.ma.filled(found["value"].astype(np.float64), np.nan)
    texts = {name: _texts(found[name]) for name in ("key", "cluster", "patient")}
    return Rows(at=np.asarray(found["at"], dtype=np.int64), value=value, **texts)


def _texts(column: NDArray[np.object_]) -> Texts:
    return np.asarray(np.ma.filled(column, ""), dtype=object)


def _materialise(connection: duckdb.DuckDBPyConnection, name: str, query: str) -> dict[str, str]:
    relation = connection.sql(query)
    connection.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {query}')
    return {column: _TYPES[str(kind)] for column, kind in zip(relation.columns, relation.types, strict=True)}


def _groups(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    found = connection.execute(duckdb_sql(GROUPS))
    names = [column[0] for column in found.description]
    by_dimension: dict[str, dict[str, str]] = {name: {} for name in names[1:]}
    for ident, *values in found.fetchall():
        for name, value in zip(names[1:], values, strict=True):
            if value:
                by_dimension[name][ident] = value
    return by_dimension
