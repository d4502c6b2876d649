"""The lake: FHIR R4 bulk NDJSON loaded into Parquet, one folder per resource type, each resource kept as written.

A load reads every file in chunks of whole lines (:mod:`.lake_chunks`), turns them into rows (:mod:`.lake_rows`), merges
the rows of each file in one commit (:mod:`.lake_merge`, :mod:`.lake_commit`) and looks for references that lead nowhere
(:mod:`.lake_references`). What is wrong is reported with file and line; the rest loads; nothing is loaded twice.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.codecs.fhir_lake import FOLDER
from careplane.errors import InputError, StoreError
from careplane.records import Record
from careplane.store.lake_chunks import Break, find_files, read_chunks
from careplane.store.lake_commit import Lake, read_manifest, writing
from careplane.store.lake_merge import merge, write_part
from careplane.store.lake_references import find_dangling
from careplane.store.lake_report import Kind, LoadReport, Problem, ProblemLog, Tally, TypeCount
from careplane.store.lake_rows import Fault, read_rows, types_of

__all__ = ["LoadReport", "Problem", "Progress", "TypeCount", "connect", "load_path", "tables"]

MEMORY_LIMIT = "256MB"
_COLUMNS = "id, patient, resource, last_updated, source, line"
_FIELDS = {"conflict": "quarantined"}


class Progress(Record, frozen=True):
    """How far a load is, in bytes as stored on disk; ``resources`` counts rows read so far."""

    file: str
    bytes_done: int
    bytes_total: int
    resources: int


class _Load:
    """One load under way: its lake, its scratch connection, and what it has counted."""

    def __init__(self, lake: Lake, log: ProblemLog, total: int, progress: Callable[[Progress], None] | None) -> None:
        self.lake = lake
        self.log = log
        self.tally = Tally()
        self.connection = duckdb.connect(
            config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(lake.staging), "threads": 2}
        )
        self._total = total
        self._before = 0
        self._resources = 0
        self._progress = progress

    def load_file(self, file: Path) -> None:
        """Read one file and merge its rows into the lake in one commit."""
        staged: dict[str, list[Path]] = {}
        chunks = 0
        for chunk in read_chunks(file, lambda found: self._break(file, found)):
            chunks += 1
            read_rows(self.connection, chunk, str(file), lambda fault: self._fault(file, fault))
            for kind in types_of(self.connection):
                query = "SELECT * EXCLUDE (type, doubtful) FROM rows WHERE type = $type"
                staged.setdefault(kind, []).append(write_part(self.connection, self.lake, query, {"type": kind}))
            self._tell(file, chunk.position)
        if not chunks:
            self.log.add(Problem(file=str(file), line=None, kind="empty_file", text="holds no lines"))
        counts = merge(self.connection, self.lake, staged, lambda line, text: self._conflict(file, line, text))
        for kind, fates in counts.items():
            self.tally.add(kind, Counter({_FIELDS.get(fate, fate): count for fate, count in fates.items()}))
        self._before += file.stat().st_size

    def dangling(self, source: str, line: int, text: str) -> None:
        self.log.add(Problem(file=source, line=line, kind="dangling_reference", text=text))

    def _tell(self, file: Path, position: int) -> None:
        self._resources += self.connection.execute("SELECT count(*) FROM rows").fetchall()[0][0]
        if self._progress is not None:
            done = self._before + position
            told = Progress(file=str(file), bytes_done=done, bytes_total=self._total, resources=self._resources)
            self._progress(told)

    def _fault(self, file: Path, fault: Fault) -> None:
        line, kind, text, resource_type = fault
        self.log.add(Problem(file=str(file), line=line, kind=kind, text=text, resource_type=resource_type))
        self.tally.add(resource_type, {"quarantined": 1})

    def _break(self, file: Path, found: Break) -> None:
        self.log.add(Problem(file=str(file), line=found.line, kind=found.kind, text=found.text))
        if found.line is not None:
            self.tally.add("", {"quarantined": 1})

    def _conflict(self, file: Path, line: int, text: str) -> None:
        kind: Kind = "version_conflict"
        self.log.add(Problem(file=str(file), line=line, kind=kind, text=text, resource_type=text.partition("/")[0]))


def load_path(path: Path, home: Path, progress: Callable[[Progress], None] | None = None) -> LoadReport:
    """Load FHIR R4 bulk NDJSON, plain or gzip, into the lake of a home.

    Args:
        path: one file, or a folder whose ``*.ndjson``, ``*.jsonl`` and their ``.gz`` are read, at any depth. A folder
            around the home leaves out what is inside it (its lists of problems, its ledger).
        home: home folder of the installation; made when missing.
        progress: told after each chunk.

    Returns:
        Counts by type, and the problems with file and line. All problems are in ``problems_file`` inside the home.

    Raises:
        InputError: there is no such path, or no NDJSON file in it.
        StoreError: the lake cannot be read or written, as on a full disk; files merged before that stay loaded.
    """
    own, inside = home.resolve(), path.resolve().is_relative_to(home.resolve())
    files = [file for file in find_files(path) if inside or not file.is_relative_to(own)]
    if not files:
        told = (
            "holds no *.ndjson, *.jsonl, *.ndjson.gz or *.jsonl.gz file" if path.exists() else "there is no such path"
        )
        raise InputError(told, file=path)
    total = sum(file.stat().st_size for file in files)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"load-problems-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.jsonl"
    with writing(home) as lake, ProblemLog(home / name) as log:
        load = _Load(lake, log, total, progress)
        try:
            for file in files:
                load.load_file(file)
            find_dangling(load.connection, lake, [str(file) for file in files], load.dangling)
        except (duckdb.IOException, duckdb.InvalidInputException, duckdb.OutOfMemoryException) as error:
            told = str(error).partition("\n")[0]
            raise StoreError(f"The loaded data in {lake.folder} cannot be read or written: {told}") from error
        finally:
            load.connection.close()
    return LoadReport(
        path=str(path),
        files=len(files),
        bytes_read=total,
        types=load.tally.counts(),
        problems=tuple(log.first),
        problems_by_kind=dict(log.by_kind),
        problems_file=str(log.file) if log.by_kind else None,
    )


def tables(home: Path) -> dict[str, list[Path]]:
    """The complete Parquet parts by resource type; parts of a load under way are not among them."""
    found: dict[str, list[Path]] = {}
    for part in read_manifest(home).parts:
        found.setdefault(part.type, []).append(home / FOLDER / part.path)
    return found


def connect(home: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB connection with one view per FHIR R4 resource type, empty for types never loaded.

    Columns: ``id``, ``patient`` (id or null), ``resource`` (JSON text as written), ``last_updated`` (text as written or
    null), ``source``, ``line``. The views show the lake as it was when the connection was opened.
    """
    connection = duckdb.connect(config={"memory_limit": "1GB"})
    loaded = tables(home)
    nothing = connection.sql(
        "SELECT NULL::VARCHAR AS id, NULL::VARCHAR AS patient, NULL::VARCHAR AS resource, "
        "NULL::VARCHAR AS last_updated, NULL::VARCHAR AS source, NULL::BIGINT AS line WHERE false"
    )
    for kind in sorted(RESOURCE_TYPES):
        parts = [str(part) for part in loaded.get(kind, [])]
        relation = connection.read_parquet(parts).project(_COLUMNS) if parts else nothing
        relation.create_view(kind)
    return connection
