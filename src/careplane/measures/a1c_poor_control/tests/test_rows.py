"""Poor control of diabetes on patients worked out by hand."""

from typing import Any

import pytest

from careplane.measures import rows_in_memory
from careplane.measures.a1c_poor_control import MEASURE
from careplane.records import JSON

SUBJECT = {"reference": "Patient/x"}
BORN = {"resourceType": "Patient", "id": "x", "birthDate": "1960-05-05"}
VISIT: JSON = {
    "resourceType": "Encounter", "id": "v", "status": "finished", "class": {"code": "AMB"}, "subject": SUBJECT,
    "period": {"start": "2026-02-03T09:00:00-06:00"},
}  # fmt: skip


def diabetes(code: str = "E11.65", **more: Any) -> JSON:
    return {"resourceType": "Condition", "id": "d", "code": {"coding": [{"code": code}]}, "subject": SUBJECT, **more}


def a1c(ident: str, at: str, percent: float, unit: str = "%", **more: Any) -> JSON:
    return {
        "resourceType": "Observation", "id": ident, "status": "final", "subject": SUBJECT, "effectiveDateTime": at,
        "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
        "valueQuantity": {"value": percent, "code": unit}, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("results", "value"),
    [
        ([a1c("a", "2026-05-01", 9.0)], 0.0),  # above 9, not at
        ([a1c("a", "2026-05-01", 9.1)], 1.0),
        ([], 1.0),  # not measured
        ([a1c("a", "2025-05-01", 6.0)], 1.0),  # not in the year
        ([a1c("a", "2026-02-01", 10.0), a1c("b", "2026-11-01", 7.0)], 0.0),
        ([a1c("a", "2026-02-01", 7.0), a1c("b", "2026-11-01", 10.0)], 1.0),
        ([a1c("a", "2026-11-01", 7.0), a1c("b", "2026-11-01", 10.0)], 1.0),  # the highest of one moment
        ([a1c("a", "2026-05-01", 53, "mmol/mol")], 1.0),  # another unit is not read
        ([a1c("a", "2026-05-01", 7.0, status="preliminary")], 1.0),
        ([a1c("a", "2026-02-01", 10.0), a1c("b", "2026-11-01", 7.0, status="corrected")], 0.0),
    ],
)
def test_the_last_result_of_the_year(results: list[JSON], value: float) -> None:
    assert rows_in_memory(MEASURE, [BORN, VISIT, diabetes(), *results])["x/2026"]["value"] == value


@pytest.mark.parametrize(
    ("condition", "counted"),
    [
        (diabetes("44054006"), True),
        (diabetes("E10.9"), True),
        (diabetes("E13.9", onsetDateTime="2026-12-31"), True),
        (diabetes("E11.9", onsetDateTime="2027-01-01"), False),
        (diabetes("O24.419"), False),  # gestational
        (diabetes("R73.03"), False),  # prediabetes
    ],
)
def test_who_has_diabetes(condition: JSON, counted: bool) -> None:
    assert bool(rows_in_memory(MEASURE, [BORN, VISIT, condition])) is counted


@pytest.mark.parametrize(("born", "counted"), [("1951-01-01", True), ("1950-12-31", False), ("2008-12-31", True)])
def test_age(born: str, counted: bool) -> None:
    assert bool(rows_in_memory(MEASURE, [BORN | {"birthDate": born}, VISIT, diabetes()])) is counted
