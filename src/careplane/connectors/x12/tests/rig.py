"""The rig of ``x12``: a folder with a remittance and a claim."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from careplane.connectors.x12 import X12Folder
from careplane.connectors.x12.tests.samples import CLAIMS, ERA
from careplane.records.erp import Claim

REQUIRED = ("path",)
SECRETS = ()


@dataclass(frozen=True)
class Files:
    """A folder with X12 files."""

    settings: Mapping[str, str]


@contextmanager
def peer(folder: Path) -> Iterator[Files]:
    (folder / "era.835").write_text(ERA, encoding="ascii")
    (folder / "claims.837").write_text(CLAIMS, encoding="ascii")
    yield Files({"path": str(folder), "settle_seconds": "0"})


def spoiled(folder: Path) -> dict[str, str]:
    """A remittance that does not balance, with a patient in it."""
    text = ERA.replace("CLP*CLAIM1*1*200*160", "CLP*Smithson-Ottoline-1931*1*200*161")
    (folder / "era.835").write_text(text, encoding="ascii")
    return {"path": str(folder), "settle_seconds": "0"}


async def call(connector: X12Folder, words: str) -> object:
    return [connector.read(file) for file in connector.ready()]


async def claims_are_exact_and_say_where(connector: X12Folder, _files: Files) -> None:
    batches = [connector.read(file) for file in connector.ready()]
    claims = [fact for batch in batches for fact in batch.facts]
    assert all(isinstance(one, Claim) and "segment" in one.source for one in claims)
    assert [one.charged for one in claims if isinstance(one, Claim)] == [Decimal("250.5"), 200, 100]
    assert [event.on for batch in batches for event in batch.events] == ["claim.denied"]


BEHAVIOURS = {"claims": (claims_are_exact_and_say_where,)}
