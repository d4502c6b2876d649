"""Settings, names and states of exports; servers that misbehave are in ``tests/connectors/test_bulk_hostile.py``."""

from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from careplane.codecs.fhir_bulk import BulkFile, BulkManifest, ExportRequest, kick_off_path
from careplane.connectors import fhir_bulk
from careplane.connectors.fhir_bulk.state import ExportState, load_state, names, save_state
from careplane.errors import Conflict, InputError

BASE = "https://ehr.example.org/fhir"


@pytest.mark.parametrize("wait", ["soon", "0", "-1", "604801", "nan", "inf"])
def test_the_wait_is_a_number_of_seconds_up_to_a_week(wait: str) -> None:
    with pytest.raises(InputError) as caught:
        fhir_bulk.open({"base_url": BASE, "wait_seconds": wait})
    assert caught.value.field == "wait_seconds"


@pytest.mark.parametrize("largest", ["big", "0", "-1", "10001", "nan", "inf"])
def test_the_largest_file_is_a_number_of_gigabytes(largest: str) -> None:
    with pytest.raises(InputError) as caught:
        fhir_bulk.open({"base_url": BASE, "max_file_gb": largest})
    assert caught.value.field == "max_file_gb"


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (ExportRequest(), "$export"),
        (ExportRequest(level="patient"), "Patient/$export"),
        (ExportRequest(level="group", group="g1"), "Group/g1/$export"),
    ],
)
def test_each_level_has_its_own_path(request_: ExportRequest, path: str) -> None:
    assert kick_off_path(request_).partition("?")[0] == path


def test_what_is_asked_for_is_in_the_query() -> None:
    request = ExportRequest(
        types=("Patient", "Task"),
        since="2026-03-01T00:00:00+01:00",
        type_filters=("Task?status=requested&owner=x", "Patient?active=true"),
    )
    assert parse_qsl(kick_off_path(request).partition("?")[2]) == [
        ("_outputFormat", "application/fhir+ndjson"),
        ("_type", "Patient,Task"),
        ("_since", "2026-03-01T00:00:00+01:00"),
        ("_typeFilter", "Task?status=requested&owner=x"),
        ("_typeFilter", "Patient?active=true"),
    ]


def test_several_files_of_a_type_have_names_of_their_own_and_only_data_ends_in_ndjson() -> None:
    def file(kind: str) -> BulkFile:
        return BulkFile(type=kind, url=f"{BASE}/x")

    manifest = BulkManifest(
        at="2026-03-01T00:00:00Z",
        needs_token=False,
        output=(file("Task"), file("Patient"), file("Task")),
        error=(file("OperationOutcome"),),
        deleted=(file("Bundle"),),
    )
    assert list(names(manifest)) == [
        *("Task.1.ndjson", "Patient.1.ndjson", "Task.2.ndjson", "Bundle.1.deleted", "OperationOutcome.1.outcomes"),
    ]


def test_a_state_is_of_one_request_at_one_server(tmp_path: Path) -> None:
    request = ExportRequest(types=("Patient",))
    assert load_state(tmp_path, BASE, request) == ExportState(base_url=BASE, request=request)
    save_state(tmp_path, ExportState(base_url=BASE, request=request, status_url=f"{BASE}/s"))
    assert load_state(tmp_path, BASE, request).status_url == f"{BASE}/s"
    for base, other in ((BASE, ExportRequest()), (f"{BASE}2", request)):
        with pytest.raises(Conflict):
            load_state(tmp_path, base, other)
    assert [path.name for path in tmp_path.iterdir()] == ["export.json"]
    assert (tmp_path / "export.json").stat().st_mode & 0o077 == 0
