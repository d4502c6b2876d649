"""Length of stay, observed over expected, on stays worked out by hand."""

from typing import Any

import pytest

from careplane.measures import rows_in_memory
from careplane.measures.los_oe import MEASURE
from careplane.records import JSON

HEART: Any = {"reasonCode": [{"coding": [{"code": "84114007"}]}]}
REFERENCE = [{"reason": "84114007", "days": 4.0}, {"reason": "*", "days": 2.0}]


def stay(ident: str, start: str, end: str | None, hospital: str = "north", **more: Any) -> JSON:
    period = {"start": start} | ({"end": end} if end else {})
    return {
        "resourceType": "Encounter", "id": ident, "status": "finished" if end else "in-progress",
        "class": {"code": "IMP"}, "subject": {"reference": "Patient/x"}, "period": period,
        "serviceProvider": {"reference": f"Organization/{hospital}"}, **more,
    }  # fmt: skip


def measured(*resources: JSON, reference: list[dict[str, Any]] | None = None) -> dict[str, dict[str, Any]]:
    return rows_in_memory(MEASURE, resources, {"expected_stays": REFERENCE if reference is None else reference})


@pytest.mark.parametrize(
    ("start", "end", "nights"),
    [
        ("2026-03-02T10:00:00-06:00", "2026-03-06T09:00:00-06:00", 4),
        ("2026-03-02T23:59:00-06:00", "2026-03-03T00:01:00-06:00", 1),  # over midnight
        ("2026-03-02T08:00:00-06:00", "2026-03-02T20:00:00-06:00", 1),  # one day counts as one
        ("2026-03-07T20:00:00-06:00", "2026-03-08T19:00:00-05:00", 1),  # the clocks go forward: 22 hours
        ("2026-10-31T20:00:00-05:00", "2026-11-01T20:30:00-06:00", 1),  # and back: 25.5 hours
        ("2028-02-28T10:00:00-06:00", "2028-03-01T10:00:00-06:00", 2),  # leap day
        ("2026-02-28T10:00:00-06:00", "2026-03-01T10:00:00-06:00", 1),
    ],
)
def test_nights_are_calendar_days(start: str, end: str, nights: int) -> None:
    row = measured(stay("a", start, end, **HEART))["a"]
    assert (row["value"], row["weight"]) == (nights / 4, 4.0)


def test_a_transfer_is_one_episode_from_first_admission_to_last_discharge() -> None:
    first = stay("a", "2026-03-02T10:00:00-06:00", "2026-03-04T10:00:00-06:00", **HEART)
    second = stay("b", "2026-03-04T11:00:00-06:00", "2026-03-12T10:00:00-06:00", "south", **HEART)
    found = measured(first, second)
    assert found.keys() == {"b"}
    assert found["b"]["value"] == 10 / 4


def test_the_figure_of_a_group_is_a_ratio_of_sums() -> None:
    rows = measured(
        stay("a", "2026-03-02T10:00:00-06:00", "2026-03-08T10:00:00-06:00", **HEART),  # 6 of 4
        stay("b", "2026-05-02T10:00:00-06:00", "2026-05-03T10:00:00-06:00"),  # 1 of 2
    ).values()
    assert sum(row["weight"] * row["value"] for row in rows) / sum(row["weight"] for row in rows) == 7 / 6


def test_what_the_reference_does_not_know_is_missing_and_weighs_nothing() -> None:
    stays = (stay("a", "2026-03-02T10:00:00-06:00", "2026-03-04T10:00:00-06:00"),)
    for reference in ([], [{"reason": "84114007", "days": 4.0}], [{"reason": "*", "days": 0.0}]):
        row = measured(*stays, reference=reference)["a"]
        assert (row["value"], row["weight"]) == (None, 0.0)


def test_a_stay_that_has_not_ended_is_no_row() -> None:
    assert measured(stay("a", "2026-03-02T10:00:00-06:00", None, **HEART)) == {}
