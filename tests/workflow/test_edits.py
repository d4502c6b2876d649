"""Edits under way, the time budget, and what differs between two versions of a resource."""

import asyncio
from datetime import UTC, datetime
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from careplane.codecs.fhir.rows import MOST_ROWS, differences, rows_of
from careplane.errors import Conflict, InputError, NotFound
from careplane.records import JSON
from careplane.records.run import Edit, Review, Run
from careplane.store import Store
from careplane.workflow import Runtime, run_event
from careplane.workflow.chart import change_of, fingerprint, seen_of
from careplane.workflow.edits import LONGEST_EDIT, drop_edits, keep_edit, kept_edit
from careplane.workflow.records import replace_run
from careplane.workflow.time_budget import time_budget

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def drafted(runtime: Runtime, installation: ModuleType) -> Run:
    return asyncio.run(run_event(runtime, installation.message_event()))


def edit(run: str, n: int, text: str = "Half a sentence", person: str = "Practitioner/p001") -> Edit:
    return Edit(run=run, person=person, text=text, n=n, at=NOW)


def test_the_newest_save_wins_whatever_the_order_of_arrival(runtime: Runtime, installation: ModuleType) -> None:
    store, run = runtime.store, drafted(runtime, installation)
    keep_edit(store, edit(run.id, 2, "second"), NOW)
    assert keep_edit(store, edit(run.id, 1, "first"), NOW).text == "second"
    keep_edit(store, edit(run.id, 1, "somebody else's", "Practitioner/p002"), NOW)
    held = kept_edit(store, run.id, "Practitioner/p001")
    assert held is not None
    assert held.text == "second"
    drop_edits(store, run.id)
    assert kept_edit(store, run.id, "Practitioner/p001") is None
    assert kept_edit(store, run.id, "Practitioner/p002") is None


def test_what_cannot_be_kept(runtime: Runtime, installation: ModuleType) -> None:
    store, run = runtime.store, drafted(runtime, installation)
    with pytest.raises(InputError):
        keep_edit(store, edit(run.id, 1, "x" * (LONGEST_EDIT + 1)), NOW)
    with pytest.raises(NotFound):
        keep_edit(store, edit("run-none", 1), NOW)
    rejected = Review(action="reject", by="Practitioner/p001", at=NOW, seconds=1.0, reason="no")
    assert replace_run(store, replace(run, status="rejected", review=rejected), "draft")
    with pytest.raises(Conflict):
        keep_edit(store, edit(run.id, 1), NOW)
    assert kept_edit(store, run.id, "Practitioner/p001") is None


def test_time_is_not_measured_until_somebody_reviewed(sqlite_store: Store) -> None:
    budget = time_budget(sqlite_store, "portal_reply")
    assert (budget.n, budget.seconds, budget.seconds_p90, budget.clicks) == (0, None, None, None)


def test_time_counts_rejected_drafts_and_only_counted_clicks(runtime: Runtime, installation: ModuleType) -> None:
    for n, (seconds, clicks) in enumerate(((10.0, 2), (30.0, None), (50.0, 6), (0.0, 1))):
        run = asyncio.run(run_event(runtime, replace(installation.message_event(), id=f"e{n}")))
        action = "reject" if n == 1 else "accept"
        review = Review(action=action, by="p", at=NOW, seconds=seconds, clicks=clicks)  # type: ignore[arg-type]
        status = "rejected" if n == 1 else "accepted"
        assert replace_run(runtime.store, replace(run, status=status, review=review), "draft")
    budget = time_budget(runtime.store, "portal_reply")
    assert (budget.n, budget.rejected, budget.seconds, budget.counted, budget.clicks) == (3, 1, 30.0, 2, 4)
    assert budget.seconds_p90 == pytest.approx(46.0)


MEDICINE: JSON = {
    "resourceType": "MedicationRequest",
    "id": "m",
    "meta": {"versionId": "1"},
    "status": "active",
    "medicationCodeableConcept": {"coding": [{"system": "rx", "code": "29046", "display": "lisinopril 10 mg"}]},
    "dosageInstruction": [{"text": "one daily", "doseAndRate": [{"doseQuantity": {"value": 10, "unit": "mg"}}]}],
    "subject": {"reference": "Patient/1", "display": "Ana"},
}


def test_rows_read_like_words() -> None:
    assert rows_of(MEDICINE) == [
        ("status", "active"),
        ("medication codeable concept", "lisinopril 10 mg"),
        ("dosage instruction", "one daily"),
        ("dosage instruction › dose and rate › dose quantity", "10 mg"),
        ("subject", "Ana Patient/1"),
    ]


def test_a_change_is_told_once_with_both_values() -> None:
    other = {**MEDICINE, "dosageInstruction": [{"text": "two daily"}], "priority": "urgent"}
    assert differences(MEDICINE, other) == [
        ("dosage instruction", "one daily", "two daily"),
        ("dosage instruction › dose and rate › dose quantity", "10 mg", ""),
        ("priority", "", "urgent"),
    ]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=30,
)


@given(st.dictionaries(st.text(max_size=12), JSON_VALUES, max_size=8))
def test_rows_take_whatever_a_resource_holds(resource: JSON) -> None:
    rows = rows_of(resource)
    assert len(rows) <= MOST_ROWS
    assert all(value for _, value in rows)
    assert differences(resource, resource) == []


def test_hostile_depth_and_width_have_an_end() -> None:
    deep: JSON = {"a": 1}
    for _ in range(5000):
        deep = {"a": deep}
    assert rows_of(deep) == []
    assert len(rows_of({"a": [{"b": n, "c": n} for n in range(10_000)]})) == MOST_ROWS


def test_a_new_version_with_the_same_content_is_no_change_and_a_new_status_always_is() -> None:
    seen = seen_of(MEDICINE, ("dosageInstruction",))
    later = {**MEDICINE, "meta": {"versionId": "2"}, "note": [{"text": "not read by the app"}]}
    assert change_of(seen, later) is None
    stopped = change_of(seen, {**later, "status": "entered-in-error"})
    assert stopped is not None
    assert [(one.path, one.after) for one in stopped.fields] == [("status", "entered-in-error")]
    gone = change_of(seen, None)
    assert gone is not None
    assert gone.gone
    assert fingerprint([stopped]) != fingerprint([gone]) != fingerprint([])


def test_without_versions_the_content_decides() -> None:
    bare = {name: value for name, value in MEDICINE.items() if name != "meta"}
    seen = seen_of(bare, ("dosageInstruction",))
    assert change_of(seen, bare) is None
    assert change_of(seen, {**bare, "dosageInstruction": [{"text": "two daily"}]}) is not None


def test_what_is_too_long_to_keep_is_told_by_its_version() -> None:
    long = {**MEDICINE, "dosageInstruction": [{"text": "x" * 70_000}]}
    seen = seen_of(long, ("dosageInstruction",))
    assert seen.data is None
    change = change_of(seen, {**long, "meta": {"versionId": "2"}})
    assert change is not None
    assert change.fields == ()
