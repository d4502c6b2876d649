"""Turnover on a roster worked out by hand."""

from datetime import date
from typing import Any

from careplane.measures import rows_in_memory
from careplane.measures.turnover import MEASURE

EPOCH = date(1970, 1, 1)


def day(text: str | None) -> int | None:
    return (date.fromisoformat(text) - EPOCH).days if text else None


def line(
    who: str, hired: str | None, left: str | None = None, as_of: str | None = "2026-12-31", **more: Any
) -> dict[str, Any]:
    days = {"hired_day": day(hired), "left_day": day(left), "as_of_day": day(as_of)}
    return {"person": who, "unit": "Location/clinic-1", "job": "physician", "fte": 1.0, **days, **more}


def values(*lines: dict[str, Any]) -> dict[str, Any]:
    return {key: row["value"] for key, row in rows_in_memory(MEASURE, [], {"staff": lines}).items()}


ANCHOR = line("z", "2025-01-01")
"""Somebody who stays, so that 2025 and 2026 are years of the roster."""


def of(found: dict[str, Any], who: str) -> dict[str, Any]:
    return {key.partition("/")[2]: value for key, value in found.items() if key.startswith(f"{who}/")}


def test_who_was_there_on_1_january_and_left_in_the_year() -> None:
    found = values(
        ANCHOR,
        line("a", "2024-05-01", "2026-06-30"),
        line("b", "2024-05-01", "2026-01-01"),  # the first day is the last
        line("c", "2024-05-01", "2025-12-31"),
        line("d", "2026-01-02", "2026-11-30"),  # came and went between two first days of January
        line("e", "2026-01-01"),
    )
    assert of(found, "a") == {"2025": 0.0, "2026": 1.0}
    assert of(found, "b") == {"2025": 0.0, "2026": 1.0}
    assert of(found, "c") == {"2025": 1.0}
    assert of(found, "d") == {}
    assert of(found, "e") == {"2026": 0.0}
    assert of(found, "z") == {"2025": 0.0, "2026": 0.0}


def test_a_move_is_no_departure_and_two_last_lines_end_with_the_later() -> None:
    moved = line("a", "2020-01-01", "2026-03-31"), line("a", "2026-04-01", unit="Location/clinic-2")
    assert of(values(ANCHOR, *moved), "a")["2026"] == 0.0
    ended = line("b", "2024-05-01", "2025-03-31"), line("b", "2025-04-01", "2026-02-28")
    assert of(values(ANCHOR, *ended), "b") == {"2025": 0.0, "2026": 1.0}


def test_a_year_that_is_not_over_is_missing_but_for_who_left() -> None:
    early = "2026-08-01"
    found = values(line("a", "2020-01-01", as_of=early), line("b", "2020-01-01", "2026-02-01", as_of=early))
    assert of(found, "a")["2026"] is None
    assert of(found, "b")["2026"] == 1.0
    assert of(values(line("c", "2026-01-01", as_of=None)), "c") == {"2026": None}


def test_other_jobs_and_lines_without_a_first_day_do_not_count() -> None:
    assert values(line("a", "2020-01-01", job="bed_manager"), line("b", None)) == {}


def test_a_leap_year_has_366_days() -> None:
    found = values(line("a", "2027-01-01", "2028-12-31", as_of="2029-01-01"))
    assert of(found, "a") == {"2027": 0.0, "2028": 1.0}


def test_a_year_in_which_nothing_happened_counts_too() -> None:
    found = values(line("a", "2021-06-01", "2026-03-31"), line("b", "2021-06-01"))
    assert of(found, "b") == {"2022": 0.0, "2023": 0.0, "2024": 0.0, "2025": 0.0, "2026": 0.0}
    assert of(found, "a")["2024"] == 0.0
