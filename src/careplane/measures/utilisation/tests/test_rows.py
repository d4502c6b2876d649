"""Utilisation on runs worked out by hand: every eligible event counts."""

from careplane.measures import rows_in_memory
from careplane.measures.utilisation import MEASURE

AT = 1772463600
"""Monday 2 March 2026, 15:00 UTC."""


def run(ident: str, **more: object) -> dict[str, object]:
    return {
        "run": ident, "app": "portal_reply", "status": "draft", "drafted": 1, "at": AT, "patient": "x",
        "clinician": "p1", "unit": "Location/clinic-01", **more,
    }  # fmt: skip


def test_two_of_six_events_used_the_output() -> None:
    statuses = ("accepted", "edited", "rejected", "draft", "refused", "failed")
    rows = rows_in_memory(MEASURE, [], {"runs": [run(status, status=status) for status in statuses]})
    assert {key: row["value"] for key, row in rows.items()} == {
        "accepted": 1.0,
        "edited": 1.0,
        "rejected": 0.0,
        "draft": 0.0,
        "refused": 0.0,
        "failed": 0.0,
    }
    row = rows["accepted"]
    assert [row[name] for name in ("cluster", "patient", "clinician", "at")] == ["Location/clinic-01", "x", "p1", AT]


def test_it_is_read_beside_others_and_never_judged() -> None:
    assert not MEASURE.info.judged
