"""The shelf of measures: what is counted, from which views of FHIR, one row per unit of analysis.

An item is a folder with ``MEASURE``, a :class:`Measure`. Its expression keeps to operators that DuckDB and Spark answer
alike: explicit casts, integer arithmetic, epoch seconds, aggregates whose value has no ties to break.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ibis

from careplane.errors import InputError
from careplane.records import JSON
from careplane.records.evidence import MeasureInfo

Column = Any
"""An Ibis column expression; its arithmetic is dynamic, so it has no narrower type."""

COLUMNS = ("key", "cluster", "patient", "clinician", "at", "value")
"""Of the rows of a measure: ``key`` unique, ``cluster`` a reference (``Location/...``), ``patient`` and ``clinician``
ids or null, ``at`` epoch seconds of the event in UTC, ``value`` in the unit of the measure or null when missing."""

REVIEWS = "runs_review"
"""The table that every measure gets beside its views: ``run``, ``focus`` (reference) and ``seconds`` of each review."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure that can be run.

    Attributes:
        info: what a reader needs to trust it.
        views: the ViewDefinitions it reads, by the name under which ``rows`` finds them.
        rows: from those tables and ``runs_review`` to a table with the columns ``COLUMNS``.
        missing: why a row may have no value, as the end of a sentence ("had no reply").
        follow_up_days: how long after the event the value may still come to be.
    """

    info: MeasureInfo
    views: Mapping[str, JSON]
    rows: Callable[[Mapping[str, ibis.Table]], ibis.Table]
    missing: str
    follow_up_days: int = 0


def epoch_seconds(instant: Column) -> Column:
    """A FHIR instant (``2026-03-02T09:00:00-06:00``, ``...Z``) as seconds since 1970 in UTC; fractions are dropped."""
    return wall_seconds(instant) - offset_seconds(instant)


def wall_seconds(instant: Column) -> Column:
    """The wall time that an instant shows (its first 19 characters), as if it were UTC, in seconds since 1970."""
    return instant.substr(0, 19).cast("timestamp").epoch_seconds().cast("int64")


def offset_seconds(instant: Column) -> Column:
    """The offset from UTC that an instant carries, in seconds; ``Z`` is 0."""
    tail = instant.substr(instant.length() - 6, 6)
    hours, minutes = tail.substr(1, 2).try_cast("int64"), tail.substr(4, 2).try_cast("int64")
    size = hours * 3600 + minutes * 60
    return instant.endswith("Z").ifelse(0, tail.startswith("-").ifelse(-size, size)).cast("int64")


def rows_sql(measure: Measure, schemas: Mapping[str, Mapping[str, str]]) -> str:
    """The DuckDB query that gives the rows of a measure, ordered by key.

    Args:
        measure: the measure.
        schemas: Ibis column types by column, of each of its views and of ``runs_review``.

    Raises:
        InputError: the expression does not give the columns that a measure promises.
    """
    rows = measure.rows({name: ibis.table(dict(schema), name=name) for name, schema in schemas.items()})
    if tuple(rows.columns) != COLUMNS:
        raise InputError(f"its rows must have the columns {', '.join(COLUMNS)}", field=f"measure {measure.info.id}")
    return str(ibis.to_sql(rows.order_by("key"), dialect="duckdb"))


__all__ = ["COLUMNS", "REVIEWS", "Column", "Measure", "epoch_seconds", "offset_seconds", "rows_sql", "wall_seconds"]
