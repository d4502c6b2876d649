"""Colorectal cancer screening on patients worked out by hand."""

from typing import Any

import orjson

from careplane.measures import rows_in_memory
from careplane.measures.colorectal_screening import MEASURE
from careplane.records import JSON

SUBJECT = {"reference": "Patient/x"}
BORN = {"resourceType": "Patient", "id": "x", "birthDate": "1970-05-05"}
VISIT: JSON = {
    "resourceType": "Encounter", "id": "v", "status": "finished", "class": {"code": "AMB"}, "subject": SUBJECT,
    "period": {"start": "2026-02-03T09:00:00-06:00"},
}  # fmt: skip


def procedure(code: str, at: str) -> JSON:
    coded = {"coding": [{"code": code}]}
    body = {"resourceType": "Procedure", "id": code, "status": "completed", "subject": SUBJECT, "code": coded}
    return body | {"performedDateTime": at}


def result(code: str, at: str) -> JSON:
    coded = {"coding": [{"code": code}]}
    body = {"resourceType": "Observation", "id": code, "status": "final", "subject": SUBJECT, "code": coded}
    return body | {"effectiveDateTime": at}


def values(*cases: list[JSON]) -> list[float | None]:
    """The value in 2026 of each case's Patient/x, all measured at once; ``None`` when there is no such row."""
    resources: list[JSON] = []
    for number, case in enumerate(cases):
        text = orjson.dumps(case).replace(b"Patient/x", b"Patient/x%d" % number)
        resources += orjson.loads(text.replace(b'"id":"x"', b'"id":"x%d"' % number))
    found = rows_in_memory(MEASURE, resources)
    return [found.get(f"x{number}/2026", {}).get("value") for number in range(len(cases))]


def test_each_test_counts_for_its_time() -> None:
    cases: list[Any] = [
        ([result("29771-3", "2026-01-01")], 1.0),  # stool blood: the year itself
        ([result("29771-3", "2025-12-31")], 0.0),
        ([result("77354-9", "2024-01-01")], 1.0),  # stool DNA: the year and two before
        ([result("77354-9", "2023-12-31")], 0.0),
        ([procedure("45330", "2022-01-01")], 1.0),  # sigmoidoscopy: four before
        ([procedure("45330", "2021-12-31")], 0.0),
        ([procedure("74263", "2022-03-01")], 1.0),  # CT colonography
        ([procedure("73761001", "2017-01-01")], 1.0),  # colonoscopy: nine before
        ([procedure("73761001", "2016-12-31")], 0.0),
        ([procedure("73761001", "2020-02-29")], 1.0),
        ([procedure("45378", "2027-01-01")], 0.0),  # after the year
        ([], 0.0),
        ([result("29771-3", "2026-01-01"), procedure("45378", "2020-01-01")], 1.0),  # counted once
    ]
    found = values(*([BORN, VISIT, *tests] for tests, _ in cases))
    assert found == [value for _, value in cases]


def test_age() -> None:
    cases: list[Any] = [("1980-12-31", True), ("1981-01-01", False), ("1951", True), ("1950", False)]
    found = values(*([BORN | {"birthDate": born}, VISIT] for born, _ in cases))
    assert [one is not None for one in found] == [counted for _, counted in cases]


def test_cancer_and_colectomy_are_left_out() -> None:
    cancer = {"resourceType": "Condition", "id": "c", "code": {"coding": [{"code": "C18.7"}]}, "subject": SUBJECT}
    removed = procedure("26390003", "2010-01-01")
    assert values([BORN, VISIT, cancer], [BORN, VISIT, removed], [BORN, VISIT]) == [None, None, 0.0]
