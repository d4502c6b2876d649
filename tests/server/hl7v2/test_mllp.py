"""An installation with its MLLP port: messages become the chart that apps read, and start them once."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from careplane import alignment, change
from careplane.cli import main
from careplane.codecs.hl7v2 import block
from careplane.records.people import Person
from careplane.records.portfolio import Stage
from careplane.records.run import Run
from careplane.server.mllp import listening
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.store import save
from careplane.store.tables import people
from careplane.workflow import find_runs
from careplane.workflow.durable import Durable

from .senders import WAIT_SECONDS, Line, discharge, message, segment

NURSE = "Practitioner/p1"


class Port(Line):
    """The port of an installation."""

    def __init__(self, platform: Platform, port: int) -> None:
        assert platform.hl7v2 is not None
        super().__init__(platform.hl7v2, port)
        self.platform = platform

    def runs(self, count: int) -> list[Run]:
        """The runs of apps, once there are so many."""
        end = datetime.now(UTC) + timedelta(seconds=WAIT_SECONDS)
        while len(found := find_runs(self.platform.store)) < count:
            assert datetime.now(UTC) < end
            time.sleep(0.05)
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def installation(home: Path) -> Iterator[Port]:
    port = free_port()
    given = read_settings({}, home=str(home), mllp_port=port, timezone="America/Chicago", hl7v2_staff_authority="NORTH")
    platform = open_platform(given, synthetic=True)
    durable = Durable(platform.runtime, platform.home)
    durable.start()
    try:
        with listening(platform, durable, lambda _line: None):
            yield Port(platform, port)
    finally:
        durable.stop()
        platform.close()


@pytest.fixture
def port(home: Path) -> Iterator[Port]:
    """An installation that listens, without an EHR."""
    with installation(home) as opened:
        yield opened


def test_a_discharge_becomes_the_chart_that_apps_read(port: Port) -> None:
    assert port.codes(discharge()) == ["AA"]
    port.settled()
    (entry,) = port.inbox.newest()
    assert (entry.state, entry.kind, entry.sender, entry.control) == ("done", "ADT^A03", "ADT|NORTH", "c1")
    fhir = port.platform.fhir

    async def look() -> None:
        (patient,) = await fhir.search("Patient", {"identifier": "777"})
        assert patient["name"] == [{"family": "Quill", "given": ["Ana"]}]
        (stay,) = await fhir.search("Encounter", {"patient": patient["id"], "status": "finished"})
        assert stay["period"] == {"start": "2025-12-28T08:00:00-06:00", "end": "2026-01-01T11:55:00-06:00"}
        ward = stay["location"][0]["location"]["reference"]
        assert [one["id"] for one in await fhir.search("Encounter", {"location": ward})] == [stay["id"]]
        assert await fhir.read(f"Patient/{patient['id']}") == patient
        (found,) = await fhir.search("Condition", {"encounter.location": ward})
        assert found["code"]["text"] == "Pneumonia"
        assert await fhir.search("Condition", {"patient": "v2-somebody-else"}) == []

    asyncio.run(look())


def promote(platform: Platform, app: str) -> None:
    """An app in its pilot, and a trained nurse on the ward's staff list."""
    steps: tuple[Stage, ...] = ("intake", "shadow", "pilot")
    for stage in steps:
        item = alignment.load_item(platform.store, app)
        alignment.move_stage(platform.store, platform.ledger, item, stage, platform.clock(), "owner", "test")
    nurse = Person(id=NURSE, name="Okafor", job="nurse", unit="WARD-A", site="North", department="medicine")
    with platform.store.write() as connection:
        save(connection, people, nurse, id=nurse.id, job=nurse.job, unit=nurse.unit)
    known = platform.app(app)
    answers = [question.answer for question in change.lesson(known).questions]
    change.take_quiz(platform.store, platform.ledger, known, NURSE, answers, platform.clock())


def test_an_app_runs_once_on_what_messages_said(port: Port) -> None:
    promote(port.platform, "discharge_summary")
    whole = discharge(attending="p1^Okafor")
    lab = message(
        "lab1",
        "PID|1||777^^^NORTH^MR||Quill^Ana",
        segment("PV1", {2: "I", 19: "V900^^^NORTH^VN"}),
        "OBR|1||F1^LAB|2345-7^Glucose^LN|||20260101080000",
        "OBX|1|NM|2345-7^Glucose^LN||182|mg/dL^^UCUM|70-105|H|||F",
        kind="ORU^R01^ORU_R01",
    )
    assert port.codes(lab) == ["AA"]
    port.settled()
    assert port.codes(whole, whole) == ["AA", "AA"]
    assert port.codes(whole) == ["AA"]
    port.settled()
    assert port.inbox.newest()[0].deliveries == 3
    (run,) = port.runs(1)
    assert (run.status, run.event.door, run.event.kind) == ("draft", "hl7v2", "ADT^A03"), run.error
    assert (run.event.user, run.event.site, run.event.source) == (NURSE, "North", "hl7v2:ADT|NORTH")
    read = {source.label: source.text for source in run.sources}
    assert {"Patient", "Encounter", "Condition", "Observation"} <= set(read)
    assert "182" in read["Observation"]


def test_what_cannot_be_read_is_refused_kept_listed_and_replayed(
    port: Port, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def inbox(*arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["hl7v2", "inbox", *arguments, "--home", str(home)])
        return int(ended.value.code or 0)

    latin = discharge(name="M\u00fcller^Ana").decode().encode("latin-1")
    for _ in range(2):
        (answer,) = port.exchange(block(latin))
        assert "MSA|AE|c1|line 3, PID-5: byte 0xfc is not of the character set UNICODE UTF-8" in answer
        assert "ERR||PID^1^5|102^Data type error^HL70357|E|" in answer
    assert port.codes(b"hello", discharge().replace(b"|2.5.1", b"|3.0"), b"") == ["AE", "AR", "AE"]
    listed = port.inbox.newest(failed=True)
    assert [(one.state, one.deliveries) for one in listed][-1] == ("refused", 2)
    assert len(listed) == 4
    assert "M\u00fcller" not in str(listed)
    assert inbox("--failed") == 0
    shown = capsys.readouterr().out
    assert "ADT^A03   c1, ADT|NORTH (2 times)\n        line 3, PID-5: byte 0xfc is not" in shown
    assert max(map(len, shown.splitlines())) <= 80
    ident = str(listed[-1].id)
    assert inbox("replay", ident) == 2
    assert inbox("replay", ident, "--charset", "8859/1") == 0
    port.settled()
    assert port.inbox.entry(int(ident)).state == "done"
    found = asyncio.run(port.platform.fhir.search("Patient", {"identifier": "777"}))
    assert found[0]["name"][0]["family"] == "M\u00fcller"
    assert port.codes(discharge(name="M\u00fcller^Ana")) == ["AE"], "the id is taken now"


def test_what_was_mended_and_accepted_is_not_run_again_by_a_replay_of_all(port: Port, home: Path) -> None:
    bare = discharge("again")
    latin = discharge("mended", "2", "M\u00fcller^Ana").decode().encode("latin-1")
    port.exchange(block(bare) + bare + b"\x1c\r", answers=2)
    assert port.codes(latin, discharge("mended", "2", "M\u00fcller^Ana")) == ["AE", "AA"]
    port.settled()
    broken, unread = sorted(entry.id for entry in port.inbox.newest(failed=True))
    with pytest.raises(SystemExit) as ended:
        main(["hl7v2", "inbox", "replay", "--failed", "--charset", "8859/1", "--home", str(home)])
    assert (ended.value.code or 0) == 0
    assert [port.inbox.entry(one).state for one in (broken, unread)] == ["refused", "refused"]
    for named, state in ((broken, "refused"), (unread, "done")):
        with pytest.raises(SystemExit):
            main(["hl7v2", "inbox", "replay", str(named), "--charset", "8859/1", "--home", str(home)])
        port.settled()
        assert port.inbox.entry(named).state == state
