"""Finding and exporting records: filters, FHIR AuditEvents after BALP, accounting of disclosures, no identifier."""

import csv
import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from fhir.resources.R4B.auditevent import AuditEvent

from careplane.cli import careplane
from careplane.ledger import FreeText, Ledger, Query, open_ledger
from careplane.ledger.audit_event import PROFILES, audit_events
from careplane.ledger.disclosures import disclosures
from careplane.ledger.facts import Scalar
from careplane.records import JSON

AT = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
DCM = "http://dicom.nema.org/resources/ontology/DCM"


@pytest.fixture
def told(home: Path) -> Ledger:
    """Two runs on two patients, as the workflow and the gateway record them, in several segments."""
    ledger = open_ledger(home / "ledger", segment_bytes=1_500)
    for number, patient in enumerate(("Patient/123", "Patient/456")):
        run, at = f"run-{number}", AT + timedelta(days=number)
        user = ledger.pseudonym("Practitioner/kim")
        about = {"patient": ledger.pseudonym(patient), "user": user}
        ledger.append("run.permitted", at=at, run=run, app="portal_reply", facts=about)
        call = {"provider": "openai_compatible", "model": "m-1", "route": "default", "policy": "limited"}
        more: dict[str, Scalar] = {"surrogates": 3, "input_tokens": 812, "purpose": "treatment"}
        ledger.append("model_call", at=at, run=run, app="portal_reply", facts={**call, **more})
        ledger.append("run.drafted", at=at, run=run, app="portal_reply", facts={"sources": 4})
        ledger.append("draft_viewed", at=at, run=run, app="portal_reply", actor=user)
        ledger.append("run.written", at=at, run=run, app="portal_reply", actor=user)
    ledger.append("model_error", at=AT, app="policy_finder", facts={"provider": "local", "policy": "none"})
    ledger.append("signed_in", at=AT + timedelta(days=3), actor="kim")
    ledger.append("check.waived", at=AT, app="x", actor="board", facts={"reason": FreeText("a sentence\nof two lines")})
    return ledger


def _kinds(ledger: Ledger, query: Query) -> list[str]:
    return [record.kind for record in ledger.find(query)]


RUN = ["run.permitted", "model_call", "run.drafted", "draft_viewed", "run.written"]


def test_patient_brings_her_whole_runs(told: Ledger) -> None:
    found = list(told.find(Query(patients=(told.pseudonym("Patient/456"),))))
    assert [record.kind for record in found] == RUN
    assert {record.run for record in found} == {"run-1"}
    assert list(told.find(Query(patients=(told.pseudonym("Patient/789"),)))) == []


def test_filters_combine(told: Ledger) -> None:
    user = told.pseudonym("Practitioner/kim")
    assert _kinds(told, Query(app="policy_finder")) == ["model_error"]
    assert _kinds(told, Query(actors=(user,), run="run-0")) == ["run.permitted", "draft_viewed", "run.written"]
    assert _kinds(told, Query(since=AT + timedelta(days=1), until=AT + timedelta(days=3))) == RUN
    assert _kinds(told, Query(since=AT + timedelta(days=3))) == ["signed_in"]
    assert _kinds(told, Query(until=AT)) == []
    assert _kinds(told, Query(kind="model_call", patients=(told.pseudonym("Patient/123"),))) == ["model_call"]


def test_text_in_facts_is_no_match(told: Ledger) -> None:
    told.append(
        "note", at=AT, facts={"kind": "model_call", "run": "run-0", "app": "portal_reply", "other": "signed_in"}
    )
    assert "note" not in _kinds(told, Query(kind="model_call"))
    assert "note" not in _kinds(told, Query(run="run-0"))
    assert "note" not in _kinds(told, Query(app="portal_reply"))
    assert "note" not in _kinds(told, Query(actors=("signed_in",)))


def _events(ledger: Ledger) -> list[JSON]:
    events = list(audit_events(ledger.records(), "site.example.org"))
    for event in events:
        AuditEvent.model_validate(json.loads(json.dumps(event)))
    return events


def test_every_record_is_a_valid_audit_event(told: Ledger) -> None:
    events = _events(told)
    assert [event["subtype"][-1]["code"] for event in events] == [record.kind for record in told.records()]
    assert all(event["agent"] and event["entity"] and event["source"]["observer"] for event in events)
    assert len({event["id"] for event in events}) == len(events)


def _agent(event: JSON, code: str) -> JSON:
    (found,) = [agent for agent in event["agent"] if agent["type"]["coding"][0]["code"] == code]
    return dict(found)


def test_model_call_meets_the_disclosure_pattern(told: Ledger) -> None:
    event = _events(told)[1]
    assert event["meta"]["profile"] == [PROFILES + "PrivacyDisclosure.Source"]
    assert (event["type"]["system"], event["type"]["code"]) == (DCM, "110106")
    assert event["subtype"][0]["code"] == "disclose"
    assert (event["action"], event["outcome"]) == ("R", "0")
    assert _agent(event, "110153")["who"] == event["source"]["observer"]
    assert _agent(event, "110152")["network"] == {"address": "openai_compatible", "type": "1"}
    assert event["purposeOfEvent"] == [{"text": "treatment"}]
    patient, data = event["entity"]
    assert (patient["type"]["code"], patient["role"]["code"], data["type"]["code"]) == ("1", "1", "2")
    assert patient["what"]["identifier"]["value"] == told.pseudonym("Patient/123")


@pytest.mark.parametrize(
    ("place", "profile", "code", "action", "role"),
    [
        (2, "PatientRead", "read", "R", None),
        (3, "PatientRead", "read", "R", "IRCP"),
        (4, "PatientCreate", "create", "C", "AUT"),
    ],
)
def test_reads_and_writes_meet_their_patterns(
    told: Ledger, place: int, profile: str, code: str, action: str, role: str | None
) -> None:
    event = _events(told)[place]
    assert event["meta"]["profile"] == [PROFILES + profile]
    assert event["type"]["code"] == "rest"
    assert event["subtype"][0] == {"system": "http://hl7.org/fhir/restful-interaction", "code": code, "display": code}
    assert (event["action"], event["outcome"]) == (action, "0")
    assert {"110152", "110153"} <= {agent["type"]["coding"][0]["code"] for agent in event["agent"]}
    assert len(event["entity"]) == 2
    if role:
        person = _agent(event, role)
        assert person["requestor"] is True
        assert "network" not in person


def test_failures_and_other_acts_claim_no_pattern(told: Ledger) -> None:
    events = {event["subtype"][-1]["code"]: event for event in _events(told)}
    assert "meta" not in events["model_error"]
    assert events["model_error"]["outcome"] == "8"
    assert "meta" not in events["signed_in"]
    assert events["signed_in"]["type"]["code"] == "110114"
    assert "meta" not in events["check.waived"]


def test_disclosures_name_date_recipient_content_and_purpose(told: Ledger) -> None:
    first, second, error = disclosures(told.records())
    assert first.patient == told.pseudonym("Patient/123")
    assert (first.at, first.recipient, first.purpose) == (AT, "openai_compatible/m-1/default", "treatment")
    assert "812 tokens" in first.what
    assert second.patient == told.pseudonym("Patient/456")
    assert (error.patient, error.purpose) == (None, "use of policy_finder")
    assert [one.seq for one in disclosures(told.records(), frozenset({"none"}))] == [error.seq]


def test_stream_counts_once_also_when_a_crash_cut_it_off_and_a_cached_reply_not(ledger: Ledger) -> None:
    for kind, call in (("model_stream_started", "c1"), ("model_stream_started", "c2"), ("model_call", "c1")):
        ledger.append(kind, at=AT, app="a", facts={"call": call, "provider": "p"})
    ledger.append("model_call", at=AT, app="a", facts={"call": "c3", "provider": "p", "cached": True})
    ledger.append("model_shadow", at=AT, app="a", facts={"call": "c1", "provider": "q"})
    assert [(one.seq, one.recipient) for one in disclosures(ledger.records())] == [(3, "p"), (5, "q"), (2, "p")]


def _run(home: Path, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(careplane, ["ledger", *arguments, "--home", str(home)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout


def test_commands_compute_the_pseudonym(told: Ledger, home: Path, tmp_path: Path) -> None:
    for patient, expected in (("Patient/456", RUN), ("456", [*RUN, "ledger.exported"])):  # the first look is told too
        lines = _run(home, "export", "--patient", patient).splitlines()
        assert [json.loads(line)["kind"] for line in lines] == expected
    out = tmp_path / "audit.ndjson"
    told_of = _run(home, "export", "--format", "fhir", "--kind", "model_call", "--out", str(out), "--json")
    assert json.loads(told_of) == {"out": str(out), "records": 2}
    assert all("meta" in json.loads(line) for line in out.read_text().splitlines())
    rows = list(csv.DictReader(io.StringIO(_run(home, "disclosures", "--patient", "123"))))
    assert [(row["recipient"], row["patient"]) for row in rows] == [
        ("openai_compatible/m-1/default", told.pseudonym("Patient/123"))
    ]
    assert len(_run(home, "disclosures", "--json", "--policy", "limited").splitlines()) == 2
    _run(home, "export", "--since", "yesterday", code=1)
    exports = list(told.records(kind="ledger.exported"))
    assert [record.facts["lines"] for record in exports] == [5, 6, 2, 2, 2]
    assert exports[0].facts["patient"] == told.pseudonym("Patient/456")


def test_a_look_that_is_broken_off_is_recorded(told: Ledger, home: Path) -> None:
    for number in range(300):
        told.append("model_call", at=AT, run="run-0", app="a", facts={"n": number, "text": "x" * 200})
    command = [sys.executable, "-m", "careplane", "ledger", "export", "--patient", "123", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        reader.stdout.close()
    (record,) = told.records(kind="ledger.exported")
    assert record.facts["patient"] == told.pseudonym("Patient/123")


def test_no_cell_is_taken_for_a_formula(ledger: Ledger, home: Path) -> None:
    ledger.append("model_call", at=AT, app="a", facts={"provider": "p", "purpose": "=HYPERLINK(1)"})
    assert ",'=HYPERLINK(1)," in _run(home, "disclosures")


def test_no_name_and_no_reference_leaves(told: Ledger, home: Path) -> None:
    text = _run(home, "export") + _run(home, "export", "--format", "fhir") + _run(home, "disclosures")
    assert "Patient/123" not in text
    assert "Practitioner/kim" not in text
