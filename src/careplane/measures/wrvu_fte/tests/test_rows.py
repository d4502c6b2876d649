"""Work RVUs per FTE and week on claims worked out by hand. 2 March 2026 is a Monday, day 20,514 since 1970."""

from typing import Any

from careplane.measures import rows_in_memory
from careplane.measures.wrvu_fte import MEASURE
from careplane.records import JSON

RVUS = [{"code": "99213", "wrvu": 1.3}, {"code": "99214", "wrvu": 1.92}]


def line(ident: str, on: str, code: str, who: str = "p1", quantity: float | None = None) -> JSON:
    item: JSON = {"sequence": 1, "productOrService": {"coding": [{"code": code}]}, "servicedDate": on}
    if quantity is not None:
        item["quantity"] = {"value": quantity}
    return {
        "resourceType": "Claim", "id": ident, "status": "active", "use": "claim", "created": "2026-04-01",
        "patient": {"reference": "Patient/x"}, "provider": {"reference": f"Practitioner/{who}"}, "item": [item],
    }  # fmt: skip


def person(who: str, fte: float, **more: Any) -> dict[str, Any]:
    return {"person": who, "unit": "Location/clinic-1", "job": "physician", "fte": fte, "hired_day": 18000, **more}


def measured(claims: list[JSON], *staff: dict[str, Any], rvus: Any = RVUS) -> dict[str, dict[str, Any]]:
    return rows_in_memory(MEASURE, claims, {"rvus": rvus, "staff": staff})


def test_units_of_a_week_over_fte() -> None:
    claims = [
        line("a", "2026-03-02", "99213"),
        line("b", "2026-03-08", "99214", quantity=2),  # Sunday of the same week
        line("c", "2026-03-09", "99214"),  # Monday of the next
        line("d", "2026-03-03", "36415"),  # not of the table
    ]
    found = measured(claims, person("p1", 0.5))
    assert {key: (round(row["value"], 9), row["weight"]) for key, row in found.items()} == {
        "p1/20514": (round((1.3 + 2 * 1.92) / 0.5, 9), 0.5),
        "p1/20521": (1.92 / 0.5, 0.5),
    }
    assert found["p1/20514"]["cluster"] == "Location/clinic-1"
    total = sum(row["weight"] * row["value"] for row in found.values()) / sum(row["weight"] for row in found.values())
    assert round(total, 9) == round((1.3 + 3 * 1.92) / 1.0, 9)


def test_who_left_who_is_not_on_the_roster_and_no_fte_are_missing_and_weigh_nothing() -> None:
    claims = [line("a", "2026-03-02", "99213")]
    for staff in ((), (person("p1", 0.0),), (person("p1", 1.0, left_day=20513),), (person("p2", 1.0),)):
        row = measured(claims, *staff)["p1/20514"]
        assert (row["value"], row["weight"]) == (None, 0.0)
    assert measured(claims, person("p1", 1.0, left_day=20514))["p1/20514"]["value"] == 1.3


def test_without_a_fee_schedule_it_is_not_zero_but_missing() -> None:
    assert measured([line("a", "2026-03-02", "99213")], person("p1", 1.0), rvus=[])["p1/20514"]["value"] is None


def test_two_lines_of_the_roster_add_up() -> None:
    found = measured([line("a", "2026-03-02", "99213")], person("p1", 0.4), person("p1", 0.25))
    assert round(found["p1/20514"]["value"], 9) == 2.0
