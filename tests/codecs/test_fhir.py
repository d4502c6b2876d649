"""FHIR R4 on the wire: lines a clinician would say, references, patients, dates, field selection."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.codecs.fhir import (
    RESOURCE_TYPES,
    date_of,
    patient_of,
    reference,
    references,
    select_fields,
    text_of,
)
from careplane.records import JSON

NOTE = base64.b64encode(b"Seen for cough.\nLungs clear.").decode()

LINES: list[tuple[JSON, str]] = [
    (
        {
            "resourceType": "ServiceRequest",
            "status": "draft",
            "priority": "routine",
            "authoredOn": "2026-03-01",
            "code": {"text": "MRI of the lumbar spine"},
            "reasonCode": [{"text": "Low back pain"}],
            "note": [{"text": "Six weeks of therapy."}],
        },
        "2026-03-01 ServiceRequest: MRI of the lumbar spine (draft, routine, for Low back pain); Six weeks of therapy.",
    ),
    (
        {
            "resourceType": "Claim",
            "use": "claim",
            "status": "active",
            "created": "2026-03-01",
            "diagnosis": [{"sequence": 1, "diagnosisCodeableConcept": {"text": "Pneumonia"}}],
            "item": [{"sequence": 1, "productOrService": {"text": "Inpatient stay"}}],
            "total": {"value": 9500, "currency": "USD"},
        },
        "2026-03-01 Claim: Inpatient stay for Pneumonia (claim, active, 9500 USD)",
    ),
    (
        {
            "resourceType": "ClaimResponse",
            "outcome": "complete",
            "disposition": "Denied",
            "created": "2026-03-09",
            "processNote": [{"text": "Not shown."}],
        },
        "2026-03-09 ClaimResponse: Denied (complete); Not shown.",
    ),
    (
        {"resourceType": "Coverage", "status": "active", "type": {"text": "PPO"}, "payor": [{"display": "Oak Mutual"}]},
        "Coverage: PPO (Oak Mutual, active)",
    ),
    (
        {
            "resourceType": "Slot",
            "status": "free",
            "start": "2026-03-16T09:20:00-06:00",
            "end": "2026-03-16T09:40:00-06:00",
        },
        "2026-03-16 Slot: Appointment (09:20 to 09:40, free)",
    ),
    (
        {
            "resourceType": "HealthcareService",
            "name": "Elm Clinic",
            "comment": "Enter from the lot.",
            "telecom": [{"value": "555-0101"}],
            "availableTime": [
                {"daysOfWeek": ["mon", "tue"], "availableStartTime": "08:00:00", "availableEndTime": "18:00:00"}
            ],
        },
        "HealthcareService: Elm Clinic; Enter from the lot.; 555-0101; mon, tue 08:00 to 18:00",
    ),
    (
        {
            "resourceType": "CarePlan",
            "status": "active",
            "title": "Going home",
            "activity": [{"detail": {"description": "Walk each day"}}, {}],
        },
        "CarePlan: Going home (active); Walk each day",
    ),
    ({"resourceType": "Flag", "status": "active", "code": {"text": "Fall risk"}}, "Flag: Fall risk (active)"),
    (
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "Hemoglobin A1c"},
            "effectiveDateTime": "2026-03-01T09:00:00-06:00",
            "valueQuantity": {"value": 8.2, "unit": "%"},
            "referenceRange": [{"low": {"value": 4}, "high": {"value": 6}}],
        },
        "2026-03-01 Observation: Hemoglobin A1c 8.2 % (ref 4-6)",
    ),
    (
        {
            "resourceType": "MedicationRequest",
            "status": "active",
            "medicationCodeableConcept": {"text": "lisinopril 10 mg tablet"},
            "dosageInstruction": [{"text": "1 daily"}],
        },
        "MedicationRequest: lisinopril 10 mg tablet, 1 daily (active)",
    ),
    (
        {
            "resourceType": "Condition",
            "code": {"coding": [{"code": "44054006", "display": "Type 2 diabetes"}]},
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "onsetDateTime": "2019",
        },
        "Condition: Type 2 diabetes (active since 2019)",
    ),
    (
        {
            "resourceType": "AllergyIntolerance",
            "code": {"text": "Penicillin"},
            "criticality": "high",
            "reaction": [{"manifestation": [{"text": "Hives"}]}],
        },
        "AllergyIntolerance: Penicillin: Hives (high criticality)",
    ),
    (
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "date": "2026-01-02T00:00:00Z",
            "type": {"text": "Progress note"},
            "content": [{"attachment": {"contentType": "text/plain", "data": NOTE}}],
        },
        "2026-01-02 DocumentReference: Progress note (current): Seen for cough. Lungs clear.",
    ),
    (
        {
            "resourceType": "Communication",
            "sent": "2026-02-03T10:00:00-06:00",
            "category": [{"text": "portal"}],
            "payload": [{"contentString": "May I take ibuprofen?"}],
        },
        "2026-02-03 Communication: portal: May I take ibuprofen?",
    ),
    (
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {"code": "IMP"},
            "type": [{"text": "Inpatient stay"}],
            "period": {"start": "2026-03-01", "end": "2026-03-04"},
        },
        "2026-03-01 Encounter: Inpatient stay (IMP, finished, 2026-03-01 to 2026-03-04)",
    ),
    (
        {
            "resourceType": "Patient",
            "name": [{"given": ["Ana"], "family": "Lopez"}],
            "gender": "female",
            "birthDate": "1950-02-03",
        },
        "Patient: Ana Lopez, female, born 1950-02-03",
    ),
    (
        {"resourceType": "Basic", "id": "b1", "code": {"text": "referral"}},
        "Basic: referral",
    ),
    ({"resourceType": "Slot", "id": "s1"}, "Slot: s1"),
    ({}, "Resource: no details given"),
]


@pytest.mark.parametrize(("resource", "line"), LINES)
def test_a_resource_reads_as_one_human_line(resource: JSON, line: str) -> None:
    assert text_of(resource) == line


def test_a_long_note_is_cut_at_the_limit_and_whole_without_one() -> None:
    resource = {"resourceType": "Communication", "payload": [{"contentString": "word " * 200}]}
    assert len(text_of(resource, limit=50)) <= 50
    assert text_of(resource, limit=50).endswith("…")
    assert text_of(resource, limit=None).count("word") == 200


def test_a_contained_medication_is_named() -> None:
    resource = {
        "resourceType": "MedicationStatement",
        "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "metformin"}}],
        "medicationReference": {"reference": "#m"},
    }
    assert text_of(resource) == "MedicationStatement: metformin"


def test_references_are_found_at_every_depth_in_order() -> None:
    resource = {
        "resourceType": "Encounter",
        "subject": {"reference": "Patient/p"},
        "participant": [{"individual": {"reference": "Practitioner?identifier=s|1"}}],
        "contained": [{"resourceType": "List", "entry": [{"item": {"reference": "#x"}}]}],
    }
    assert list(references(resource)) == ["Patient/p", "Practitioner?identifier=s|1", "#x"]


@pytest.mark.parametrize(
    ("resource", "patient"),
    [
        ({"resourceType": "Patient", "id": "p"}, "Patient/p"),
        ({"resourceType": "Coverage", "beneficiary": {"reference": "Patient/p"}}, "Patient/p"),
        ({"resourceType": "Account", "subject": [{"reference": "https://ehr.test/fhir/Patient/p"}]}, "Patient/p"),
        (
            {"performer": [{"reference": "Patient/mother"}], "subject": {"reference": "Patient/p/_history/2"}},
            "Patient/p",
        ),
        (
            {"participant": [{"actor": {"reference": "Location/l"}}, {"actor": {"reference": "Patient/p"}}]},
            "Patient/p",
        ),
        ({"resourceType": "Task", "for": {"reference": "Patient/p"}}, "Patient/p"),
        ({"resourceType": "Group", "subject": {"reference": "Group/g"}}, None),
    ],
)
def test_the_patient_of_a_resource(resource: JSON, patient: str | None) -> None:
    assert patient_of(resource) == patient


@pytest.mark.parametrize(
    ("resource", "when"),
    [
        ({"effectivePeriod": {"start": "2026-01-01"}, "issued": "2026-02-01T00:00:00Z"}, "2026-01-01"),
        ({"effectiveTiming": {"event": ["2026-01-05"]}}, "2026-01-05"),
        ({"onsetAge": {"value": 40}, "recordedDate": "2020-01-01"}, "2020-01-01"),
        ({"onsetString": "in childhood"}, None),
        ({"meta": {"lastUpdated": "2026-01-01T00:00:00Z"}}, None),
    ],
)
def test_the_date_is_the_clinical_one(resource: JSON, when: str | None) -> None:
    assert date_of(resource) == when


def test_selected_fields_keep_identity_and_choice_elements_only() -> None:
    resource = {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "statusReason": {"text": "no"},
        "valueQuantity": {"value": 1},
        "_status": {"extension": []},
        "note": [{"text": "private"}],
    }
    assert set(select_fields(resource, ["status", "value"])) == {
        "resourceType",
        "id",
        "status",
        "_status",
        "valueQuantity",
    }
    assert reference(select_fields(resource, [])) == "Observation/o"


NAMES = ["code", "value", "subject", "name", "content", "payload", "status", "text", "period", "medicationReference"]
KEYS = st.sampled_from([*NAMES, "coding", "reference", "data"])
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(sorted(RESOURCE_TYPES)), st.dictionaries(st.sampled_from([*NAMES, "valueQuantity"]), SHAPES))
def test_no_shape_of_any_type_raises(kind: str, elements: dict[str, Any]) -> None:
    resource = {**elements, "resourceType": kind}
    assert text_of(resource).partition(" ")[0]
    assert kind in text_of(resource)
    assert "\n" not in text_of(resource)
    patient_of(resource)
    date_of(resource)
    assert all(isinstance(target, str) for target in references(resource))


def test_every_published_example_has_a_line(shared: Path) -> None:
    examples = sorted((shared / "data/fhir-examples").glob("*.json"))
    assert examples
    for path in examples:
        resource = json.loads(path.read_text(encoding="utf-8"))
        assert resource["resourceType"] in RESOURCE_TYPES
        assert resource["resourceType"] in text_of(resource)
