"""The EHR of the sandbox: the package ``sekmet-fhir`` serving a data set over FHIR R4 on loopback.

The data set goes into sekmet's own store before the server starts: its REST batch takes in some hundred resources a
second, its store thousands.
"""

import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from careplane.errors import MissingExtra
from careplane.records import JSON
from careplane.sandbox.dataset import Progress, read_manifest
from careplane.sandbox.ehr_server import EhrServer

BATCH = 2000
FAST = ("journal_mode=OFF", "synchronous=OFF", "cache_size=-65536")
"""For seeding only: a half-seeded database is thrown away, so it needs no journal; ``SCHEMA`` sets WAL again."""
SEARCH_INDEXES = ("idx_code", "idx_ref", "idx_s", "idx_refp", "idx_date", "idx_num")
"""Indexes of sekmet's table ``idx`` that writing does not need; its ``SCHEMA`` builds them."""


class Ehr:
    """A FHIR R4 server with the data of a sandbox, as a context manager.

    ``folder`` holds its database, settings and log. A data set is put in once: a second start serves what is there,
    with everything that was written since. ``types`` restricts to some resource types; empty means all. The server
    binds to 127.0.0.1 on a free port and needs no sign-in; it is for synthetic data only.

    Raises:
        DataError: the folder holds no data set.
        MissingExtra: ``sekmet-fhir`` is not installed.
        UpstreamTimeout: the server did not answer in time; the log says why.
        UpstreamError: the server ended while it started.
    """

    def __init__(
        self, dataset: Path, folder: Path, *, types: Sequence[str] = (), progress: Progress | None = None
    ) -> None:
        self._dataset, self._folder, self._types, self._progress = dataset, folder.resolve(), types, progress
        if importlib.util.find_spec("sekmet") is None:
            raise MissingExtra("The sandbox EHR (sekmet-fhir)", "sandbox")
        self._server: EhrServer | None = None
        self.base_url = ""

    @property
    def log(self) -> Path:
        """The file that holds what the server printed."""
        return self._folder / "ehr.log"

    def __enter__(self) -> "Ehr":
        read_manifest(self._dataset)
        self._folder.mkdir(parents=True, exist_ok=True)
        database = self._folder / f"{self._fingerprint()}.db"
        if not database.exists():
            seed(self._dataset, database, self._types, self._progress)
        self._server = EhrServer(self._folder, database).__enter__()
        self.base_url = self._server.base_url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and wait for it, so that no process is left behind; a second call does nothing."""
        if self._server is not None:
            self._server.close()

    def _fingerprint(self) -> str:
        """Names the data set and the types served, so that another data set gets a database of its own."""
        held = (self._dataset / "manifest.json").read_bytes() + ",".join(sorted(self._types)).encode()
        return hashlib.sha256(held).hexdigest()[:16]


def seed(dataset: Path, database: Path, types: Sequence[str] = (), progress: Progress | None = None) -> int:
    """Put the history of a data set into a sekmet database; says how many resources.

    ``types`` restricts to some resource types; empty means all. The database appears whole or not at all. The indexes
    that only searches need are left out while rows go in and built once at the end, which halves the time; the
    statistics that follow let the planner start from the patient, which makes a sorted search eighty times quicker.
    """
    sekmet: Any = importlib.import_module("sekmet.fhir.store")
    partial = database.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    store = sekmet.Store(str(partial))
    total, count = _planned(dataset, types), 0
    try:
        for pragma in FAST:
            store.conn.execute(f"PRAGMA {pragma}")
        for index in SEARCH_INDEXES:
            store.conn.execute(f"DROP INDEX IF EXISTS {index}")
        resources = _resources(dataset, types)
        while batch := list(islice(resources, BATCH)):
            with store.transaction():
                for body in batch:
                    store.update(body)
            count += len(batch)
            if progress:
                progress("EHR", count, total)
        store.conn.executescript(sekmet.SCHEMA)
        store.conn.execute("ANALYZE")
    finally:
        store.conn.close()
    partial.rename(database)
    return count


def _planned(dataset: Path, types: Sequence[str]) -> int:
    counts = read_manifest(dataset).resources
    return sum(count for kind, count in counts.items() if not types or kind in types)


def _resources(dataset: Path, types: Sequence[str]) -> Iterator[JSON]:
    for path in sorted((dataset / "fhir").glob("*.ndjson")):
        if not types or path.stem in types:
            with path.open("rb") as lines:
                yield from map(orjson.loads, lines)
