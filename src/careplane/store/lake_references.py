"""References that lead nowhere: literal ones to resources that are not in the lake, conditional ones nobody matches."""

from collections.abc import Callable, Sequence
from urllib.parse import unquote

import duckdb

from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.store.lake_commit import Lake

Dangling = Callable[[str, int, str], None]
"""Told the source, the line and the explanation of each target that is missing, at its first mention."""

_MENTIONS = """
CREATE OR REPLACE TEMP TABLE mentions AS
SELECT ref, min(struct_pack(source, line)) AS place, count(*) AS times FROM (
  SELECT unnest(refs) AS ref, source, line FROM read_parquet($parts) WHERE source IN (SELECT unnest($sources)))
GROUP BY ref
"""
_LITERAL = r"^([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/.*)?$"
_MISSING = """
SELECT ref, place.source, place.line, times FROM (
  SELECT *, regexp_extract(ref, $literal, 1) AS type, regexp_extract(ref, $literal, 2) AS id FROM mentions)
WHERE type = $type AND id NOT IN (SELECT id FROM read_parquet($parts)) ORDER BY place
"""
_NONE_OF_TYPE = """
SELECT ref, place.source, place.line, times FROM mentions WHERE regexp_extract(ref, $literal, 1) = $type ORDER BY place
"""
_IDENTIFIERS = """
SELECT coalesce(i.system, ''), i.value FROM (
  SELECT unnest(from_json(json_extract(resource, '$.identifier'), '[{"system":"VARCHAR","value":"VARCHAR"}]')) AS i
  FROM read_parquet($parts)) WHERE i.value IS NOT NULL
"""


def find_dangling(connection: duckdb.DuckDBPyConnection, lake: Lake, sources: Sequence[str], report: Dangling) -> None:
    """Report each target that the resources of ``sources`` mention and the lake does not hold.

    Literal ``Type/id`` references are looked up by id, conditional ``Type?identifier=system|value`` ones by identifier.
    Absolute URLs, URNs and fragments point outside by design and are not judged.
    """
    parts = [str(lake.folder / part.path) for part in lake.manifest.parts]
    if not parts:
        return
    connection.execute(_MENTIONS, {"parts": parts, "sources": list(sources)})
    for kind in _mentioned(connection, _LITERAL):
        _literal(connection, lake, kind, report)
    for kind in _mentioned(connection, r"^([A-Z][A-Za-z]+)\?"):
        _conditional(connection, lake, kind, report)


def _mentioned(connection: duckdb.DuckDBPyConnection, pattern: str) -> list[str]:
    query = "SELECT DISTINCT regexp_extract(ref, $pattern, 1) AS type FROM mentions WHERE type <> '' ORDER BY type"
    return [row[0] for row in connection.execute(query, {"pattern": pattern}).fetchall()]


def _literal(connection: duckdb.DuckDBPyConnection, lake: Lake, kind: str, report: Dangling) -> None:
    parts = [str(part) for part in lake.parts(kind)]
    values: dict[str, object] = {"literal": _LITERAL, "type": kind}
    if parts:
        values["parts"] = parts
    for ref, source, line, times in connection.execute(_MISSING if parts else _NONE_OF_TYPE, values).fetchall():
        why = "" if kind in RESOURCE_TYPES else f"; {kind} is no FHIR R4 resource type"
        report(source, line, f"{ref} is not in the loaded data{why}{_again(times)}")


def _conditional(connection: duckdb.DuckDBPyConnection, lake: Lake, kind: str, report: Dangling) -> None:
    known = _identifiers(connection, [str(part) for part in lake.parts(kind)])
    query = "SELECT ref, place.source, place.line, times FROM mentions WHERE starts_with(ref, $start) ORDER BY place"
    for ref, source, line, times in connection.execute(query, {"start": f"{kind}?"}).fetchall():
        name, _, value = ref.partition("?")[2].partition("=")
        if name != "identifier":
            report(source, line, f"{ref} cannot be looked up; only ?identifier= can{_again(times)}")
        elif unquote(value) not in known:
            report(source, line, f"no loaded {kind} has this identifier: {ref}{_again(times)}")


def _identifiers(connection: duckdb.DuckDBPyConnection, parts: list[str]) -> set[str]:
    """``system|value`` and ``value`` of every identifier of the resources in these parts."""
    rows = connection.execute(_IDENTIFIERS, {"parts": parts}).fetchall() if parts else []
    return {f"{system}|{value}" for system, value in rows} | {value for _, value in rows}


def _again(times: int) -> str:
    return "" if times == 1 else f" (mentioned {times:,} times)"
