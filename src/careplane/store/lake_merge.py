"""Staged rows meet the lake: new, already there, a newer version, an older one, or a conflict."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb

from careplane.store.lake_commit import Lake

Conflict = Callable[[int, str], None]
"""Told the line and the explanation of each version conflict."""

ROW_GROUP = 8192
_VERSION = "coalesce(try_cast(last_updated AS TIMESTAMPTZ), '-infinity'::TIMESTAMPTZ)"
_FATES = f"""
CREATE OR REPLACE TEMP TABLE fates AS
WITH incoming AS (
  SELECT id, hash, line, filename, {_VERSION} AS version FROM read_parquet($staged, filename = true)
), ranked AS (
  SELECT *, row_number() OVER best AS place, first_value(hash) OVER best AS best_hash,
         first_value(version) OVER best AS best_version
  FROM incoming WINDOW best AS (PARTITION BY id ORDER BY version DESC, line)
)
SELECT r.id, r.line, r.filename, CASE
  WHEN place > 1 AND r.hash = best_hash THEN 'already'
  WHEN place > 1 AND r.version < best_version THEN 'older'
  WHEN place > 1 THEN 'conflict'
  WHEN held.id IS NULL THEN 'new'
  WHEN held.hash = r.hash THEN 'already'
  WHEN held.version < r.version THEN 'updated'
  WHEN held.version > r.version THEN 'older'
  ELSE 'conflict' END AS fate
FROM ranked r LEFT JOIN held ON held.id = r.id
"""  # noqa: S608 - the only part put in is a constant of this module
_HELD = f"""
CREATE OR REPLACE TEMP TABLE held AS
SELECT id, hash, {_VERSION} AS version FROM read_parquet($parts)
WHERE id IN (SELECT id FROM read_parquet($staged))
"""  # noqa: S608 - the only part put in is a constant of this module
_NOTHING_HELD = "CREATE OR REPLACE TEMP TABLE held (id VARCHAR, hash VARCHAR, version TIMESTAMPTZ)"
_KEPT = "fate IN ('new', 'updated')"


def merge(
    connection: duckdb.DuckDBPyConnection, lake: Lake, staged: dict[str, list[Path]], conflict: Conflict
) -> dict[str, dict[str, int]]:
    """Merge the staged files of one source into the lake in one commit.

    Args:
        connection: a scratch connection.
        lake: the lake, held for writing.
        staged: staged files by resource type, all from the same source.
        conflict: told each line left out because its content differs while its version does not.

    Returns:
        By type, how many resources were ``new``, ``already``, ``updated``, ``older`` or in ``conflict``.
    """
    counts: dict[str, dict[str, int]] = {}
    added: list[tuple[str, Path, int]] = []
    dropped: list[Path] = []
    for kind, files in staged.items():
        counts[kind] = _decide(connection, lake, kind, files)
        for line, ident in connection.execute("SELECT line, id FROM fates WHERE fate = 'conflict'").fetchall():
            conflict(line, f"{kind}/{ident} differs from the one already loaded and is not newer (meta.lastUpdated)")
        added += [(kind, file, rows) for file, rows in _kept(connection, lake, files)]
        if counts[kind].get("updated"):
            renewed, old = _without_replaced(connection, lake, lake.parts(kind))
            added += [(kind, file, rows) for file, rows in renewed]
            dropped += old
    if added or dropped:
        lake.commit(added, dropped)
    return counts


def _decide(connection: duckdb.DuckDBPyConnection, lake: Lake, kind: str, files: Sequence[Path]) -> dict[str, int]:
    staged, parts = _names(files), _names(lake.parts(kind))
    if parts:
        connection.execute(_HELD, {"parts": parts, "staged": staged})
    else:
        connection.execute(_NOTHING_HELD)
    connection.execute(_FATES, {"staged": staged})
    return dict(connection.execute("SELECT fate, count(*) FROM fates GROUP BY fate").fetchall())


def _kept(connection: duckdb.DuckDBPyConnection, lake: Lake, files: Sequence[Path]) -> list[tuple[Path, int]]:
    """The staged files with only the rows that join the lake, and how many; untouched files are not rewritten."""
    kept = []
    for file in files:
        query = f"SELECT count(*) FILTER (WHERE {_KEPT}), count(*) FROM fates WHERE filename = $file"  # noqa: S608
        joining, rows = connection.execute(query, {"file": str(file)}).fetchall()[0]
        if joining == rows:
            kept.append((file, rows))
        elif joining:
            chosen = f"SELECT line FROM fates WHERE {_KEPT} AND filename = $file"  # noqa: S608
            query = f"SELECT * FROM read_parquet($file) WHERE line IN ({chosen})"  # noqa: S608
            kept.append((write_part(connection, lake, query, {"file": str(file)}), joining))
    return kept


def _without_replaced(
    connection: duckdb.DuckDBPyConnection, lake: Lake, parts: Sequence[Path]
) -> tuple[list[tuple[Path, int]], list[Path]]:
    """Parts that hold replaced versions, written anew without them; and the parts they stand in for."""
    replaced = "SELECT id FROM fates WHERE fate = 'updated'"
    renewed, old = [], []
    for part in parts:
        query = f"SELECT count(*) FILTER (WHERE id IN ({replaced})), count(*) FROM read_parquet($part)"  # noqa: S608
        stale, rows = connection.execute(query, {"part": str(part)}).fetchall()[0]
        if stale:
            old.append(part)
        if 0 < stale < rows:
            query = f"SELECT * FROM read_parquet($part) WHERE id NOT IN ({replaced})"  # noqa: S608
            renewed.append((write_part(connection, lake, query, {"part": str(part)}), rows - stale))
    return renewed, old


def write_part(connection: duckdb.DuckDBPyConnection, lake: Lake, query: str, values: Mapping[str, object]) -> Path:
    """Write the rows of a query to a new staged Parquet file."""
    file = lake.stage()
    copy = f"COPY ({query}) TO $target (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    connection.execute(copy, {**values, "target": str(file)})
    return file


def _names(files: Sequence[Path]) -> list[str]:
    return [str(file) for file in files]
