"""Readmission on stays worked out by hand."""

from typing import Any

import pytest

from careplane.measures import rows_in_memory
from careplane.measures.readmit30 import MEASURE
from careplane.records import JSON

NORTH, SOUTH = ({"reference": f"Organization/{name}"} for name in ("north", "south"))


def stay(ident: str, start: str, end: str | None, **more: Any) -> JSON:
    """An inpatient stay of Patient/x at the hospital North, local time at UTC-6."""
    period = {"start": start} | ({"end": end} if end else {})
    return {
        "resourceType": "Encounter", "id": ident, "status": "finished" if end else "in-progress",
        "class": {"code": "IMP"}, "subject": {"reference": "Patient/x"}, "period": period, "serviceProvider": NORTH,
        "participant": [{"individual": {"reference": "Practitioner/p1"}}],
        "location": [{"location": {"reference": "Location/ward-1"}}],
        **more,
    }  # fmt: skip


def went(code: str) -> JSON:
    return {"hospitalization": {"dischargeDisposition": {"coding": [{"code": code}]}}}


def values(*resources: JSON) -> dict[str, Any]:
    return {key: row["value"] for key, row in rows_in_memory(MEASURE, resources).items()}


FIRST = stay("a", "2026-03-01T10:00:00-06:00", "2026-03-05T14:00:00-06:00")
ELECTIVE = {"priority": {"coding": [{"code": "EL"}]}}


def chemotherapy(code: str) -> JSON:
    return {"reasonCode": [{"coding": [{"code": code}]}]}


@pytest.mark.parametrize(
    ("start", "more", "value"),
    [
        ("2026-03-20T08:00:00-06:00", {}, 1.0),
        ("2026-04-04T23:50:00-06:00", {}, 1.0),  # 30 calendar days after 5 March, in spite of the change of clocks
        ("2026-04-05T00:10:00-05:00", {}, 0.0),  # the 31st
        ("2026-03-05T20:00:00-06:00", {}, 1.0),  # the same day, no reason recorded
        ("2026-03-20T08:00:00-06:00", ELECTIVE, 0.0),
        ("2026-03-20T08:00:00-06:00", chemotherapy("Z51.11"), 0.0),
        ("2026-03-20T08:00:00-06:00", chemotherapy("I50.9"), 1.0),
        ("2026-03-20T08:00:00-06:00", {"class": {"code": "OBSENC"}}, 0.0),  # observation is no admission
        ("2026-03-20T08:00:00-06:00", {"class": {"code": "EMER"}}, 0.0),
        ("2026-03-20T08:00:00-06:00", {"status": "entered-in-error"}, 0.0),
        ("2026-03-20T08:00:00-06:00", {"subject": {"reference": "Patient/y"}}, 0.0),
    ],
)
def test_the_next_unplanned_stay_within_30_days(start: str, more: JSON, value: float) -> None:
    assert values(FIRST, stay("b", start, None, **more))["a"] == value


def test_a_stay_that_has_not_ended_is_no_index_but_a_readmission() -> None:
    assert values(FIRST, stay("b", "2026-03-10T08:00:00-06:00", None)) == {"a": 1.0}


def test_a_planned_readmission_ends_the_window() -> None:
    planned = stay("b", "2026-03-10T08:00:00-06:00", "2026-03-12T08:00:00-06:00", **ELECTIVE)
    unplanned = stay("c", "2026-03-20T08:00:00-06:00", "2026-03-22T08:00:00-06:00")
    assert values(FIRST, planned, unplanned) == {"a": 0.0, "b": 1.0, "c": 0.0}


def test_a_transfer_is_one_episode_that_the_last_discharge_ends() -> None:
    moved = stay("b", "2026-03-06T09:00:00-06:00", "2026-03-09T09:00:00-06:00", serviceProvider=SOUTH)
    back = stay("c", "2026-04-07T09:00:00-06:00", "2026-04-08T09:00:00-06:00")  # 29 days after b, 33 after a
    found = rows_in_memory(MEASURE, [FIRST, moved, back])
    assert {key: row["value"] for key, row in found.items()} == {"b": 1.0, "c": 0.0}
    assert found["b"]["at"] == 1773068400  # 2026-03-09T15:00:00Z


def test_the_same_hospital_the_next_day_is_a_readmission() -> None:
    assert values(FIRST, stay("b", "2026-03-06T09:00:00-06:00", "2026-03-07T09:00:00-06:00"))["a"] == 1.0


def test_the_same_day_for_the_same_reason_is_one_episode_for_another_a_readmission() -> None:
    heart, lung = ({"reasonCode": [{"coding": [{"code": code}]}]} for code in ("I50.9", "J18.9"))
    first = FIRST | heart
    same = stay("b", "2026-03-05T20:00:00-06:00", "2026-03-08T09:00:00-06:00", **heart)
    other = stay("b", "2026-03-05T20:00:00-06:00", "2026-03-08T09:00:00-06:00", **lung)
    assert values(first, same) == {"b": 0.0}
    assert values(first, other) == {"a": 1.0, "b": 0.0}


def test_a_stay_inside_another_is_part_of_it() -> None:
    inside = stay("b", "2026-03-02T09:00:00-06:00", "2026-03-03T09:00:00-06:00")
    later = stay("c", "2026-04-04T09:00:00-06:00", "2026-04-06T09:00:00-06:00")  # 30 days after a, 32 after b
    assert values(FIRST, inside, later) == {"a": 1.0, "c": 0.0}


def test_death_and_leaving_against_advice_are_no_index() -> None:
    later = stay("b", "2026-03-10T08:00:00-06:00", "2026-03-12T08:00:00-06:00")
    assert values(FIRST | went("exp")) == {}
    assert values(FIRST | went("aadvice"), later) == {"b": 0.0}
    assert values(FIRST | went("home"), later | went("exp")) == {"a": 1.0}
    died = {"resourceType": "Patient", "id": "x", "deceasedDateTime": "2026-03-12T07:00:00-06:00"}
    assert values(died, FIRST, later) == {"a": 1.0}


def test_a_leap_day_counts_as_a_day() -> None:
    first = stay("a", "2028-01-28T10:00:00-06:00", "2028-01-30T14:00:00-06:00")
    assert values(first, stay("b", "2028-02-29T09:00:00-06:00", None)) == {"a": 1.0}  # 30 days
    assert values(first, stay("b", "2028-03-01T09:00:00-06:00", None)) == {"a": 0.0}  # 31 days


def test_a_row_says_whose_it_is() -> None:
    row = rows_in_memory(MEASURE, [FIRST])["a"]
    assert row == {
        "key": "a", "cluster": "Location/ward-1", "patient": "x", "clinician": "p1", "at": 1772740800, "value": 0.0,
        "weight": 1.0,
    }  # fmt: skip
