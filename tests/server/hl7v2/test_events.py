"""The worker behind the inbox, beside an EHR that knows some of the numbers, several, or is away."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace as replaced

from careplane.apps import read_app
from careplane.codecs.hl7v2 import Block
from careplane.codecs.hl7v2.charsets import DEFAULT
from careplane.codecs.hl7v2.fhir import Site
from careplane.connectors import fhir_files, fhir_r4
from careplane.errors import InputError, NotFound
from careplane.records import JSON
from careplane.records.people import Person
from careplane.records.run import Event
from careplane.server.hl7v2_context import LayeredFhir
from careplane.server.hl7v2_events import Means, MessageWorker
from careplane.server.hl7v2_intake import Intake
from careplane.store.hl7v2_context import Hl7v2Context
from careplane.store.hl7v2_inbox import open_inbox

from .senders import discharge, message, segment
from .test_mllp import free_port

MRN = "https://hospital.example/mrn"
VISITS = "urn:oid:1.2.3"
APPS = Path(__file__).resolve().parents[3] / "src/careplane/apps"
ANA: JSON = {
    "resourceType": "Patient",
    "id": "ana",
    "identifier": [{"system": MRN, "value": "777"}],
    "birthDate": "1961-04-02",
}
STAY: JSON = {
    "resourceType": "Encounter",
    "id": "stay",
    "status": "in-progress",
    "identifier": [{"system": VISITS, "value": "V900"}],
    "subject": {"reference": "Patient/ana"},
}
DOCTOR: JSON = {"resourceType": "Practitioner", "id": "ada", "identifier": [{"system": MRN, "value": "D7"}]}


def result(control: str = "lab", value: str = "182", at: str = "20260102") -> bytes:
    return message(
        control,
        "PID|1||777^^^MRN^MR||Quill^Ana||19610402",
        segment("PV1", {2: "I", 7: "D7^Okafor^Ada^^^^^^MRN", 19: "V900^^^LAB&1.2.3&ISO^VN"}),
        "OBR|1||F1^LAB|2345-7^Glucose^LN|||20260101080000",
        f"OBX|1|NM|2345-7^Glucose^LN||{value}|mg/dL|70-105|H|||F",
        kind="ORU^R01^ORU_R01",
    ).replace(b"|20260101120000|", f"|{at}|".encode())


class Setting:
    """An inbox, an EHR and the worker between them; ``now`` is the time."""

    def __init__(self, home: Path) -> None:
        self.inbox, self.now = open_inbox(home), datetime(2026, 1, 5, tzinfo=UTC)
        self.ehr = fhir_files.open({"home": str(home)})
        self.events: list[Event] = []
        self.means = Means(
            inbox=self.inbox,
            context=Hl7v2Context(self.inbox),
            ehr=self.ehr,
            apps=lambda: [read_app(APPS / "discharge_summary"), read_app(APPS / "portal_reply")],
            person=lambda ref: PERSON if ref == PERSON.id else None,
            submit=self._submit,
            clock=lambda: self.now,
            site=Site({"MRN": MRN}, UTC, "NORTH"),
            charset=DEFAULT,
        )
        self.fhir = LayeredFhir(self.ehr, self.means.context)

    async def _submit(self, event: Event) -> None:
        self.events.append(event)

    def loaded(self, *resources: JSON) -> None:
        asyncio.run(self._load(resources))

    async def _load(self, resources: Sequence[JSON]) -> None:
        for one in resources:
            await self.ehr.update(one)

    def came(self, *messages: bytes, means: Means | None = None) -> list[tuple[str, str]]:
        """Let messages come and be worked on; state and reason of each in the inbox, oldest first."""

        async def act() -> None:
            intake = Intake(self.inbox, lambda: self.now)
            await asyncio.gather(*(intake.answer(Block(one), "peer") for one in messages))
            await MessageWorker(means or self.means).turn()

        asyncio.run(act())
        return [(entry.state, entry.reason) for entry in reversed(self.inbox.newest())]

    def found(self, kind: str, **query: str) -> list[JSON]:
        return list(asyncio.run(self.fhir.search(kind, query)))


PERSON = Person(id="Practitioner/p1", name="Okafor", job="nurse", unit="WARD-A", site="North", department="medicine")


@pytest.fixture
def setting(home: Path) -> Iterator[Setting]:
    opened = Setting(home)
    yield opened
    opened.inbox.close()


def test_a_result_is_put_to_the_patient_and_visit_of_the_ehr(setting: Setting) -> None:
    setting.loaded(ANA, STAY, DOCTOR)
    assert setting.came(result()) == [("done", "")]
    (value,) = setting.found("Observation", patient="ana", code="2345-7")
    assert value["subject"] == {"reference": "Patient/ana"}
    assert value["encounter"] == {"reference": "Encounter/stay"}
    assert [one["id"] for one in setting.found("Patient", identifier=f"{MRN}|777")] == ["ana"], "the EHR's own, once"
    (report,) = setting.found("DiagnosticReport", encounter="stay")
    assert report["result"] == [{"reference": f"Observation/{value['id']}"}]
    assert setting.found("Observation", patient="somebody") == []


def test_what_the_ehr_does_not_know_has_a_patient_of_its_own(setting: Setting) -> None:
    setting.came(result())
    (patient,) = setting.found("Patient", identifier="777")
    assert patient["id"].startswith("v2-")
    assert len(setting.found("Observation", patient=patient["id"])) == 1
    with pytest.raises(InputError):
        setting.found("Observation", patient=patient["id"], colour="blue")


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ([{**ANA, "birthDate": "1961-04-03"}], "PID-7: the EHR's patient with this number was born on another day"),
        ([ANA, {**ANA, "id": "twin"}], "Patient: the EHR has several resources of type Patient"),
    ],
)
def test_nothing_is_put_into_a_chart_by_a_guess(setting: Setting, others: list[JSON], reason: str) -> None:
    setting.loaded(*others)
    ((state, told),) = setting.came(result())
    assert state == "failed"
    assert told.startswith(reason)
    assert setting.means.context.of_kind("Observation") == []
    assert setting.events == []


def test_an_ehr_that_is_away_is_asked_again(setting: Setting) -> None:
    away = fhir_r4.open({"base_url": f"http://127.0.0.1:{free_port()}", "timeout_seconds": "0.3"})
    ((state, told),) = setting.came(result(), means=replace(setting.means, ehr=away))
    assert (state, told[:4]) == ("received", "GET ")
    setting.loaded(ANA)
    assert setting.came() == [("received", told)], "not before its time"
    setting.now += timedelta(seconds=5)
    assert setting.came() == [("done", "")]
    assert len(setting.found("Observation", patient="ana")) == 1


def test_the_app_starts_with_references_of_the_ehr_and_the_reviewer_it_names(setting: Setting) -> None:
    setting.loaded(ANA, DOCTOR)
    attended = discharge(attending="D7^Okafor^Ada^^^^^^MRN").replace(b"^^^NORTH^MR", b"^^^MRN^MR")
    setting.came(attended, discharge("c2", "5", attending="p1"))
    first, second = sorted(setting.events, key=lambda event: event.patient or "")
    assert {event.app for event in setting.events} == {"discharge_summary"}
    assert (first.patient, first.user, first.site) == ("Patient/ana", "Practitioner/ada", None)
    assert (second.user, second.site) == ("Practitioner/p1", "North")
    assert (first.kind, first.door, first.at) == ("ADT^A03", "hl7v2", setting.now)
    assert first.unit is not None
    assert asyncio.run(setting.fhir.read(first.unit)) is not None


@pytest.mark.parametrize(
    ("attending", "staff", "reviewer"),
    [
        ("p1^Okafor^^^^^^^NORTH", "NORTH", "Practitioner/p1"),
        ("p1^Okafor", "NORTH", "Practitioner/p1"),  # the sending facility's
        ("p1^Okafor^^^^^^^MRN", "MRN", "Practitioner/p1"),
        ("p1^Okafor^^^^^^^MRN", MRN, "Practitioner/p1"),
        ("p1^Okafor^^^^^^^NORTH", "", None),
        ("p1^Okafor", "", None),
        ("p1^Okafor^^^^^^^SOUTH", "NORTH", None),
        ("p1^Okafor^^^^^^^MRN", "NORTH", None),
        ("p1^Okafor^^^^^^^NORTH&1.9&ISO", "NORTH", None),
        ("D7^Okafor^^^^^^^MRN", "MRN", "Practitioner/ada"),  # the EHR comes first
    ],
)
def test_a_number_is_one_of_the_staff_list_only_by_the_declared_authority(
    setting: Setting, attending: str, staff: str, reviewer: str | None
) -> None:
    setting.loaded(DOCTOR)
    listed = {"Practitioner/p1", "Practitioner/D7"}
    means = replace(
        setting.means,
        site=Site({"MRN": MRN}, UTC, staff),
        person=lambda ref: replaced(PERSON, id=ref) if ref in listed else None,
    )
    setting.came(discharge(attending=attending), means=means)
    (event,) = setting.events
    assert event.user == reviewer


def test_several_in_the_ehr_with_the_number_are_nobody(setting: Setting) -> None:
    setting.loaded(DOCTOR, {**DOCTOR, "id": "twin"})
    means = replace(setting.means, site=Site({"MRN": MRN}, UTC, "MRN"), person=lambda ref: replaced(PERSON, id=ref))
    setting.came(discharge(attending="D7^Okafor^^^^^^^MRN"), means=means)
    assert [event.user for event in setting.events] == [None]


def test_what_comes_late_or_only_names_somebody_does_not_replace_what_is_newer(setting: Setting) -> None:
    setting.came(result("r2", "128", at="20260103"))
    setting.came(result("r1", "182", at="20260102"))
    (value,) = setting.means.context.of_kind("Observation")
    assert value["valueQuantity"]["value"] == 128
    named = discharge().replace(b"^^^NORTH^MR||Quill^Ana", b"^^^MRN^MR||Quill^Ana Maria")
    setting.came(named)  # older than the results, but the first that is about the patient
    setting.came(result("r3", at="20260104"))
    (patient,) = setting.found("Patient", identifier=f"{MRN}|777")
    assert patient["name"][0]["given"] == ["Ana Maria"]


def test_workers_share_an_inbox_and_what_one_left_another_takes_up(setting: Setting) -> None:
    async def act() -> None:
        intake = Intake(setting.inbox, lambda: setting.now)
        await asyncio.gather(*(intake.answer(Block(discharge(f"c{n}", str(n))), "peer") for n in range(40)))
        left = await setting.inbox.take(setting.now, 4)  # by a process that is killed now
        assert [entry.control for entry in left] == ["c0", "c1", "c2", "c3"]
        workers = [MessageWorker(setting.means) for _ in range(3)]
        while sum([await worker.turn() for worker in workers]):
            pass

    asyncio.run(act())
    assert setting.inbox.counts() == {"done": 36, "received": 4}
    setting.now += timedelta(seconds=31)
    setting.came()
    assert setting.inbox.counts() == {"done": 40}
    assert len({event.id for event in setting.events}) == len(setting.events) == 40


def test_contents_are_deleted_after_their_time_and_ids_stay_known(setting: Setting) -> None:
    setting.came(discharge(), b"broken")
    setting.now += timedelta(days=91)

    async def purge() -> None:
        worker = asyncio.ensure_future(MessageWorker(setting.means).run())
        while setting.means.context.of_kind("Patient"):
            await asyncio.sleep(0.01)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    asyncio.run(purge())
    first = setting.inbox.newest()[-1]
    with pytest.raises(NotFound, match="no longer kept"):
        setting.inbox.content(first.id)
    assert setting.inbox.content(first.id + 1)[0] == b"broken", "what needs somebody stays"
    assert setting.came(discharge())[0] == ("done", ""), "still the same message"
    assert setting.inbox.entry(first.id).deliveries == 2
