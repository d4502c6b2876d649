"""Urgent returns on visits worked out by hand."""

from typing import Any

import pytest

from careplane.measures import rows_in_memory
from careplane.measures.revisit14 import MEASURE
from careplane.records import JSON


def encounter(ident: str, kind: str, start: str, end: str | None, **more: Any) -> JSON:
    period = {"start": start} | ({"end": end} if end else {})
    return {
        "resourceType": "Encounter", "id": ident, "status": "finished", "class": {"code": kind}, "period": period,
        "subject": {"reference": "Patient/x"}, "location": [{"location": {"reference": "Location/clinic-1"}}], **more,
    }  # fmt: skip


def priority(code: str) -> JSON:
    return {"priority": {"coding": [{"code": code}]}}


VISIT = encounter("v", "AMB", "2026-03-02T10:00:00-06:00", "2026-03-02T10:30:00-06:00")


@pytest.mark.parametrize(
    ("kind", "start", "more", "value"),
    [
        ("EMER", "2026-03-02T11:00:00-06:00", {}, 1.0),  # the same day, after the visit
        ("EMER", "2026-03-02T10:10:00-06:00", {}, 0.0),  # before it ended
        ("EMER", "2026-03-16T23:59:00-05:00", {}, 1.0),  # day 14, across the change of clocks
        ("EMER", "2026-03-17T00:01:00-05:00", {}, 0.0),  # day 15
        ("EMER", "2026-03-05T11:00:00-06:00", {"status": "cancelled"}, 0.0),
        ("EMER", "2026-03-05T11:00:00-06:00", {"subject": {"reference": "Patient/y"}}, 0.0),
        ("IMP", "2026-03-05T11:00:00-06:00", {}, 1.0),
        ("IMP", "2026-03-05T11:00:00-06:00", priority("EL"), 0.0),
        ("OBSENC", "2026-03-05T11:00:00-06:00", {}, 0.0),  # planned observation
        ("OBSENC", "2026-03-05T11:00:00-06:00", priority("EM"), 1.0),
    ],
)
def test_what_counts_as_a_return(kind: str, start: str, more: JSON, value: float) -> None:
    assert rows_in_memory(MEASURE, [VISIT, encounter("r", kind, start, None, **more)])["v"]["value"] == value


@pytest.mark.parametrize(
    ("more", "value"),
    [
        ({}, 0.0),  # a planned follow-up
        (priority("UR"), 1.0),
        ({"type": [{"coding": [{"code": "702927004"}]}]}, 1.0),
    ],
)
def test_another_visit_counts_only_when_it_is_urgent(more: JSON, value: float) -> None:
    second = encounter("w", "AMB", "2026-03-05T11:00:00-06:00", "2026-03-05T11:20:00-06:00", **more)
    found = rows_in_memory(MEASURE, [VISIT, second])
    assert (found["v"]["value"], found["w"]["value"]) == (value, 0.0)


def test_two_returns_count_once_and_one_return_counts_for_both_visits() -> None:
    second = encounter("w", "VR", "2026-03-04T11:00:00-06:00", "2026-03-04T11:20:00-06:00")
    returns = [encounter(f"r{day}", "EMER", f"2026-03-0{day}T12:00:00-06:00", None) for day in (6, 8)]
    found = rows_in_memory(MEASURE, [VISIT, second, *returns])
    assert {key: row["value"] for key, row in found.items()} == {"v": 1.0, "w": 1.0}


def test_visits_that_have_not_ended_or_were_not_kept_are_no_rows() -> None:
    cancelled = VISIT | {"status": "cancelled"}
    assert rows_in_memory(MEASURE, [cancelled, encounter("o", "AMB", "2026-03-02T10:00:00-06:00", None)]) == {}
