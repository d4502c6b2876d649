"""What every measure promises: its definition, what it reads, and the columns of its rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import ibis

from careplane.errors import InputError
from careplane.measures._tables import TABLES
from careplane.records import JSON
from careplane.records.evidence import MeasureInfo

COLUMNS = ("key", "cluster", "patient", "clinician", "at", "value", "weight")
"""Of the rows of a measure: ``key`` unique, ``cluster`` a reference (``Location/...``), ``patient`` and ``clinician``
ids or null, ``at`` epoch seconds of the event in UTC, ``value`` in the unit of the measure or null when missing.
``weight`` is what the row counts for, 1 unless the measure says otherwise: the denominator of a ratio, the non-response
weight of an answer. The figure of any group of rows is the sum of weight times value over the sum of weights."""

Dialect = Literal["duckdb", "postgres", "pyspark"]
"""The engines that give the same rows, as Ibis calls them."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure that can be run.

    Attributes:
        info: what a reader needs to trust it.
        views: the ViewDefinitions it reads, by the name under which ``rows`` finds them.
        rows: from its views and its tables of the run record to a table with the columns ``COLUMNS``; ``weight`` may be
            left out and is then 1.
        missing: why a row may have no value, as the end of a sentence ("had no reply").
        follow_up_days: how long after the event the value may still come to be.
        reads: the tables (:data:`TABLES`) that it reads beside its views.
    """

    info: MeasureInfo
    views: Mapping[str, JSON]
    rows: Callable[[Mapping[str, ibis.Table]], ibis.Table]
    missing: str
    follow_up_days: int = 0
    reads: tuple[str, ...] = ()


def measured(measure: Measure, tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """The rows of a measure with all of ``COLUMNS``, ordered by key, on whatever engine holds the tables.

    Raises:
        InputError: the expression does not give the columns that a measure promises, or no numbers in them.
    """
    rows = measure.rows(tables)
    one = ibis.literal(1).cast("float64")  # a literal 1.0 is a DECIMAL to DuckDB, and so is what it is added to
    if "weight" not in rows.columns:
        rows = rows.mutate(weight=one)
    if tuple(rows.columns) != COLUMNS:
        raise InputError(f"its rows must have the columns {', '.join(COLUMNS)}", field=f"measure {measure.info.id}")
    if not (rows.value.type().is_numeric() and rows.weight.type().is_numeric()):
        raise InputError("its columns value and weight must be numbers", field=f"measure {measure.info.id}")
    return rows.mutate(value=rows.value * one, weight=rows.weight * one).order_by("key")


_TYPES = {"boolean": "boolean", "decimal": "float64"} | dict.fromkeys(
    ("integer", "positiveInt", "unsignedInt"), "int64"
)


def schemas_of(measure: Measure) -> dict[str, dict[str, str]]:
    """Ibis column types by column, of each table that a measure reads; text where a view says nothing else."""
    views = {name: dict(_columns(view["select"])) for name, view in measure.views.items()}
    return views | {name: dict(TABLES[name]) for name in measure.reads}


def _columns(selects: Iterable[JSON]) -> Iterator[tuple[str, str]]:
    for select in selects:
        yield from ((one["name"], _TYPES.get(one.get("type", ""), "string")) for one in select.get("column", ()))
        yield from _columns(select.get("select", ()))
        yield from _columns(select.get("unionAll", ())[:1])


def expression(measure: Measure) -> ibis.Table:
    """The expression of a measure over tables that are only named, for any engine.

    Raises:
        InputError: the expression does not give the columns that a measure promises.
    """
    return measured(measure, {name: ibis.table(schema, name=name) for name, schema in schemas_of(measure).items()})


def rows_sql(measure: Measure, schemas: Mapping[str, Mapping[str, str]], dialect: Dialect = "duckdb") -> str:
    """The query that gives the rows of a measure, ordered by key (text as the engine orders it).

    Args:
        measure: the measure.
        schemas: Ibis column types by column, of each of its views; those of the run record are known.
        dialect: the engine that is to run it.

    Raises:
        InputError: the expression does not give the columns that a measure promises.
    """
    known = {**{name: TABLES[name] for name in measure.reads}, **schemas}
    tables = {name: ibis.table(dict(schema), name=name) for name, schema in known.items()}
    return str(ibis.to_sql(measured(measure, tables), dialect=dialect))
