"""The rows of views over the lake, kept from run to run: a run reads only the resources that changed since the last.

The rows that each part of the lake gives are one Parquet file in ``<home>/views/<digest of the view>``. A row carries
id and hash of its resource, and a resource that gives no row leaves a mark, so when a part is written anew (one of its
resources has a newer version) the rows of the others are taken over. What a view gives for the lake is the union of
the files of its present parts, so a run gives what a run from nothing would give: late, changed and deleted resources
change the parts they are in, and nothing else is looked at. A file appears whole (write, fsync, rename) under a name
that says of which part it is, so a run that was killed leaves nothing that a later one could mistake.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec
import pyarrow.lib as pa

from careplane import __version__
from careplane.codecs.fhir_lake import FOLDER as LAKE
from careplane.codecs.views import View, compile_view, duckdb_sql
from careplane.codecs.views.arrow_rows import arrow_schema, arrow_table, rows_of_texts
from careplane.errors import DataError, InputError, StoreError
from careplane.records import JSON
from careplane.store.lake_commit import read_manifest

FOLDER = "views"
"""Folder of the kept rows inside the home."""

SOURCE = ("_id", "_hash", "_row")
"""Columns of a kept file before those of the view: id and hash of the resource; whether this is a row, or the mark of a
resource that gives none. No column of a view begins with an underscore."""

_FORMAT = "1"
_TRIES = 5
_KNOWN = """
CREATE OR REPLACE TEMP TABLE known AS
WITH one AS (SELECT _id, _hash, min(filename) AS file FROM read_parquet($stale, filename = true) GROUP BY _id, _hash)
SELECT one.* FROM one SEMI JOIN read_parquet($part) part ON one._id = part.id AND one._hash = part.hash
"""
_NOTHING_KNOWN = "CREATE OR REPLACE TEMP TABLE known (_id VARCHAR, _hash VARCHAR, file VARCHAR)"
_CHANGED = """
CREATE OR REPLACE TEMP TABLE changed AS
SELECT id AS _id, hash AS _hash, resource FROM read_parquet($part) part
WHERE NOT EXISTS (SELECT 1 FROM known WHERE known._id = part.id)
"""
_MADE = """
CREATE OR REPLACE TEMP TABLE made AS
SELECT *, true AS _row FROM given
UNION ALL BY NAME SELECT _id, _hash, false AS _row FROM changed ANTI JOIN given USING (_id)
"""
_WRITE = "COPY made TO $target (FORMAT parquet, COMPRESSION zstd)"
_WRITE_BOTH = """
COPY (
  SELECT * FROM made UNION ALL BY NAME
  SELECT kept.* EXCLUDE (filename) FROM read_parquet($stale, filename = true) kept
  SEMI JOIN known ON kept._id = known._id AND kept._hash = known._hash AND kept.filename = known.file
) TO $target (FORMAT parquet, COMPRESSION zstd)
"""


class Refreshed(msgspec.Struct, frozen=True):
    """What bringing a view up to date took.

    Attributes:
        parts: parts of the lake there are.
        parts_read: parts that were not there at the last run.
        resources_read: resources that were looked at because they are new or changed.
        taken_over: resources in those parts whose rows were at hand already.
    """

    parts: int
    parts_read: int
    resources_read: int
    taken_over: int


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows of a view: files with ``SOURCE`` and the columns of ``schema``."""

    schema: pa.Schema
    files: tuple[Path, ...]
    refreshed: Refreshed

    @property
    def sql(self) -> str:
        """The rows as a DuckDB query, without ``SOURCE``."""
        columns = ", ".join(f'"{field.name}"' for field in self.schema)
        files = ", ".join("'" + str(file).replace("'", "''") + "'" for file in self.files)
        if files:
            return f"SELECT {columns} FROM read_parquet([{files}]) WHERE _row"  # noqa: S608 - names of our own files
        typed = ", ".join(f'NULL::{_duckdb(field.type)} AS "{field.name}"' for field in self.schema)
        return f"SELECT {typed} WHERE false"


@contextmanager
def kept_rows(home: Path, views: Mapping[str, JSON]) -> Iterator[dict[str, Kept]]:
    """Bring views up to date with the lake; their files stay as they are until the block ends, other callers wait.

    Args:
        home: home folder of the installation.
        views: ViewDefinitions by a name of the caller's.

    Raises:
        InputError: a ViewDefinition does not hold.
        DataError: a resource does not fit a view; names the view.
        StoreError: rows cannot be read or written, as on a full disk.
    """
    folder = home / FOLDER
    try:
        with _alone(folder):
            yield {name: _Refresh(home, name, view).run() for name, view in views.items()}
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        told = str(error).partition("\n")[0]
        raise StoreError(f"The rows of views in {folder} cannot be read or written: {told}") from error


def forget_rows(home: Path) -> None:
    """Remove all kept rows, so that the next run starts from nothing."""
    folder = home / FOLDER
    with _alone(folder):
        for view in folder.iterdir():
            if view.is_dir() and not view.name.startswith("."):
                shutil.rmtree(view)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _Refresh:
    """One view while its kept rows are brought up to date."""

    def __init__(self, home: Path, name: str, view: JSON) -> None:
        self.home = home
        self.name = name
        self.view = compile_view(view)
        self.sql = _fast_path(view)
        said = (_FORMAT, __version__, msgspec.json.encode(view, order="sorted").decode(), self.sql or "in Python")
        self.folder = home / FOLDER / hashlib.sha256("\n".join(said).encode()).hexdigest()[:32]
        self.read = self.taken = 0

    def run(self) -> Kept:
        self.folder.mkdir(exist_ok=True, mode=0o700)
        for draft in self.folder.glob("*.new"):
            draft.unlink()
        for left in reversed(range(_TRIES)):
            try:
                return self._once()
            except (FileNotFoundError, duckdb.IOException):
                # two loads ended since the manifest was read, and the second cleared what the first replaced
                if not left:
                    raise
        raise AssertionError("the loop returns or raises")

    def _once(self) -> Kept:
        lake = read_manifest(self.home).of_type(self.view.definition.resource)
        parts = {self._file(part): part for part in (self.home / LAKE / one.path for one in lake)}
        held = set(self.folder.glob("*.parquet"))
        stale, missing = sorted(held - parts.keys()), sorted(parts.keys() - held)
        with closing(duckdb.connect(config={"memory_limit": "1GB", "threads": 2})) as connection:
            connection.execute("SET temp_directory = $folder", {"folder": str(self.folder)})
            for file in missing:
                self._build(connection, parts[file], file, [str(one) for one in stale])
        for file in stale:
            file.unlink()
        if stale or missing:
            _sync(self.folder)
        told = Refreshed(parts=len(parts), parts_read=len(missing), resources_read=self.read, taken_over=self.taken)
        return Kept(arrow_schema(self.view), tuple(sorted(parts)), told)

    def _file(self, part: Path) -> Path:
        """The name of the rows of a part; size and time tell it from one that had its name in an earlier lake."""
        status = part.stat()
        return self.folder / f"{part.stem}-{status.st_size}-{status.st_mtime_ns}.parquet"

    def _build(self, connection: duckdb.DuckDBPyConnection, part: Path, file: Path, stale: Sequence[str]) -> None:
        """Write the rows of a part."""
        if stale:
            connection.execute(_KNOWN, {"part": str(part), "stale": stale})
        else:
            connection.execute(_NOTHING_KNOWN)
        connection.execute(_CHANGED, {"part": str(part)})
        self._give(connection)
        connection.execute(_MADE)
        draft = file.with_suffix(".new")
        values = {"target": str(draft)} | ({"stale": stale} if stale else {})
        connection.execute(_WRITE_BOTH if stale else _WRITE, values)
        _sync(draft)
        draft.replace(file)
        counts = "SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM known)"
        changed, known = connection.execute(counts).fetchall()[0]
        self.read, self.taken = self.read + changed, self.taken + known

    def _give(self, connection: duckdb.DuckDBPyConnection) -> None:
        """The table ``given``: the rows of the resources in ``changed``."""
        try:
            if self.sql is not None:
                connection.execute(f"CREATE OR REPLACE TEMP TABLE given AS {self.sql}")
                return
            connection.register("evaluated", _evaluated(self.view, connection))
            connection.execute("CREATE OR REPLACE TEMP TABLE given AS SELECT * FROM evaluated")
            connection.unregister("evaluated")
        except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
            told = str(error).partition("\n")[0]
            raise DataError(f"a resource of the lake does not fit the view: {told}", field=self.name) from error
        except DataError as error:
            raise DataError(f"a resource of the lake does not fit the view: {error}", field=self.name) from error


def _fast_path(view: JSON) -> str | None:
    """The query of a view over the table ``changed``; ``None`` where only Python can express it."""
    try:
        return duckdb_sql(view, source="changed", carried=SOURCE[:2])
    except InputError:
        return None


def _evaluated(view: View, connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The rows of ``changed`` in Python."""
    found = connection.execute("SELECT _id, _hash, resource FROM changed").fetchall()
    rows = [(ident, mark, row) for ident, mark, text in found for row in rows_of_texts(view, [text])]
    table = arrow_table(view, [row for _, _, row in rows])
    for name, values in (("_hash", [mark for _, mark, _ in rows]), ("_id", [ident for ident, _, _ in rows])):
        table = table.add_column(0, name, pa.array(values, type=pa.string()))
    return table


def _duckdb(kind: pa.DataType) -> str:
    if isinstance(kind, pa.ListType):
        return f"{_duckdb(kind.value_type)}[]"
    return {pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.bool_(): "BOOLEAN"}.get(kind, "VARCHAR")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
