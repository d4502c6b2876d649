"""The rig of ``erp_files``: an export in a folder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from careplane.connectors.erp_files import ErpFolder

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
    (folder / "invoices.csv").write_text("invoice,vendor,posted_on,amount\nI1,Acme,2026-02-01,10\n", encoding="utf-8")
    yield Export({"path": str(folder), "settle_seconds": "0"})


def spoiled(folder: Path) -> dict[str, str]:
    """An export with a bad row."""
    row = "L1,31.01.2026,CC-1,Smithson-Ottoline-1931,licence,portal_reply,Smithson-Ottoline-1931,many"
    (folder / "costs.csv").write_text(f"{HEADER}\n{row}\n", encoding="utf-8")
    return {"path": str(folder)}


async def call(connector: ErpFolder, words: str) -> object:
    return connector.read_costs()


async def every_file_is_a_batch(connector: ErpFolder, _export: Export) -> None:
    batches = [connector.read(file) for file in connector.ready()]
    assert [batch.name for batch in batches] == ["costs.csv", "invoices.csv"]
    assert len({batch.hash for batch in batches}) == 2
    assert [event.on for event in batches[1].events] == ["invoice.posted"]
    assert [connector.read(file) for file in connector.ready()] == batches


BEHAVIOURS = {"erp_batches": (every_file_is_a_batch,)}
