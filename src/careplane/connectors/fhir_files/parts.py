"""The Parquet parts of the lake, read through one DuckDB connection that follows the manifest."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import orjson

from careplane.codecs.fhir_lake import FOLDER, MANIFEST, Manifest, decode_manifest
from careplane.errors import StoreError
from careplane.records import JSON


class Parts:
    """Reads resources out of the complete parts; a load that ends meanwhile is seen by the next read.

    Every read raises StoreError when a part is missing or damaged.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER
        self._connection = duckdb.connect(config={"memory_limit": "512MB", "enable_object_cache": True})
        self._manifest = Manifest()
        self._seen: tuple[int, int] | None = None

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def generation(self) -> int:
        """The number of the commit that reads see now; it changes with every load."""
        file = self._folder / MANIFEST
        try:
            status = file.stat()
        except FileNotFoundError:
            self._manifest, self._seen = Manifest(), None
            return 0
        if (status.st_mtime_ns, status.st_ino) != self._seen:
            self._manifest = decode_manifest(file.read_bytes(), str(file))
            self._seen = (status.st_mtime_ns, status.st_ino)
        return self._manifest.serial

    def by_id(self, kind: str, ident: str) -> JSON | None:
        """The resource of a type with this id."""
        found = self._read(kind, "id = $value", {"value": ident})
        return found[0] if found else None

    def of_patient(self, kind: str, patient: str) -> list[JSON]:
        """The resources of a type about one patient, in the order of loading."""
        return self._read(kind, "patient = $value", {"value": patient})

    def holding(self, kind: str, needles: Sequence[str], limit: int | None) -> list[JSON]:
        """The resources of a type whose text holds every needle, in the order of loading, the first ``limit``."""
        values = {f"needle{index}": needle for index, needle in enumerate(needles)}
        where = " AND ".join(f"contains(resource, ${name})" for name in values) or "true"
        return self._read(kind, where, values, limit)

    def _read(self, kind: str, where: str, values: Mapping[str, str], limit: int | None = None) -> list[JSON]:
        self.generation()
        parts = [str(self._folder / part.path) for part in self._manifest.of_type(kind)]
        if not parts:
            return []
        query = f"SELECT resource FROM read_parquet($parts) WHERE {where}"  # noqa: S608 - conditions of this module
        if limit is not None:
            query += f" LIMIT {limit:d}"
        try:
            rows = self._connection.execute(query, {"parts": parts, **values}).fetchall()
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            told = str(error).partition("\n")[0]
            raise StoreError(f"The loaded data in {self._folder} cannot be read: {told}") from error
        return [orjson.loads(row[0]) for row in rows]
