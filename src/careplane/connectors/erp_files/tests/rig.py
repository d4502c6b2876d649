"""The rig of ``erp_files``: an export in a folder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from careplane.connectors.erp_files import CsvCosts

REQUIRED = ("path",)
SECRETS = ()
HEADER = "line_id,posted_on,cost_centre,vendor,category,item,description,amount_usd"


@dataclass(frozen=True)
class Export:
    """A folder with an export."""

    settings: Mapping[str, str]


@contextmanager
def peer(folder: Path) -> Iterator[Export]:
    rows = [f"L{n},2026-01-31,CC-1,Acme,licence,portal_reply,Seats,{n}.50" for n in range(1, 4)]
    (folder / "costs.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    yield Export({"path": str(folder)})


def spoiled(folder: Path) -> dict[str, str]:
    """An export with a bad row."""
    row = "L1,31.01.2026,CC-1,Smithson-Ottoline-1931,licence,portal_reply,Smithson-Ottoline-1931,many"
    (folder / "costs.csv").write_text(f"{HEADER}\n{row}\n", encoding="utf-8")
    return {"path": str(folder)}


async def call(connector: CsvCosts, words: str) -> object:
    return connector.read_costs()
