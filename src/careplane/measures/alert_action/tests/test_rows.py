"""Alerts acted on, worked out by hand: the window, the encounter, ties and other patients."""

from careplane.measures import rows_in_memory
from careplane.measures.alert_action import MEASURE
from careplane.records import JSON

AT = 1772463600
"""Monday 2 March 2026, 15:00 UTC."""


def run(ident: str, **more: object) -> dict[str, object]:
    return {
        "run": ident, "app": "portal_reply", "status": "draft", "drafted": 1, "at": AT, "patient": "x",
        "clinician": "p1", "unit": "Location/clinic-01", **more,
    }  # fmt: skip


def order(ident: str, authored: str, kind: str = "ServiceRequest", **more: object) -> JSON:
    return {
        "resourceType": kind, "id": ident, "status": "active", "intent": "order", "authoredOn": authored,
        "subject": {"reference": "Patient/x"}, **more,
    }  # fmt: skip


def acted(*orders: JSON, **alert: object) -> list[object]:
    rows = rows_in_memory(MEASURE, orders, {"runs": [run("r", **{"severity": "critical", **alert})]})
    return [row["value"] for row in rows.values()]


def test_an_order_counts_from_the_second_of_the_alert_for_a_day() -> None:
    """The alert is at 15:00 UTC, 09:00 at UTC-6."""
    assert acted() == [0.0]
    assert acted(order("before", "2026-03-02T08:59:59-06:00")) == [0.0]
    assert acted(order("at-once", "2026-03-02T09:00:00-06:00")) == [1.0]
    assert acted(order("last", "2026-03-03T15:00:00Z")) == [1.0]
    assert acted(order("late", "2026-03-03T15:00:01Z")) == [0.0]
    assert acted(order("drug", "2026-03-02T10:00:00-06:00", "MedicationRequest")) == [1.0]


def test_many_orders_are_one_action() -> None:
    assert acted(*(order(f"o{n}", "2026-03-02T10:00:00-06:00") for n in range(3))) == [1.0]


def test_what_is_no_order_of_the_patient_and_encounter_does_not_count() -> None:
    later = "2026-03-02T10:00:00-06:00"
    assert acted(order("plan", later, intent="plan")) == [0.0]
    assert acted(order("void", later, status="entered-in-error")) == [0.0]
    assert acted(order("other", later, subject={"reference": "Patient/y"})) == [0.0]
    assert acted(order("elsewhere", later, encounter={"reference": "Encounter/v2"}), encounter="v1") == [0.0]
    assert acted(order("here", later, encounter={"reference": "Encounter/v1"}), encounter="v1") == [1.0]
    assert acted(order("not said", later), encounter="v1") == [1.0]


def test_only_outputs_of_the_gravest_kind_about_a_patient_are_alerts() -> None:
    assert acted(severity="caution") == acted(severity=None) == acted(patient=None) == []
