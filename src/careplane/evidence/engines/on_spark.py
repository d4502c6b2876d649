"""Measures and views on Spark, for lakes that one machine no longer reads.

A view runs as the evaluator of ``codecs/views`` inside ``mapInArrow``: Spark hands each worker Arrow batches of
resources and takes Arrow batches of rows, so the rows are those of the Python path because the code is the same. Only
this module imports pyspark, which the extra ``spark`` brings; Java 17 comes from the system.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import pyarrow.lib as pa

from careplane.codecs.views import compile_view
from careplane.codecs.views.arrow_rows import arrow_schema, arrow_table, rows_of_texts
from careplane.errors import DataError, MissingExtra, StoreError
from careplane.evidence.engines import Name
from careplane.measures import Dialect
from careplane.records import JSON
from careplane.store.lake_views import Kept

_SPARK = {pa.string(): "string", pa.int64(): "bigint", pa.float64(): "double", pa.bool_(): "boolean"}
_LOCAL = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
_QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "OFF"}
Batches = Iterator[pa.RecordBatch]


class Spark:
    """A Spark session."""

    name: Name = "spark"
    dialect: Dialect = "pyspark"

    def __init__(self, session: Any) -> None:
        self.session = session
        getattr(ibis, "pyspark")  # noqa: B009 - it registers the options that Ibis asks for when it compiles for Spark

    def put(self, name: str, table: pa.Table) -> None:
        """See :class:`careplane.evidence.engines.Engine`."""
        self.session.createDataFrame(table).createOrReplaceTempView(name)

    def put_kept(self, name: str, kept: Kept) -> None:
        """The files are read when a query needs them."""
        if not kept.files:
            self.put(name, kept.schema.empty_table())
            return
        found = self.session.read.parquet(*map(str, kept.files)).where("_row")
        found.select(*(f"`{field.name}`" for field in kept.schema)).createOrReplaceTempView(name)

    def put_view(self, name: str, view: JSON, parts: Sequence[Path]) -> pa.Schema:
        """Hold the rows of a view over Parquet files with a text column ``resource``; its columns.

        Raises:
            InputError: the ViewDefinition does not hold.
        """
        schema = arrow_schema(compile_view(view))
        if parts:
            found = self.session.read.parquet(*map(str, parts)).select("resource")
            found.mapInArrow(rows_of_batches(view), ddl(schema)).createOrReplaceTempView(name)
        else:
            self.put(name, schema.empty_table())
        return schema

    def query(self, sql: str) -> pa.Table:
        """See :class:`careplane.evidence.engines.Engine`."""
        from pyspark.errors import PySparkException

        try:
            return self.session.sql(sql).toArrow()
        except PySparkException as error:
            raise DataError(f"Spark cannot answer: {_reason(str(error))}") from None


def rows_of_batches(view: JSON) -> Callable[[Batches], Batches]:
    """What ``mapInArrow`` runs on each worker: batches of resources to batches of rows of a view."""

    def run(batches: Batches) -> Batches:
        compiled = compile_view(view)
        for batch in batches:
            rows = rows_of_texts(compiled, batch.column("resource").to_pylist())
            yield from arrow_table(compiled, rows).to_batches()

    return run


def ddl(schema: pa.Schema) -> str:
    """Columns as Spark declares them."""
    return ", ".join(f"`{field.name}` {_kind(field.type)}" for field in schema)


def _kind(kind: pa.DataType) -> str:
    return f"array<{_kind(kind.value_type)}>" if isinstance(kind, pa.ListType) else _SPARK[kind]


@contextmanager
def open_spark(scratch: Path, master: str = "local[*]") -> Iterator[Spark]:
    """An engine until the block ends.

    Args:
        scratch: a folder for what Spark spills, which is patient data; used by a local Spark only.
        master: ``local[N]``, or the URL of a cluster whose workers have Careplane and see the lake under its path.

    Raises:
        MissingExtra: pyspark is not installed.
        StoreError: Spark does not start, as without Java.
    """
    session = _start(scratch, master)
    try:
        yield Spark(session)
    finally:
        session.stop()


def _start(scratch: Path, master: str) -> Any:
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingExtra("Spark (pyspark)", "spark") from None
    options = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true", **_QUIET}
    if master.startswith("local"):
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        options |= {**_LOCAL, "spark.local.dir": str(scratch), "spark.sql.warehouse.dir": str(scratch / "warehouse")}
        options["spark.sql.shuffle.partitions"] = "16"  # the 200 of Spark are for clusters
    builder = SparkSession.builder.master(master).appName("careplane")
    for name, value in options.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except PySparkException as error:
        told = "Spark does not start. It needs Java 17 or 21: apt-get install openjdk-17-jre-headless."
        raise StoreError(f"{told} ({_reason(str(error))})") from None
    session.sparkContext.pythonExec = sys.executable  # else workers run whatever python3 is on the path
    return session


def _reason(text: str) -> str:
    """The one line of a Spark error that says what is wrong: that of our own error in a worker, else the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    own = [line.partition(": ")[2] for line in lines if line.startswith("careplane.errors.")]
    return (own or lines or ["no reason given"])[0][:300]
