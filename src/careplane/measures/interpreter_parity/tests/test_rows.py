"""Use by language on events worked out by hand."""

from typing import Any

from careplane.measures import rows_in_memory
from careplane.measures.interpreter_parity import MEASURE
from careplane.records import JSON


def patient(ident: str, *languages: tuple[str, bool]) -> JSON:
    spoken = [{"language": {"coding": [{"code": code}]}, "preferred": best} for code, best in languages]
    return {"resourceType": "Patient", "id": ident, "communication": spoken}


def event(run: str, who: str | None, status: str, **more: Any) -> dict[str, Any]:
    return {"run": run, "app": "portal_reply", "patient": who, "status": status, "at": 1, "unit": "Location/c", **more}


def test_used_is_accepted_or_edited_and_an_unknown_language_is_missing() -> None:
    patients = [patient("en", ("en", True)), patient("both", ("en", False), ("es", True)), patient("none")]
    events = [
        event("a", "en", "accepted"),
        event("b", "both", "edited"),
        event("c", "both", "rejected"),
        event("d", "en", "refused"),
        event("e", "none", "accepted"),
        event("f", "en", "accepted", arm="control"),
        event("g", None, "accepted"),
    ]
    found = rows_in_memory(MEASURE, patients, {"runs": events})
    assert {key: row["value"] for key, row in found.items()} == {"a": 1.0, "b": 1.0, "c": 0.0, "d": 0.0, "e": None}


def test_a_patient_with_two_preferred_languages_is_one_row() -> None:
    found = rows_in_memory(MEASURE, [patient("x", ("es", True), ("vi", True))], {"runs": [event("a", "x", "draft")]})
    assert {key: row["value"] for key, row in found.items()} == {"a": 0.0}
