"""Similarity reproduces the worked figure; look-alikes are found."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from careplane.alignment import import_items, look_alikes
from careplane.alignment.overlap import WEIGHTS, overlapping, similarities, similarity
from careplane.store import Store

from .items import row


def test_worked_figure(shared: Path) -> None:
    found = round(similarity(text=0.62, task=0.67, trigger=1, inputs=0.75, output=1, role=0.5), 3)
    assert found == 0.738
    vectors = json.loads((shared / "design" / "vectors.json").read_text())
    assert vectors["overlap sim (text .62, task .67, trigger 1, FHIR .75, output 1, role .5)"] == found


def test_weights_sum_to_one() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)


REPLY = row(
    "reply", summary="Draft replies to portal messages", trigger="Communication.received",
    inputs=("Communication", "Condition"), output="Communication", role="clinician",
)  # fmt: skip
RIVAL = row(
    "rival", summary="Drafts replies to messages of the portal", trigger="Communication.received",
    inputs=("Communication",), output="Communication", role="clinician",
)  # fmt: skip
INVOICE = row("invoice", summary="Checks vendor invoices", task="check/invoice", trigger="Invoice.posted", inputs=())


def test_matrix_is_symmetric_with_ones_and_within_bounds() -> None:
    matrix = similarities([REPLY, RIVAL, INVOICE])
    assert np.allclose(matrix, matrix.T)
    assert np.allclose(np.diag(matrix), 1)
    assert matrix.min() >= 0
    assert matrix.max() <= 1


def test_what_is_not_stated_is_not_alike() -> None:
    assert overlapping([row("a", title="Alpha", task=""), row("b", title="Beta", task="")]) == {}


def test_overlapping_names_the_pair() -> None:
    assert overlapping([REPLY, RIVAL, INVOICE]) == {"reply": ("rival",), "rival": ("reply",)}


def test_look_alikes_most_similar_first_and_not_the_retired(store: Store) -> None:
    import_items(store, [REPLY, RIVAL, INVOICE, row("old", stage="retired", stage_since=date(2026, 1, 2))])
    found = look_alikes(store, REPLY)
    assert [(other.item, other.must_decide) for other in found] == [("rival", True), ("invoice", False)]
    assert found[0].similarity == pytest.approx(similarities([REPLY, RIVAL, INVOICE])[0, 1])


def test_a_task_is_compared_level_by_level(store: Store) -> None:
    import_items(store, [row("near", task="draft/message/recall"), row("far", task="check/message/reply")])
    tasks = {other.item: other.parts["task"] for other in look_alikes(store, row("mine", task="draft/message/reply"))}
    assert tasks == pytest.approx({"near": 2 / 3, "far": 0})
