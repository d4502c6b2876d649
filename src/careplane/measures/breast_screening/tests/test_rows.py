"""Breast cancer screening on patients worked out by hand."""

from typing import Any

import orjson

from careplane.measures import rows_in_memory
from careplane.measures.breast_screening import MEASURE
from careplane.records import JSON

SUBJECT = {"reference": "Patient/x"}
BORN = {"resourceType": "Patient", "id": "x", "birthDate": "1970-05-05", "gender": "female"}
VISIT: JSON = {
    "resourceType": "Encounter", "id": "v", "status": "finished", "class": {"code": "AMB"}, "subject": SUBJECT,
    "period": {"start": "2026-02-03T09:00:00-06:00"},
}  # fmt: skip


def procedure(code: str, at: str, **more: Any) -> JSON:
    coded = {"coding": [{"code": code}]}
    body = {"resourceType": "Procedure", "id": code, "status": "completed", "subject": SUBJECT, "code": coded}
    return body | {"performedDateTime": at, **more}


def study(kind: str, at: str, status: str = "final") -> JSON:
    coded = {"coding": [{"system": "http://loinc.org", "code": "24606-6"}]}
    body = {"resourceType": kind, "id": "m", "status": status, "subject": SUBJECT, "code": coded}
    return body | {"effectiveDateTime": at}


PERIOD = {"performedDateTime": None, "performedPeriod": {"start": "2026-01-02T08:00:00Z"}}


def values(*cases: list[JSON]) -> list[float | None]:
    """The value in 2026 of each case's Patient/x, all measured at once; ``None`` when there is no such row."""
    resources: list[JSON] = []
    for number, case in enumerate(cases):
        text = orjson.dumps(case).replace(b"Patient/x", b"Patient/x%d" % number)
        resources += orjson.loads(text.replace(b'"id":"x"', b'"id":"x%d"' % number))
    found = rows_in_memory(MEASURE, resources)
    return [found.get(f"x{number}/2026", {}).get("value") for number in range(len(cases))]


def test_a_mammogram_within_27_months() -> None:
    cases: list[Any] = [
        ([procedure("77067", "2024-10-01")], 1.0),  # the first day of the 27 months
        ([procedure("77067", "2024-09-30")], 0.0),
        ([procedure("71651007", "2026-12-31T23:00:00-06:00")], 1.0),
        ([procedure("71651007", "2027-01-01")], 0.0),
        ([procedure("77067", "", **PERIOD)], 1.0),
        ([procedure("77067", "2026-01-01", status="not-done")], 0.0),
        ([study("DiagnosticReport", "2025-07-01")], 1.0),
        ([study("Observation", "2025-07-01")], 1.0),
        ([study("Observation", "2025-07-01", "registered")], 0.0),
        ([], 0.0),
        ([procedure("77067", "2025-01-01"), study("DiagnosticReport", "2025-01-01")], 1.0),  # counted once
    ]
    found = values(*([BORN, VISIT, *mammogram] for mammogram, _ in cases))
    assert found == [value for _, value in cases]


def test_who_is_counted() -> None:
    cases: list[Any] = [
        ({"birthDate": "1984-12-31"}, True),  # 42
        ({"birthDate": "1985-01-01"}, False),
        ({"birthDate": "1952-01-01"}, True),  # 74
        ({"birthDate": "1951-12-31"}, False),
        ({"gender": "male"}, False),
        ({"gender": None}, False),
    ]
    found = values(*([BORN | patient, VISIT] for patient, _ in cases))
    assert [one is not None for one in found] == [counted for _, counted in cases]


def test_bilateral_mastectomy_is_left_out_from_the_year_it_was_done() -> None:
    later = VISIT | {"id": "w", "period": {"start": "2028-02-03T09:00:00-06:00"}}
    removed = procedure("27865001", "2027-05-01")
    assert rows_in_memory(MEASURE, [BORN, VISIT, later, removed]).keys() == {"x/2026"}
