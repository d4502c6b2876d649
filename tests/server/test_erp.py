"""The drop folder: taken once, refused ones told once, and what they tell starts apps."""

import asyncio
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from careplane.cli import careplane
from careplane.connectors.x12.tests.samples import ERA
from careplane.records.erp import Claim, ErpBatch, Invoice
from careplane.server.erp_tending import open_readers, submit, take_files
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.store.tables import erp_files
from careplane.value import erp, find_costs
from careplane.workflow import find_runs
from careplane.workflow.durable import Durable

COSTS = ("line_id,posted_on,cost_centre,vendor,category,item,description,amount_usd\n"
         "L1,2026-01-31,CC-1,Acme,licence,portal_reply,Seats,1234.50\n")  # fmt: skip
INVOICE = "invoice,vendor,posted_on,amount\nI-7,Acme,2026-02-01,1200.10\n"
CLAIMS = ("claim_id,posted_on,event,patient,claim,claim_response,payer,amount_usd,reason\n"
          "C1,2026-03-02,claim.denied,Patient/ana,Claim/c1,ClaimResponse/r1,Payer,100.00,no records\n")  # fmt: skip


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def site(platform: Platform, home: Path, drop: Path) -> Iterator[Platform]:
    opened = open_platform(read_settings({}, home=str(home), erp_path=str(drop)), synthetic=True)
    yield opened
    opened.close()


def put(drop: Path, name: str, text: str) -> Path:
    file = drop / name
    file.write_text(text, encoding="utf-8")
    os.utime(file, (1_000_000, 1_000_000))
    return file


def taken(site: Platform) -> list[str]:
    """What a fresh process takes."""
    seen: dict[Path, tuple[int, int]] = {}
    return [file.name for reader in open_readers(site.settings) for file in take_files(site, reader, seen)]


def test_files_are_taken_once_whatever_their_name(site: Platform, drop: Path) -> None:
    put(drop, "costs.csv", COSTS)
    put(drop, "invoices.csv", INVOICE)
    put(drop, "era.835", ERA)
    assert taken(site) == ["costs.csv", "invoices.csv", "era.835"]
    assert taken(site) == []
    put(drop, "invoices-again.csv", INVOICE)
    assert taken(site) == []
    assert [line.usd for line in find_costs(site.store, "portal_reply")] == [1234.5]
    invoice = erp.find_fact(site.store, Invoice, "Acme/I-7")
    assert isinstance(invoice, Invoice)
    assert invoice.posted_on == date(2026, 2, 1)
    assert {claim.claim for claim in erp.find_claims(site.store)} == {"CLAIM1", "CLAIM2"}


def test_a_bad_file_is_told_once_and_a_mended_one_is_taken(site: Platform, drop: Path) -> None:
    put(drop, "costs.csv", COSTS.replace("1234.50", "lots"))
    assert taken(site) == []
    assert taken(site) == []
    (refused,) = erp.find_files(site.store)
    assert "costs.csv:2: amount_usd" in refused.problem
    put(drop, "costs.csv", COSTS)
    assert taken(site) == ["costs.csv"]
    assert len(find_costs(site.store, "portal_reply")) == 1


def test_what_is_told_starts_apps_once_also_after_a_crash_in_between(site: Platform, drop: Path, home: Path) -> None:
    put(drop, "claims.csv", CLAIMS)
    assert taken(site) == ["claims.csv"]
    durable = Durable(site.runtime, home)
    durable.start()
    try:
        waiting = erp.to_submit(site.store)
        assert asyncio.run(submit(site, durable)) == 1
        with site.store.write() as connection:
            connection.execute(erp_files.update().values(state="received"))
        assert erp.to_submit(site.store) == waiting
        assert asyncio.run(submit(site, durable)) == 1
        asyncio.run(durable.drain())
    finally:
        durable.stop()
    (run,) = find_runs(site.store, "denial_appeal")
    assert (run.event.patient, run.event.focus, run.event.door) == ("Patient/ana", "ClaimResponse/r1", "erp")
    assert erp.to_submit(site.store) == []


def test_a_file_that_goes_away_meanwhile_is_no_matter(site: Platform, drop: Path) -> None:
    class Gone:
        def ready(self) -> list[Path]:
            return [drop / "gone.csv"]

        def read(self, file: Path) -> ErpBatch:
            raise AssertionError(file)

    assert take_files(site, Gone(), {}) == []


def test_a_batch_that_fails_half_way_leaves_nothing(
    site: Platform, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = open_readers(site.settings)[0]
    batch = reader.read(put(drop, "invoices.csv", INVOICE))

    def fail(*_given: object, **_named: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr("careplane.value.erp.stamp", fail)
    with pytest.raises(RuntimeError):
        erp.take(site.store, replace(batch), site.clock())
    monkeypatch.undo()
    assert erp.find_fact(site.store, Invoice, "Acme/I-7") is None
    assert not erp.known(site.store, batch.hash)
    assert erp.take(site.store, batch, site.clock()) is not None


def test_the_commands(site: Platform, drop: Path, home: Path) -> None:
    put(drop, "costs.csv", COSTS)
    bad = put(drop, "invoices.csv", INVOICE.replace("1200.10", "x"))
    era = put(drop, "era.835", ERA)

    def call(*words: str) -> tuple[object, str]:
        done = CliRunner().invoke(careplane, list(words), standalone_mode=False)
        return done.return_value, done.output

    code, told = call("erp", "read", str(drop))
    assert code == 2
    assert "costs.csv: 1 CostLine" in told
    assert f"{bad}:2: amount" in told
    assert "era.835: 2 Claim; events: 1 claim.denied" in told
    assert '"problems"' in call("erp", "read", str(drop), "--json")[1]
    assert "2 claims, 160.00 paid, 1 denied." in call("x12", "read", str(era))[1]
    assert '"claim.denied"' in call("x12", "read", str(era), "--json")[1]
    taken(site)
    listed = call("erp", "files", "--home", str(home))[1]
    assert "refused" in listed
    assert "costs.csv" in listed
    assert isinstance(erp.find_claims(site.store)[0], Claim)
