"""Cost per eligible event on a month worked out by hand."""

from typing import Any

import pytest

from careplane.measures import rows_in_memory
from careplane.measures.run_cost import MEASURE

MARCH, APRIL, MAY = 1772323200, 1775001600, 1777593600


def event(run: str, at: int = MARCH + 3600, **more: Any) -> dict[str, Any]:
    base = {"run": run, "app": "portal_reply", "at": at, "arm": "intervention", "unit": "Location/clinic-1"}
    return {**base, "clinician": "p1", "cost_usd": 0.02, **more}


def posted(
    line: str, usd: float, category: str = "licence", item: str = "portal_reply", month: int = MARCH
) -> dict[str, Any]:
    ends = APRIL if month == MARCH else MAY
    return {"line": line, "item": item, "category": category, "usd": usd, "starts": month, "ends": ends}


def values(events: list[dict[str, Any]], costs: list[dict[str, Any]]) -> dict[str, Any]:
    record = {"runs": events, "costs": costs, "rates": [{"clinician": "p1", "per_hour": 120.0}]}
    return {key: row["value"] for key, row in rows_in_memory(MEASURE, [], record).items()}


def test_calls_review_and_a_share_of_the_month() -> None:
    events = [event("a", review_seconds=60.0), event("b"), event("c", APRIL - 1), event("d", APRIL)]
    found = values(events, [posted("l1", 300.0), posted("l2", 60.0, "support"), posted("l3", 50.0, month=APRIL)])
    assert found == {
        "a": pytest.approx(0.02 + 120.0 / 60 + 120.0),  # 360 USD over three events of March
        "b": pytest.approx(0.02 + 120.0),
        "c": pytest.approx(0.02 + 120.0),
        "d": pytest.approx(0.02 + 50.0),
    }
    assert sum(found.values()) == pytest.approx(360 + 50 + 4 * 0.02 + 2)


def test_credits_count_and_model_usage_is_not_counted_twice() -> None:
    costs = [
        posted("l1", 300.0),
        posted("l2", -40.0),
        posted("l3", 70.0, "model_usage"),
        posted("l4", 9.0, item="other"),
    ]
    assert values([event("a"), event("b")], costs) == {"a": pytest.approx(130.02), "b": pytest.approx(130.02)}


def test_control_events_cost_nothing_and_get_no_share() -> None:
    found = values([event("a"), event("b", arm="control"), event("c", arm=None)], [posted("l1", 100.0)])
    assert found == {"a": pytest.approx(50.02), "c": pytest.approx(50.02)}


def test_a_review_without_a_known_rate_is_missing_and_no_review_is_not() -> None:
    found = values([event("a", clinician="p9", review_seconds=30.0), event("b", clinician="p9")], [])
    assert found == {"a": None, "b": pytest.approx(0.02)}


def test_a_month_without_postings_has_the_calls_alone_and_one_without_events_no_rows() -> None:
    assert values([event("a", cost_usd=None)], [posted("l1", 10.0, month=APRIL)]) == {"a": 0.0}
    assert values([], [posted("l1", 10.0)]) == {}
