"""Visits per FTE and week worked out by hand. 2 March 2026 is a Monday, day 20,514 since 1970."""

from typing import Any

from careplane.measures import rows_in_memory
from careplane.measures.visits_fte import MEASURE
from careplane.records import JSON

STAFF = [{"person": "p1", "unit": "Location/clinic-1", "job": "physician", "fte": 0.8, "hired_day": 18000}]


def visit(ident: str, start: str, **more: Any) -> JSON:
    return {
        "resourceType": "Encounter", "id": ident, "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/x"}, "period": {"start": start},
        "participant": [{"individual": {"reference": "Practitioner/p1"}}], **more,
    }  # fmt: skip


def test_visits_of_a_week_over_fte() -> None:
    visits = [
        visit("a", "2026-03-02T09:00:00-06:00"),
        visit("b", "2026-03-08T23:30:00-05:00", **{"class": {"code": "VR"}}),  # Sunday, Monday in UTC
        visit("c", "2026-03-09T09:00:00-05:00"),
        visit("d", "2026-03-03T09:00:00-06:00", status="cancelled"),
        visit("e", "2026-03-03T09:00:00-06:00", **{"class": {"code": "IMP"}}),
        visit("f", "2026-03-03T09:00:00-06:00", participant=[]),
    ]
    found = rows_in_memory(MEASURE, visits, {"staff": STAFF})
    assert {key: (row["value"], row["weight"]) for key, row in found.items()} == {
        "p1/20514": (2 / 0.8, 0.8),
        "p1/20521": (1 / 0.8, 0.8),
    }


def test_who_is_not_on_the_roster_is_missing() -> None:
    row = rows_in_memory(MEASURE, [visit("a", "2026-03-02T09:00:00-06:00")], {"staff": []})["p1/20514"]
    assert (row["value"], row["weight"]) == (None, 0.0)
