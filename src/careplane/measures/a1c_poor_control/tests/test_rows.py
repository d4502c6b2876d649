"""Poor control of diabetes on patients worked out by hand."""

from typing import Any

import orjson

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


def values(*cases: list[JSON]) -> list[float | None]:
    """The value in 2026 of each case's Patient/x, all measured at once; ``None`` when there is no such row."""
    resources: list[JSON] = []
    for number, case in enumerate(cases):
        text = orjson.dumps(case).replace(b"Patient/x", b"Patient/x%d" % number)
        resources += orjson.loads(text.replace(b'"id":"x"', b'"id":"x%d"' % number))
    found = rows_in_memory(MEASURE, resources)
    return [found.get(f"x{number}/2026", {}).get("value") for number in range(len(cases))]


def test_the_last_result_of_the_year() -> None:
    cases: list[Any] = [
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
    ]
    found = values(*([BORN, VISIT, diabetes(), *results] for results, _ in cases))
    assert found == [value for _, value in cases]


def test_who_has_diabetes() -> None:
    cases: list[Any] = [
        (diabetes("44054006"), True),
        (diabetes("E10.9"), True),
        (diabetes("E13.9", onsetDateTime="2026-12-31"), True),
        (diabetes("E11.9", onsetDateTime="2027-01-01"), False),
        (diabetes("O24.419"), False),  # gestational
        (diabetes("R73.03"), False),  # prediabetes
    ]
    found = values(*([BORN, VISIT, condition] for condition, _ in cases))
    assert [one is not None for one in found] == [counted for _, counted in cases]


def test_age() -> None:
    cases: list[Any] = [("1951-01-01", True), ("1950-12-31", False), ("2008-12-31", True)]
    found = values(*([BORN | {"birthDate": born}, VISIT, diabetes()] for born, _ in cases))
    assert [one is not None for one in found] == [counted for _, counted in cases]
