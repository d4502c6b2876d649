"""The rows of measures: views over the lake of a home, and the tables of the run record beside them."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.lib as pa
from numpy.typing import NDArray

from careplane.estimators import Floats, Ints
from careplane.evidence.nonresponse import survey_weights
from careplane.evidence.patients import Groups, read_groups
from careplane.evidence.reference_tables import read_ruca, reference_tables
from careplane.evidence.run_tables import RunRecord, record_tables
from careplane.evidence.texts import read_texts
from careplane.measures import Measure, rows_sql
from careplane.store.lake import connect
from careplane.store.lake_views import kept_rows

Texts = NDArray[np.object_]
_TYPES = {"VARCHAR": "string", "BIGINT": "int64", "DOUBLE": "float64", "BOOLEAN": "boolean"}

NEVER = -(2**62)
"""Before any window: when an event happened whose time the record does not say."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of a measure as columns, ordered by key. ``at`` epoch seconds, ``NEVER`` where the record has no readable
    time, which is in no window; ``value`` is NaN where missing; ``weight`` is
    what a row counts for (1, the denominator of a ratio, or a non-response weight)."""

    key: Texts
    cluster: Texts
    patient: Texts
    clinician: Texts
    at: Ints
    value: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True, slots=True)
class Extract:
    """All that an analysis reads: rows by measure, and of each patient the group by dimension."""

    rows: Mapping[str, Rows]
    groups: Groups


def extract(home: Path, measures: Mapping[str, Measure], record: RunRecord, on: date | None = None) -> Extract:
    """Read the rows of measures and the groups of patients from the lake.

    Args:
        home: home folder of the installation.
        measures: by id.
        record: what the platform recorded, for measures that read it.
        on: the day on which age and payer of the patients are taken.
    """
    with closing(connect(home)) as connection:
        for name, table in tables_beside(connection, home, measures, record).items():
            connection.register(name, table)
        rows = {name: _rows(connection, home, measure) for name, measure in measures.items()}
        groups = read_groups(connection, on, read_ruca(home))
    surveys = {name for name, measure in measures.items() if measure.info.survey}
    return Extract({name: _weighed(of, groups) if name in surveys else of for name, of in rows.items()}, groups)


def tables_beside(
    connection: duckdb.DuckDBPyConnection, home: Path, measures: Mapping[str, Measure], record: RunRecord
) -> dict[str, pa.Table]:
    """What measures read beside their views, by name: the run record, the reference tables of the site and, where one
    of them asks for it, what is worked out of the lake.

    Args:
        connection: to the lake of the home (:func:`careplane.store.lake.connect`).
        home: home folder of the installation.
        measures: by id.
        record: what the platform recorded.
    """
    tables = {**record_tables(record), **reference_tables(home)}
    if any("texts" in measure.reads for measure in measures.values()):
        tables["texts"] = read_texts(connection)
    return tables


def _weighed(rows: Rows, groups: Groups) -> Rows:
    """A survey of patients with non-response weights; one of staff as it is."""
    if not (rows.patient != "").any():
        return rows
    return replace(rows, weight=survey_weights(rows.value, rows.patient.tolist(), groups))


def _rows(connection: duckdb.DuckDBPyConnection, home: Path, measure: Measure) -> Rows:
    with kept_rows(home, measure.views) as kept:
        schemas = {name: _materialise(connection, name, view.sql) for name, view in kept.items()}
    found = connection.execute(rows_sql(measure, schemas)).fetchnumpy()
    value = np.ma.filled(found["value"].astype(np.float64), np.nan)
    weight = np.ma.filled(found["weight"].astype(np.float64), 0.0)
    texts = {name: _texts(found[name]) for name in ("key", "cluster", "patient", "clinician")}
    return Rows(at=np.ma.filled(found["at"].astype(np.int64), NEVER), value=value, weight=weight, **texts)


def _texts(column: NDArray[np.object_]) -> Texts:
    return np.asarray(np.ma.filled(column, ""), dtype=object)


def _materialise(connection: duckdb.DuckDBPyConnection, name: str, query: str) -> dict[str, str]:
    relation = connection.sql(query)
    connection.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {query}')
    return {column: _TYPES[str(kind)] for column, kind in zip(relation.columns, relation.types, strict=True)}
