"""Equity: gaps with intervals, the worst group, access by group with clusters, dose, and cells that stay hidden."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest  # type: ignore[attr-defined]

from careplane.evidence import extracts
from careplane.evidence.analysis import compute
from careplane.evidence.equity import by_group
from careplane.evidence.rows import Extract, Rows
from careplane.evidence.uptake import access
from careplane.evidence.uses import Uses, uses_of
from careplane.records.evidence import Assignment, EquityRow, Plan, Result

from .made_study import clinics, halves, made_plan, made_rows, made_study

UNITS = clinics(16)
PLAN = made_plan("cluster_randomised", UNITS)


def analysed(harm: float, *, seed: int = 1, effect: float = -2.0, uses: Uses | None = None) -> Result:
    rows, language = made_rows(PLAN, halves(UNITS), effect, harm_of={"es": harm}, per_week=12, seed=seed)
    return compute(made_study(PLAN, halves(UNITS), rows, language, uses=uses))


def of(result: Result, group: str) -> EquityRow:
    return next(row for row in result.equity if row.group == group)


def test_the_gap_is_the_difference_of_the_effects_with_its_interval() -> None:
    result = analysed(3.0)
    spanish, english = of(result, "es"), of(result, "en")
    assert spanish.gap is not None
    assert english.gap == pytest.approx(-spanish.gap, rel=1e-9)
    assert spanish.gap_low is not None
    assert spanish.gap_high is not None
    assert spanish.gap_low < 3.0 < spanish.gap_high
    assert spanish.gap == pytest.approx((spanish.estimate or 0) - (english.estimate or 0), abs=0.15)


@pytest.mark.slow
def test_the_gap_holds_its_truth_in_95_of_100_worlds() -> None:
    """Coverage over 120 simulated trials, half of them with a gap; the binomial test asks for no less than 90 %."""
    held = 0
    for seed in range(120):
        gap = 1.0 if seed % 2 else 0.0
        rows, language = made_rows(PLAN, halves(UNITS), -2.0, harm_of={"es": gap}, per_week=3, seed=seed)
        study = made_study(PLAN, halves(UNITS), rows, language)
        found = by_group(study, study.primary, "language", language, study.first(study.primary))
        row = next(one for one in found.rows if one.group == "es")
        held += (row.gap_low or 0) <= gap <= (row.gap_high or 0)
    assert binomtest(held, 120, 0.95).pvalue > 0.01


def test_the_worst_group_is_named_with_a_bound_that_holds_for_all() -> None:
    (worst,) = analysed(5.0).worst
    assert (worst.group, worst.harmed, worst.ruled_out) == ("es", True, False)
    assert "in the worst of 2 groups, es" in worst.text
    (fine,) = analysed(0.0).worst
    assert (fine.harmed, fine.ruled_out) == (False, True)
    assert fine.bound < 0  # lower is better: even the worst end is a gain


def used(rows: Rows, language: dict[str, str], shares: dict[str, float], *, doctors: bool = False) -> Uses:
    """Runs for every event of the intervention arm, used at a share by the language of the patient."""
    rng = np.random.default_rng(5)
    mine = np.isin(rows.cluster, [one.unit for one in halves(UNITS) if one.arm == "intervention"])
    mine &= rows.at >= rows.at.min() + 84 * 86400
    share = np.array([shares[language[patient]] for patient in rows.patient])
    if doctors:
        share = np.array([0.1 + 0.35 * int(str(who)[-1]) for who in rows.clinician])
    signed = rng.random(len(rows)) < share
    count = int(mine.sum())
    ids = np.array([f"run-{key}" for key in rows.key[mine]], dtype=object)
    status = np.where(signed[mine], "accepted", "rejected").astype(object)
    focus = np.array([f"Communication/{key}" for key in rows.key[mine]], dtype=object)
    arm = np.array(["intervention"] * count, dtype=object)
    return Uses(
        ids, rows.cluster[mine], rows.patient[mine], rows.clinician[mine], focus, arm, status,
        rows.at[mine], np.ones(count, dtype=np.int64),
    )  # fmt: skip


def test_access_is_measured_as_a_ratio_that_allows_for_clusters() -> None:
    rows, language = made_rows(PLAN, halves(UNITS), -2.0, per_week=12)
    uses = used(rows, language, {"es": 0.3, "en": 0.5})
    result = compute(made_study(PLAN, halves(UNITS), rows, language, uses=uses))
    row = next(one for one in result.access if one.group == "es")
    assert row.ratio_low is not None
    assert row.ratio_high is not None
    assert row.ratio_low < 0.6 < row.ratio_high < 1.0
    assert row.used == round((row.share or 0) * (row.eligible or 0))
    assert sum(one.eligible or 0 for one in result.access) == result.uptake.eligible
    assert result.uptake.share == pytest.approx(0.45, abs=0.03)


def test_runs_that_name_no_event_of_the_measure_leave_access_unmeasured() -> None:
    rows, language = made_rows(PLAN, halves(UNITS), -2.0)
    study = made_study(PLAN, halves(UNITS), rows, language, uses=uses_of([]))
    assert access(study.trials["msg_turnaround"], study.uses, "language", language) == ()
    assert compute(study).dose == ()


def test_the_outcome_by_dose_stands_beside_the_effect() -> None:
    rows, language = made_rows(PLAN, halves(UNITS), 0.0, per_week=12)
    uses = used(rows, language, {"es": 0.5, "en": 0.5}, doctors=True)
    helped = set(uses.focus[uses.used == 1].tolist())
    value = rows.value - 3.0 * np.array([f"Communication/{key}" in helped for key in rows.key])
    result = compute(made_study(PLAN, halves(UNITS), replace(rows, value=value), language, uses=uses))
    bands = {row.band: row for row in result.dose}
    low, middle, high = (bands[name].estimate for name in list(bands)[:3])
    assert low is not None
    assert middle is not None
    assert high is not None
    assert low > middle > high
    slope = bands["each 10 points more use, within the arm"]
    assert slope.estimate == pytest.approx(-0.3, abs=0.05)
    assert bands["per draft used, if only use acts"].estimate == pytest.approx(-3.0, abs=0.5)


def test_an_extract_comes_back_as_it_was(tmp_path: Path) -> None:
    rows, language = made_rows(PLAN, halves(UNITS), 0.0)
    rows.value[3] = np.nan
    uses = used(rows, language, {"es": 0.3, "en": 0.5})
    data = Extract({"msg_turnaround": rows, "empty": _empty()}, {"language": language, "payer": {}})
    name = extracts.data_hash(PLAN, halves(UNITS), data, uses)
    extracts.keep(tmp_path, name, data, uses)
    again, uses_again = extracts.read(tmp_path, name)
    assert extracts.data_hash(PLAN, halves(UNITS), again, uses_again) == name
    assert again.groups == data.groups
    np.testing.assert_array_equal(again.rows["msg_turnaround"].value, rows.value)
    assert len(again.rows["empty"]) == 0


def test_the_hash_moves_with_everything_that_was_read() -> None:
    rows, language = made_rows(PLAN, halves(UNITS), 0.0)
    uses = used(rows, language, {"es": 0.3, "en": 0.5})
    data = Extract({"msg_turnaround": rows}, {"language": language})
    name = extracts.data_hash(PLAN, halves(UNITS), data, uses)
    moved: Sequence[tuple[Plan, list[Assignment], Extract, Uses]] = (
        (PLAN, halves(UNITS)[::-1], data, uses),
        (PLAN, halves(UNITS), Extract({"msg_turnaround": replace(rows, value=rows.value + 1e-12)}, data.groups), uses),
        (PLAN, halves(UNITS), Extract({"msg_turnaround": replace(rows, at=rows.at + 1)}, data.groups), uses),
        (PLAN, halves(UNITS), Extract(data.rows, {"language": {**language, "x1": "fr"}}), uses),
        (PLAN, halves(UNITS), data, replace(uses, drafted=uses.drafted * 0)),
    )
    found = {extracts.data_hash(*one) for one in moved}
    assert name not in found
    assert len(found) == len(moved)


def _empty() -> Rows:
    texts = np.array([], dtype=object)
    return Rows(texts, texts, texts, texts, np.array([], dtype=np.int64), np.array([]), np.array([]))
