"""The rig of ``sql``: a SQLite file as a warehouse. PostgreSQL is in ``test_sql.py``."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from careplane.connectors.sql import Warehouse

REQUIRED = ("url",)
SECRETS = ("password",)


@dataclass(frozen=True)
class Database:
    """A database with a table of stays."""

    settings: Mapping[str, str]


@contextmanager
def peer(folder: Path) -> Iterator[Database]:
    with closing(sqlite3.connect(folder / "warehouse.db")) as connection:
        connection.execute("CREATE TABLE stays (id INTEGER, ward TEXT, days REAL)")
        connection.executemany("INSERT INTO stays VALUES (?, ?, ?)", [(n, f"w{n % 2}", n / 2) for n in range(10)])
        connection.commit()
    yield Database({"url": f"sqlite:///{folder / 'warehouse.db'}"})


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    url = f"postgresql://reader@{host}:{port}/warehouse"
    return {"url": url, "password": "pass-4711-secret", "timeout_seconds": "1"}


def spoiled(folder: Path) -> dict[str, str]:
    """A file that is no database."""
    (folder / "bad.db").write_bytes(b"not a database" * 100)
    return {"url": f"sqlite:///{folder / 'bad.db'}"}


async def call(connector: Warehouse, words: str) -> object:
    return await connector.select("SELECT id FROM stays WHERE ward = :ward", {"ward": words})


async def it_selects_by_parameters(connector: Warehouse, _database: Database) -> None:
    query = "SELECT ward, count(*) AS n FROM stays WHERE days >= :least GROUP BY ward ORDER BY ward"
    assert await connector.select(query, {"least": 1}) == [{"ward": "w0", "n": 4}, {"ward": "w1", "n": 4}]


BEHAVIOURS = {"select": (it_selects_by_parameters,)}
