"""Blood pressure control on patients worked out by hand."""

from typing import Any

import orjson

from careplane.measures import rows_in_memory
from careplane.measures.bp_control import MEASURE
from careplane.records import JSON

BORN = {"resourceType": "Patient", "id": "x", "birthDate": "1960-05-05", "gender": "male"}
VISIT: JSON = {
    "resourceType": "Encounter", "id": "v", "status": "finished", "class": {"code": "AMB"},
    "subject": {"reference": "Patient/x"}, "period": {"start": "2026-02-03T09:00:00-06:00"},
    "location": [{"location": {"reference": "Location/clinic-1"}}],
}  # fmt: skip


def diagnosis(code: str = "I10", **more: Any) -> JSON:
    subject = {"reference": "Patient/x"}
    return {"resourceType": "Condition", "id": code, "code": {"coding": [{"code": code}]}, "subject": subject, **more}


def reading(ident: str, at: str, systolic: float | None, diastolic: float | None, **more: Any) -> JSON:
    values = (("8480-6", systolic), ("8462-4", diastolic))
    parts = [{"code": {"coding": [{"code": c}]}, "valueQuantity": {"value": v}} for c, v in values if v is not None]
    return {
        "resourceType": "Observation", "id": ident, "status": "final", "subject": {"reference": "Patient/x"},
        "effectiveDateTime": at, "component": parts, **more,
    }  # fmt: skip


def values(*cases: list[JSON]) -> list[float | None]:
    """The value in 2026 of each case's Patient/x, all measured at once; ``None`` when there is no such row."""
    resources: list[JSON] = []
    for number, case in enumerate(cases):
        text = orjson.dumps(case).replace(b"Patient/x", b"Patient/x%d" % number)
        resources += orjson.loads(text.replace(b'"id":"x"', b'"id":"x%d"' % number))
    found = rows_in_memory(MEASURE, resources)
    return [found.get(f"x{number}/2026", {}).get("value") for number in range(len(cases))]


def test_the_last_day_with_a_reading_counts() -> None:
    cases: list[Any] = [
        ([("2026-06-01", 138, 88)], 1.0),
        ([("2026-06-01", 140, 88)], 0.0),  # below, not at
        ([("2026-06-01", 138, 90)], 0.0),
        ([], 0.0),  # never measured
        ([("2025-12-31T23:00:00-06:00", 120, 80)], 0.0),  # another year, though it is 2026 in UTC
        ([("2026-03-01", 120, 80), ("2026-09-01", 150, 80)], 0.0),  # the last day counts
        ([("2026-09-01T08:00:00Z", 150, 80), ("2026-09-01T08:10:00Z", 138, 92)], 1.0),  # lowest of each on a day
        ([("2026-06-01", 138, 88), ("2026-09-01", 150, None)], 1.0),  # half a reading is none
    ]
    found = values(
        *([BORN, VISIT, diagnosis(), *(reading(f"o{n}", *one) for n, one in enumerate(taken))] for taken, _ in cases)
    )
    assert found == [expected for _, expected in cases]


def test_readings_in_hospital_and_readings_in_error_do_not_count() -> None:
    stay = VISIT | {"id": "s", "class": {"code": "IMP"}}
    inside = reading("o", "2026-10-01", 120, 80, encounter={"reference": "Encounter/s"})
    wrong = reading("p", "2026-10-01", 120, 80, status="entered-in-error")
    inside_a_visit = reading("q", "2026-10-01", 120, 80, encounter={"reference": "Encounter/v"})
    common = [BORN, VISIT, stay, diagnosis()]
    assert values([*common, inside], [*common, wrong], [*common, inside_a_visit]) == [0.0, 0.0, 1.0]


def test_who_has_hypertension() -> None:
    cases: list[Any] = [
        ([diagnosis(onsetDateTime="2026-06-30")], True),
        ([diagnosis(onsetDateTime="2026-07-01")], False),  # too late in the year
        ([diagnosis(onsetDateTime="2026-07")], False),
        ([diagnosis(onsetDateTime="2019")], True),
        ([diagnosis("59621000", recordedDate="2025-01-01")], True),
        ([diagnosis(abatementDateTime="2025-12-31")], False),
        ([diagnosis(verificationStatus={"coding": [{"code": "refuted"}]})], False),
        ([diagnosis("E11.9")], False),
        ([diagnosis(), diagnosis("N18.6")], False),  # end-stage kidney disease
        ([diagnosis("38341003"), diagnosis()], True),  # two codes, one row
        ([], False),
    ]
    found = values(*([BORN, VISIT, *diagnoses] for diagnoses, _ in cases))
    assert found == [0.0 if counted else None for _, counted in cases]


def test_age_and_death() -> None:
    cases: list[Any] = [
        ({"birthDate": "2008-12-31"}, True),  # 18 on 31 December
        ({"birthDate": "2009-01-01"}, False),
        ({"birthDate": "1941"}, True),
        ({"birthDate": "1940-12-31"}, False),  # 86
        ({"deceasedDateTime": "2026-11-01"}, False),
        ({"deceasedDateTime": "2027-01-01"}, True),
        ({"birthDate": None}, False),
    ]
    found = values(*([BORN | patient, VISIT, diagnosis()] for patient, _ in cases))
    assert found == [0.0 if counted else None for _, counted in cases]


def test_the_row_is_that_of_the_first_visit_of_each_year() -> None:
    again = VISIT | {"id": "w", "period": {"start": "2026-01-05T09:00:00-06:00"}}
    other = VISIT | {"id": "y", "period": {"start": "2027-03-05T09:00:00-06:00"}, "class": {"code": "VR"}}
    ward = VISIT | {"id": "z", "period": {"start": "2028-03-05T09:00:00-06:00"}, "class": {"code": "IMP"}}
    found = rows_in_memory(MEASURE, [BORN, VISIT, again, other, ward, diagnosis()])
    assert found.keys() == {"x/2026", "x/2027"}
    assert found["x/2026"]["at"] == 1767625200  # 2026-01-05T15:00:00Z
    assert found["x/2026"]["cluster"] == "Location/clinic-1"
