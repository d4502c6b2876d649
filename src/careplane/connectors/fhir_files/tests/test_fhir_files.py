"""Loaded data as an EHR: read, search, and an outbox for what is written back."""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from careplane.connectors import fhir_files
from careplane.connectors.fhir_files import FilesConnector
from careplane.errors import InputError
from careplane.records import JSON
from careplane.store.lake import load_path

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def observation(ident: str, patient: str, when: str | None, code: str = "4548-4", status: str = "final") -> JSON:
    resource: JSON = {
        "resourceType": "Observation",
        "id": ident,
        "status": status,
        "category": [{"coding": [{"system": "urn:cat", "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": "Test"},
        "subject": {"reference": f"Patient/{patient}"},
        "encounter": {"reference": "Encounter/e1"},
        "class": {"code": "IMP"},
    }
    return resource if when is None else {**resource, "effectiveDateTime": when}


def stay(ident: str, ward: str, status: str = "in-progress") -> JSON:
    location = [{"location": {"reference": f"Location/{ward}"}}]
    return {"resourceType": "Encounter", "id": ident, "status": status, "location": location}


def task(ident: str, encounter: str) -> JSON:
    where = {"location": {"reference": "Location/ward-a"}}
    return {"resourceType": "Task", "id": ident, "encounter": {"reference": encounter}, "status": "requested", **where}


WARDS: list[JSON] = [
    stay("e1", "ward-a"),
    stay("e11", "ward-b"),
    stay("e3", "ward-a", "finished"),
    task("t1", "Encounter/e1"),
    task("t2", "https://ehr.test/fhir/Encounter/e1/_history/2"),
    task("t3", "Encounter/e11"),
    task("t4", "Encounter/e3"),
]
RESOURCES: list[JSON] = [
    {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:mrn", "value": "77"}]},
    {"resourceType": "Patient", "id": "p2"},
    observation("o1", "p1", "2026-01-15T09:00:00-06:00"),
    observation("o2", "p1", "2026-03-01", code="2345-7"),
    observation("o3", "p1", "2025", status="preliminary"),
    observation("o4", "p2", "2026-02-01"),
    observation("o5", "p1", None),
    *WARDS,
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    lines = "".join(json.dumps(resource) + "\n" for resource in RESOURCES)
    (tmp_path / "all.ndjson").write_text(lines, encoding="utf-8")
    load_path(tmp_path / "all.ndjson", tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def ehr(home: Path) -> FilesConnector:
    return fhir_files.open({"home": str(home)})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["o1", "o2", "o3", "o4", "o5"]),
        ({"_id": "o4"}, ["o4"]),
        ({"_id": "o4", "patient": "p1"}, []),
        ({"patient": "Patient/p1"}, ["o1", "o2", "o3", "o5"]),
        ({"subject": "p2"}, ["o4"]),
        ({"patient": "p1", "subject": "p2"}, []),
        ({"patient": "p1", "status": "preliminary,amended"}, ["o3"]),
        ({"code": "http://loinc.org|2345-7"}, ["o2"]),
        ({"code": "urn:other|2345-7"}, []),
        ({"category": "laboratory", "encounter": "Encounter/e1", "_count": "2"}, ["o1", "o2"]),
        ({"encounter": "e"}, []),
        ({"encounter.location": "ward-a", "status": "preliminary", "class": "IMP"}, ["o3"]),
        ({"encounter.location": "ward-b"}, []),
        ({"class": "AMB"}, []),
        ({"sent": "ge2026-02-01"}, ["o2", "o4"]),
        ({"patient": "p1", "_sort": "-date"}, ["o2", "o1", "o3", "o5"]),
        ({"patient": "p1", "_sort": "date", "_count": "1"}, ["o3"]),
        ({"date": "ge2026-01-15,lt2026-03-01"}, ["o1", "o4"]),
        ({"date": "gt2026-01-15T14:59:00Z"}, ["o1", "o2", "o4"]),
        ({"date": "2026"}, ["o1", "o2", "o4"]),
        ({"date": "le2025"}, ["o3"]),
        ({"patient": "nobody"}, []),
    ],
)
def test_search(ehr: FilesConnector, query: dict[str, str], found: list[str]) -> None:
    assert [item["id"] for item in run(ehr.search("Observation", query))] == found


@pytest.mark.parametrize(
    ("kind", "query", "found"),
    [
        ("Encounter", {"location": "Location/ward-a"}, ["e1", "e3"]),
        ("Encounter", {"location": "ward-a", "status": "in-progress"}, ["e1"]),
        ("Task", {"encounter.location": "ward-a"}, ["t1", "t2", "t4"]),
        ("Task", {"encounter.location": "Location/ward-a", "encounter.status": "in-progress"}, ["t1", "t2"]),
        ("Task", {"encounter.location": "ward-b", "status": "requested,accepted"}, ["t3"]),
        ("Task", {"encounter.location": "ward-c"}, []),
        ("Task", {"encounter": "e1"}, ["t1", "t2"]),
    ],
)
def test_search_of_a_ward(ehr: FilesConnector, kind: str, query: dict[str, str], found: list[str]) -> None:
    assert [item["id"] for item in run(ehr.search(kind, query))] == found
    assert [item["id"] for item in run(ehr.search(kind, query, limit=1))] == found[:1]


def test_search_by_identifier_and_limit(ehr: FilesConnector) -> None:
    assert [item["id"] for item in run(ehr.search("Patient", {"identifier": "urn:mrn|77"}))] == ["p1"]
    assert len(run(ehr.search("Observation", {}, limit=3))) == 3


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("Observation", {"value-quantity": "5"}),
        ("Observation", {"date": "yesterday"}),
        ("Observation", {"_sort": "code"}),
        ("Observation", {"_count": "many"}),
        ("Observatoin", {}),
        ("Task", {"location": "ward-a"}),
        ("Task", {"focus.location": "ward-a"}),
        ("Task", {"encounter.period": "2026"}),
        ("Task", {"encounter.location.name": "A"}),
        ("Task", {"encounter.encounter.location": "ward-a"}),
    ],
)
def test_what_cannot_be_answered_is_refused(ehr: FilesConnector, kind: str, query: dict[str, str]) -> None:
    with pytest.raises(InputError):
        run(ehr.search(kind, query))


def test_an_unknown_parameter_names_those_supported(ehr: FilesConnector) -> None:
    with pytest.raises(InputError, match=r"value-quantity.*encounter.*patient"):
        run(ehr.search("Observation", {"value-quantity": "5"}))


def test_read(ehr: FilesConnector) -> None:
    assert run(ehr.read("Observation/o1/_history/1")) == RESOURCES[2]
    assert run(ehr.read("Observation/none")) is None
    assert run(ehr.read("Goal/none")) is None
    with pytest.raises(InputError):
        run(ehr.read("o1"))


def test_what_is_written_back_lands_in_the_outbox_once_and_is_readable(home: Path, ehr: FilesConnector) -> None:
    note = {**observation("ignored", "p1", "2026-04-01"), "id": "ignored"}
    first = run(ehr.create(note, if_none_exist="identifier=run|1"))
    assert run(ehr.create(note, if_none_exist="identifier=run|1")) == first
    other = fhir_files.open({"home": str(home)})
    assert run(other.create(note, if_none_exist="identifier=run|1")) == first
    assert run(other.create(note)) != first
    lines = [line for file in (home / "outbox").glob("*.ndjson") for line in file.read_text().splitlines()]
    assert len(lines) == 2
    assert run(ehr.read(first)) == {**note, "id": first.partition("/")[2], "meta": {"versionId": "1"}}
    assert len(run(ehr.search("Observation", {"patient": "p1", "date": "2026-04-01"}))) == 2


def test_an_update_is_seen_instead_of_what_was_loaded(ehr: FilesConnector) -> None:
    assert run(ehr.update({**RESOURCES[2], "status": "amended"})) == "Observation/o1"
    assert [item["status"] for item in run(ehr.search("Observation", {"patient": "p1", "_id": "o1"}))] == ["amended"]
    assert run(ehr.search("Observation", {"patient": "p1", "status": "final", "code": "4548-4"}))[0]["id"] == "o5"


def test_a_load_that_ends_meanwhile_is_seen(tmp_path: Path, home: Path, ehr: FilesConnector) -> None:
    assert len(run(ehr.search("Observation", {"patient": "p2"}))) == 1
    file = tmp_path / "more.ndjson"
    file.write_text(json.dumps(observation("o9", "p2", "2026-05-01")) + "\n", encoding="utf-8")
    load_path(file, home)
    assert len(run(ehr.search("Observation", {"patient": "p2"}))) == 2


def test_a_home_without_data_is_empty(tmp_path: Path) -> None:
    ehr = fhir_files.open({"home": str(tmp_path / "new")})
    assert list(run(ehr.search("Patient", {}))) == []
    run(ehr.aclose())


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="home"):
        fhir_files.open({})
    with pytest.raises(InputError, match="path"):
        fhir_files.open({"home": "x", "path": "y"})
