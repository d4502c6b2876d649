"""Resources that the EHR deleted leave the lake."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import duckdb

from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.codecs.fhir_lake import FOLDER
from careplane.errors import InputError, StoreError
from careplane.store.lake_commit import Lake, writing
from careplane.store.lake_merge import write_part

_COUNT = "SELECT count(*) FILTER (WHERE list_contains($gone, id)), count(*) FROM read_parquet($part)"
_REST = "SELECT * FROM read_parquet($part) WHERE NOT list_contains($gone, id)"


def remove(home: Path, references: Iterable[str]) -> int:
    """Take resources out of the lake in one commit; those that are not there are passed over.

    Args:
        home: home folder of the installation.
        references: ``Type/id``.

    Returns:
        How many were there and are gone.

    Raises:
        InputError: a reference is not ``Type/id`` of a FHIR R4 type.
        StoreError: the lake cannot be read or written; nothing was removed.
    """
    by_type: dict[str, list[str]] = {}
    for reference in references:
        kind, _, ident = reference.partition("/")
        if kind not in RESOURCE_TYPES or not ident or "/" in ident:
            raise InputError("a deleted resource is named Type/id, with a type of FHIR R4", field=reference[:80])
        by_type.setdefault(kind, []).append(ident)
    if not (home / FOLDER).exists():
        return 0
    with writing(home) as lake, closing(duckdb.connect(config={"memory_limit": "256MB"})) as connection:
        try:
            return _remove(connection, lake, by_type)
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            told = str(error).partition("\n")[0]
            raise StoreError(f"The loaded data in {lake.folder} cannot be read or written: {told}") from error


def _remove(connection: duckdb.DuckDBPyConnection, lake: Lake, by_type: dict[str, list[str]]) -> int:
    added: list[tuple[str, Path, int]] = []
    dropped: list[Path] = []
    count = 0
    for kind, gone in by_type.items():
        for part in lake.parts(kind):
            values = {"part": str(part), "gone": gone}
            leaving, rows = connection.execute(_COUNT, values).fetchall()[0]
            count += leaving
            if leaving:
                dropped.append(part)
            if 0 < leaving < rows:
                added.append((kind, write_part(connection, lake, _REST, values), rows - leaving))
    if dropped:
        lake.commit(added, dropped)
    return count
