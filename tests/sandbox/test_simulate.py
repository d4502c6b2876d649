"""Triggers fired through real doors, in a throw-away installation with the sandbox EHR."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import careplane.apps
from careplane._shelf import load
from careplane.apps import read_app
from careplane.connectors import FhirConnector
from careplane.records.app import App, Trigger
from careplane.sandbox.simulate.subjects import Subject, find_subject
from careplane.store.lake import load_path

SHELF = Path(careplane.apps.__file__).parent
Row = dict[str, Any]


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "careplane", "app", "simulate", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400, check=False)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Row]:
    """What came of every trigger of every app that runs."""
    folder = tmp_path_factory.mktemp("simulate")
    told = run(folder, "--all", "--json")
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr[-2000:]
    assert list(folder.iterdir()) == []
    found: Sequence[Row] = json.loads(told.stdout)
    return found


@pytest.mark.slow
def test_every_trigger_of_every_app_that_runs_leads_to_a_draft(rows: Sequence[Row]) -> None:
    assert len({row["app"] for row in rows}) == 11
    assert {row["kind"] for row in rows} == {"hook", "subscription", "hl7v2", "schedule", "erp", "api", "chat"}
    assert [(row["app"], row["problem"]) for row in rows if not row["passed"]] == []
    for row in rows:
        assert row["words"] > 2
        assert row["sources"] > 0
        assert row["run"].startswith("run-")
        assert all(reason["allowed"] for reason in row["permit"])
        kind = read_app(SHELF / row["app"]).spec.output.kind
        assert row["writes"] == ([] if kind == "text" else [kind, "Provenance", "Device"])


@pytest.mark.slow
def test_the_doors_are_those_of_a_site(rows: Sequence[Row]) -> None:
    doors = {row["kind"]: row["door"] for row in rows}
    assert doors["hook"].startswith("CDS Hooks call of /cds-services/")
    assert doors["hook"].endswith(": 1 card(s)")
    assert doors["subscription"] == "Subscription of the EHR to Communication"
    assert doors["hl7v2"] == "MLLP message ADT^A03, acknowledged AA"
    assert doors["erp"] == "ERP file drop (claim.denied)"
    assert doors["api"] == "POST /events"
    assert doors["chat"] == "POST /chat"
    assert doors["schedule"] == "the clock"


@pytest.mark.slow
def test_drafts_are_about_what_the_app_is_for(rows: Sequence[Row]) -> None:
    text = {row["app"]: row["text"] for row in rows}
    assert "Denied" in text["denial_appeal"]
    assert "MRI" in text["prior_auth"]
    assert "The patient says" in text["ambient_note"]
    assert "free" in text["access_assistant"]
    assert next(row["runs"] for row in rows if row["app"] == "shift_handoff") == 8


def test_what_cannot_be_asked_for_is_told(tmp_path: Path) -> None:
    for wrong in ([], ["ambient_note", "--all"], ["ambient_nota"]):
        refused = run(tmp_path, *wrong)
        assert refused.returncode in (1, 2)
        assert refused.stderr.startswith("careplane: ")
    assert "ambient_note" in refused.stderr


@pytest.fixture(scope="module")
def chart(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> FhirConnector:
    """The sandbox's data as an EHR without a server."""
    home = tmp_path_factory.mktemp("home")
    load_path(dataset / "fhir", home)
    connector: FhirConnector = load("connectors", "fhir_files").open({"home": str(home)})
    return connector


def subject(chart: FhirConnector, app: App, trigger: Trigger | None = None) -> Subject | None:
    return asyncio.run(find_subject(chart, app, trigger or app.spec.trigger))


def test_a_subject_has_what_the_trigger_speaks_of(chart: FhirConnector) -> None:
    denied = subject(chart, read_app(SHELF / "denial_appeal"))
    assert denied is not None
    assert (denied.resource or {})["disposition"] == "Denied"
    assert str(denied.focus).startswith("ClaimResponse/answer-bill-")
    order = subject(chart, read_app(SHELF / "prior_auth"))
    assert order is not None
    assert (order.resource or {})["status"] == "draft"
    spoken = subject(chart, read_app(SHELF / "ambient_note"))
    assert spoken is not None
    assert "transcript" in str((spoken.resource or {})["type"]["text"])
    assert str(spoken.unit).startswith("Location/clinic-")
    message = subject(chart, read_app(SHELF / "portal_reply"))
    assert message is not None
    assert message.patient == (message.resource or {})["sender"]["reference"]
    stay = subject(chart, read_app(SHELF / "discharge_summary"))
    assert stay is not None
    assert stay.encounter == stay.focus
    assert str(stay.unit).startswith("Location/ward-")


def test_a_ward_is_taken_of_which_the_app_reads_most(chart: FhirConnector) -> None:
    unit = subject(chart, read_app(SHELF / "infection_surveillance"))
    assert unit is not None
    assert unit.patient is None
    found = asyncio.run(chart.search("DiagnosticReport", {"encounter.location": str(unit.unit), "category": "MB"}))
    assert found


def test_there_is_no_subject_where_nothing_fits(chart: FhirConnector) -> None:
    reply = read_app(SHELF / "portal_reply")
    rule = replace(reply.spec.context[0], resource="Media", search="_id={focus}")
    blind = replace(reply, spec=replace(reply.spec, context=(rule,)))
    assert subject(chart, blind) is None
