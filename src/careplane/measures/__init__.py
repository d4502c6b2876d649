"""The shelf of measures: what is counted, from which views of FHIR, one row per unit of analysis.

An item is a folder with ``MEASURE``, a :class:`Measure`. Its expression keeps to operators that DuckDB, Spark and
PostgreSQL answer alike: explicit casts, integer arithmetic, epoch seconds, aggregates whose value has no ties to break,
``ifelse(x, 1.0, 0.0)`` in place of a cast or mean of a boolean.
"""

from careplane.measures._contract import COLUMNS, Dialect, Measure, expression, measured, rows_sql, schemas_of
from careplane.measures._in_memory import rows_in_memory
from careplane.measures._instants import Column, epoch_seconds, offset_seconds, wall_seconds
from careplane.measures._portable import problems
from careplane.measures._tables import DERIVED, RECORD, REFERENCE, TABLES

__all__ = [
    "COLUMNS",
    "DERIVED",
    "RECORD",
    "REFERENCE",
    "TABLES",
    "Column",
    "Dialect",
    "Measure",
    "epoch_seconds",
    "expression",
    "measured",
    "offset_seconds",
    "problems",
    "rows_in_memory",
    "rows_sql",
    "schemas_of",
    "wall_seconds",
]
