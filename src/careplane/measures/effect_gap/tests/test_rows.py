"""Access to an app on events worked out by hand; gaps themselves are tested in the evidence room."""

from careplane.measures import rows_in_memory
from careplane.measures.effect_gap import MEASURE


def test_an_event_has_access_when_an_output_was_made() -> None:
    events = [
        {"run": "a", "patient": "x", "drafted": 1, "at": 1, "unit": "Location/c"},
        {"run": "b", "patient": "x", "drafted": 0, "at": 1, "unit": "Location/c", "arm": "intervention"},
        {"run": "c", "patient": "x", "at": 1, "unit": "Location/c"},
        {"run": "d", "patient": "x", "drafted": 1, "at": 1, "arm": "control"},
        {"run": "e", "drafted": 1, "at": 1},
    ]
    found = rows_in_memory(MEASURE, [], {"runs": events})
    assert {key: row["value"] for key, row in found.items()} == {"a": 1.0, "b": 0.0, "c": 0.0}
