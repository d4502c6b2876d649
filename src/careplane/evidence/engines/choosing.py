"""Which engine a run of measures uses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from careplane.errors import InputError
from careplane.evidence.engines import Engine, Name
from careplane.evidence.engines.on_duckdb import open_duckdb
from careplane.evidence.engines.on_postgres import open_postgres
from careplane.evidence.engines.on_spark import open_spark


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine and where it is: the master of Spark, the URL of PostgreSQL; DuckDB is in this process."""

    name: Name = "duckdb"
    where: str = ""


@contextmanager
def open_engine(choice: Choice, scratch: Path) -> Iterator[Engine]:
    """The engine of a choice until the block ends.

    Args:
        choice: which and where.
        scratch: a folder for what does not fit into memory, which is patient data; made when it is missing.

    Raises:
        InputError: PostgreSQL without a URL.
        MissingExtra: Spark is not installed.
        StoreError: the engine does not answer.
    """
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    if choice.name == "spark":
        with open_spark(scratch, choice.where or "local[*]") as spark:
            yield spark
    elif choice.name == "postgres":
        if not choice.where:
            raise InputError("is empty; it names the PostgreSQL on which measures run", field="measures_database_url")
        with open_postgres(choice.where) as postgres:
            yield postgres
    else:
        with open_duckdb(scratch) as in_process:
            yield in_process
