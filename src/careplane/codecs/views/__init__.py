"""SQL on FHIR v2: ViewDefinitions, which say as data what tables are made of FHIR resources.

Two ways lead to the same rows: :func:`compile_view` evaluates the whole specification in Python, and
:func:`duckdb_sql` compiles what DuckDB can express to one ``SELECT``, for the lake.

Source: https://sql-on-fhir.org/ (SQL on FHIR v2).
"""

from careplane.codecs.views.definition import Definition, problems_of, read_definition
from careplane.codecs.views.duckdb_sql import duckdb_sql
from careplane.codecs.views.rows import View, compile_view

__all__ = ["Definition", "View", "compile_view", "duckdb_sql", "problems_of", "read_definition"]
