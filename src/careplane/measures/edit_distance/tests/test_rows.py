"""Edit distance on drafts worked out by hand."""

from careplane.measures import rows_in_memory
from careplane.measures.edit_distance import MEASURE

AT = 1772463600
"""Monday 2 March 2026, 15:00 UTC."""


def run(ident: str, **more: object) -> dict[str, object]:
    return {
        "run": ident, "app": "portal_reply", "status": "draft", "drafted": 1, "at": AT, "patient": "x",
        "clinician": "p1", "unit": "Location/clinic-01", **more,
    }  # fmt: skip


def test_signed_drafts_have_a_distance_and_others_are_missing() -> None:
    runs = [
        run("as-it-was", status="accepted", edit_distance=0.0),
        run("a-quarter", status="edited", edit_distance=0.25),
        run("nothing-kept", status="edited", edit_distance=1.0),
        run("rejected", status="rejected"),
        run("waiting"),
        run("silent", status="refused", drafted=0),
    ]
    rows = rows_in_memory(MEASURE, [], {"runs": runs})
    assert {key: row["value"] for key, row in rows.items()} == {
        "as-it-was": 0.0,
        "a-quarter": 0.25,
        "nothing-kept": 1.0,
        "rejected": None,
        "waiting": None,
    }
