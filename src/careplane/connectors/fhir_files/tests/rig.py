"""The rig of ``fhir_files``: a home with loaded data."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from careplane.connectors.fhir_files import FilesConnector
from careplane.store.lake import load_path

REQUIRED = ("home",)
SECRETS = ()


@dataclass(frozen=True)
class Home:
    """A home folder."""

    settings: Mapping[str, str]


@contextmanager
def peer(folder: Path) -> Iterator[Home]:
    (folder / "all.ndjson").write_text(json.dumps({"resourceType": "Patient", "id": "p1"}) + "\n", encoding="utf-8")
    load_path(folder / "all.ndjson", folder / "home")
    yield Home({"home": str(folder / "home")})


def spoiled(folder: Path) -> dict[str, str]:
    """Loaded data whose files are damaged."""
    with peer(folder) as home:
        for part in (folder / "home").rglob("*.parquet"):
            part.write_bytes(b"not parquet")
        return dict(home.settings)


async def call(connector: FilesConnector, words: str) -> object:
    return await connector.search("Patient", {"identifier": words})
