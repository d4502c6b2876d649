"""Runs of the measures of an installation, as every night: their rows kept as Parquet, their figure beside them.

A run reads the resources that changed since the last (:mod:`careplane.store.lake_views`); a measure whose views, run
record and expression are as they were is not computed again. Rows and figure of a measure are in ``<home>/measures``,
``ID.parquet`` and ``ID.json``, each replaced as a whole.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.lib as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from careplane.errors import CareplaneError, DataError
from careplane.evidence.engines import Engine, ibis_schema, rows_on
from careplane.evidence.engines.on_spark import Spark
from careplane.evidence.figures import too_few
from careplane.measures import Measure, rows_sql
from careplane.records import Record
from careplane.records.evidence import MeasureInfo
from careplane.store.lake import tables as lake_parts
from careplane.store.lake_views import forget_rows, kept_rows

FOLDER = "measures"
"""Folder of the kept rows and figures inside the home."""

Schemas = dict[str, dict[str, str]]


class MeasureRun(Record, frozen=True):
    """One measure at one time.

    Attributes:
        measure: its id.
        at: when it ran.
        engine: where.
        rows: rows of the measure; ``measured`` those with a value.
        figure: the mean of the values by their weights, in the unit of the measure; ``None`` without a value.
        resources_read: resources of the lake that were looked at; ``taken_over`` those whose rows were at hand though
            their part was written anew. Spark reads the lake itself and counts neither.
        seconds: how long it took.
        inputs: a digest of what it was computed from.
        unchanged: the inputs were those of the run before, whose rows and figure these are.
        problem: why there are none, where a measure could not be computed.
        withheld: why a reader is not told rows and figure (:func:`shown`); never kept.
    """

    measure: str
    at: datetime
    engine: str = "duckdb"
    rows: int | None = 0
    measured: int | None = 0
    figure: float | None = None
    resources_read: int = 0
    taken_over: int = 0
    seconds: float = 0.0
    inputs: str = ""
    unchanged: bool = False
    problem: str = ""
    withheld: str = ""


@dataclass(frozen=True, slots=True)
class _Held:
    """The tables of a measure as its engine holds them: their columns, what they were made of, what that took."""

    schemas: Schemas
    sources: tuple[str, ...]
    resources_read: int = 0
    taken_over: int = 0


def run_measures(
    home: Path,
    measures: Mapping[str, Measure],
    tables: Mapping[str, pa.Table],
    at: datetime,
    engine: Engine,
    tell: Callable[[MeasureRun], None] = lambda _run: None,
    *,
    anew: bool = False,
) -> list[MeasureRun]:
    """Run measures and keep their rows and figures. A measure that cannot be computed does not stop the others.

    Args:
        home: home folder of the installation.
        measures: by id.
        tables: what measures read beside their views, by name.
        at: the time of the run.
        engine: where they run; it is given the tables.
        tell: told after each measure.
        anew: forget what earlier runs kept, and read everything.

    Raises:
        DataError: the kept figure of a measure cannot be read, or the engine cannot take a table.
        StoreError: the home cannot be written.
    """
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if anew:
        forget_rows(home)
    before = {} if anew else latest_runs(home)
    schemas = {name: ibis_schema(table.schema) for name, table in tables.items()}
    digests = {name: _digest(table) for name, table in tables.items()}
    done = []
    for name, table in tables.items():
        engine.put(name, table)
    for name, measure in measures.items():
        started = time.perf_counter()
        try:
            lacking = [one for one in measure.reads if one not in tables]
            if lacking:
                raise DataError(f"reads {', '.join(lacking)}, of which this run was given nothing")
            with _views(engine, home, measure) as held:
                sources = (*held.sources, *(digests[one] for one in measure.reads))
                known = held.schemas | {one: schemas[one] for one in measure.reads}
                found = _run(engine, measure, known, sources, folder, before.get(name), at)
            found = replace(found, resources_read=held.resources_read, taken_over=held.taken_over)
        except CareplaneError as error:
            found = MeasureRun(measure=name, at=at, problem=str(error))
        seconds = round(time.perf_counter() - started, 3)
        found = replace(found, at=at, engine=engine.name, seconds=seconds)
        if not found.problem:
            _replace(folder / f"{name}.json", msgspec.json.encode(found))
        done.append(found)
        tell(found)
    return done


def latest_runs(home: Path) -> dict[str, MeasureRun]:
    """The newest run of each measure that ran.

    Raises:
        DataError: a file of them cannot be read.
    """
    found = {}
    for file in sorted((home / FOLDER).glob("*.json")):
        try:
            run = msgspec.json.decode(file.read_bytes(), type=MeasureRun)
        except msgspec.MsgspecError as error:
            raise DataError(f"not the run of a measure ({error}); remove it to run anew", file=file) from error
        found[run.measure] = run
    return found


def shown(run: MeasureRun, info: MeasureInfo, small_cell: int) -> MeasureRun:
    """A run as a reader may see it: without rows and figure where fewer than the small cell have a value.

    Args:
        run: as it was kept.
        info: its measure.
        small_cell: that of the installation; never less than the measure's own.
    """
    small = max(small_cell, info.small_cell)
    if not 0 < (run.measured or 0) < small:
        return run
    return replace(run, rows=None, measured=None, figure=None, withheld=too_few(small))


def _run(
    engine: Engine,
    measure: Measure,
    schemas: Schemas,
    sources: tuple[str, ...],
    folder: Path,
    before: MeasureRun | None,
    at: datetime,
) -> MeasureRun:
    name = measure.info.id
    query = rows_sql(measure, schemas, engine.dialect)
    inputs = hashlib.sha256("\n".join((query, *sources)).encode()).hexdigest()
    rows_file = folder / f"{name}.parquet"
    if before is not None and before.inputs == inputs and rows_file.exists():
        return replace(before, unchanged=True)
    rows = rows_on(engine, measure, schemas)
    draft = rows_file.with_suffix(".new")
    write: Any = pq.write_table  # the library has no types
    write(rows, draft, compression="zstd")
    _replace_by(draft, rows_file)
    value = np.asarray(rows["value"].fill_null(np.nan).to_numpy(), dtype=float)
    weight = np.asarray(rows["weight"].fill_null(0.0).to_numpy(), dtype=float)
    measured = ~np.isnan(value)
    total = float(weight[measured].sum())
    return MeasureRun(
        measure=name,
        at=at,
        rows=len(value),
        measured=int(measured.sum()),
        figure=float(value[measured] @ weight[measured]) / total if total else None,
        inputs=inputs,
    )


@contextmanager
def _views(engine: Engine, home: Path, measure: Measure) -> Iterator[_Held]:
    """The views of a measure, held by the engine until the block ends."""
    with ExitStack() as stack:
        if isinstance(engine, Spark):
            yield _views_on_spark(engine, home, measure)
            return
        kept = stack.enter_context(kept_rows(home, measure.views))
        for name, one in kept.items():
            engine.put_kept(name, one)
        took = [one.refreshed for one in kept.values()]
        yield _Held(
            schemas={name: ibis_schema(one.schema) for name, one in kept.items()},
            sources=tuple(f"{name} {file.name}" for name, one in kept.items() for file in one.files),
            resources_read=sum(one.resources_read for one in took),
            taken_over=sum(one.taken_over for one in took),
        )


def _views_on_spark(engine: Spark, home: Path, measure: Measure) -> _Held:
    parts = lake_parts(home)
    schemas: Schemas = {}
    sources = []
    for name, view in measure.views.items():
        files = parts.get(str(view["resource"]), [])
        schemas[name] = ibis_schema(engine.put_view(name, view, files))
        sources += [f"{name} {file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
    return _Held(schemas, tuple(sources))


def _digest(table: pa.Table) -> str:
    digest = hashlib.sha256()
    for batch in table.combine_chunks().to_batches():
        digest.update(batch.serialize())
    return digest.hexdigest()


def _replace(file: Path, content: bytes) -> None:
    draft = file.with_suffix(".draft")
    draft.write_bytes(content)
    _replace_by(draft, file)


def _replace_by(draft: Path, file: Path) -> None:
    with draft.open("rb") as content:
        os.fsync(content.fileno())
    draft.replace(file)
