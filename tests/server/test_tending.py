"""Downtime of a whole installation: its EHR is killed and comes back, and nothing asked for or signed is lost."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from careplane.connectors import fhir_r4
from careplane.records.portfolio import Stage
from careplane.records.run import Event
from careplane.sandbox.ehr_server import EhrServer
from careplane.server import tending
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.workflow import downtime, find_runs, load_run, pending, review_run
from careplane.workflow.downtime import run_queued, waiting_count
from careplane.workflow.outages import FAILURES
from careplane.workflow.pending import pending_write_backs

NURSE = "Practitioner/p1"
TEXT = "Hello Ana, thank you for your message. We look forward to seeing you at the clinic soon. Your care team"


@pytest.fixture
def ehr(tmp_path: Path) -> Iterator[EhrServer]:
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    with EhrServer(tmp_path / "ehr") as server:
        yield server


@pytest.fixture
def platform(ehr: EhrServer, home: Path) -> Iterator[Platform]:
    """An installation on the EHR; what waits is tried again at once."""
    connector = fhir_r4.open({"base_url": ehr.base_url})
    connector._endpoint.sleep = lambda _seconds: asyncio.sleep(0)
    opened = open_platform(read_settings({}, home=str(home)), fhir=connector, synthetic=True)
    yield opened
    opened.close()


def event(n: int) -> Event:
    return Event(
        id=f"m{n}",
        app="portal_reply",
        kind="Communication.created",
        at=_now(),
        patient="Patient/ana",
        focus="Communication/m1",
        unit="Location/clinic-01",
        user=NURSE,
    )


def _now() -> datetime:
    return datetime.now(UTC)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.05)


@pytest.mark.slow
def test_an_ehr_that_is_killed_and_comes_back(
    ehr: EhrServer,
    platform: Platform,
    promote: Callable[[str, Stage], None],
    train: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tending, "TEND_SECONDS", 0.05)
    monkeypatch.setattr(tending, "PROBE_AFTER", timedelta(0))
    monkeypatch.setattr(downtime, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(pending, "FIRST_PAUSE", 0.1)
    promote("portal_reply", "pilot")
    train("portal_reply", NURSE)
    runtime, store = platform.runtime, platform.store
    seen = runtime.outages
    assert seen is not None

    async def day() -> None:
        patient = {"resourceType": "Patient", "id": "ana", "name": [{"family": "Quill", "given": ["Ana"]}]}
        message = {
            "resourceType": "Communication",
            "id": "m1",
            "status": "completed",
            "subject": {"reference": "Patient/ana"},
            "sender": {"reference": "Patient/ana"},
            "payload": [{"contentString": "When is my next appointment?"}],
        }
        for resource in (patient, message):
            await platform.fhir.update(resource)
        drafted = await run_queued(runtime, event(0))
        assert drafted is not None
        assert drafted.status == "draft", (drafted.error, drafted.permit.refusals)
        ehr.close()
        signed = await review_run(runtime, drafted.id, "edit", NURSE, 20.0, at=_now(), final_text=TEXT)
        assert signed.written == ()
        for n in range(1, 1 + FAILURES):
            assert await run_queued(runtime, event(n)) is None
        assert [one.dependency for one in seen.held()] == ["ehr"]
        assert waiting_count(store) == FAILURES
        tended = asyncio.ensure_future(tending.tend_downtime(platform))
        await asyncio.sleep(0.5)
        assert seen.held(), "probes of an EHR that is away do not end the outage"
        ehr.__enter__()
        await _until(lambda: not seen.held() and not waiting_count(store) and not pending_write_backs(store))
        tended.cancel()
        assert load_run(store, drafted.id).written
        await platform.fhir.aclose()

    _run(day())
    runs = find_runs(store, app="portal_reply")
    assert len(runs) == 1 + FAILURES
    assert sorted(run.status for run in runs) == ["draft"] * FAILURES + ["edited"]
    assert len({run.event.id for run in runs}) == 1 + FAILURES
    kinds = [record.kind for record in platform.ledger.records()]
    assert kinds.count("downtime.began") == 1
    assert kinds.count("downtime.ended") == 1


def _run(what: Coroutine[Any, Any, None]) -> None:
    asyncio.run(what)


@pytest.mark.slow
def test_a_model_that_is_away_is_probed_without_an_event(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tending, "PROBE_AFTER", timedelta(0))
    seen = platform.runtime.outages
    assert seen is not None
    for _ in range(FAILURES):
        seen.failed("model")
    assert [one.dependency for one in seen.held()] == ["model"]

    async def probe() -> None:
        await tending._probe(platform, seen)
        await platform.gateway.aclose()

    _run(probe())
    assert seen.held() == ()
