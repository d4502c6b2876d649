"""Every design of a plan, from rows with a known effect to its result: its method, and what stands beside."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from careplane.errors import Refused
from careplane.evidence.analysis import compute
from careplane.evidence.looks import always_valid_bound
from careplane.records.design import AnalysisMethod, Looks, Switching
from careplane.records.evidence import Assignment, Effect, Plan, PlannedMeasure

from .made_study import ITEMS, PRIMARY, START, clinics, halves, made_plan, made_rows, made_study, staggered

EFFECT = -2.0


def found(plan: Plan, assigned: Sequence[Assignment], effect: float = EFFECT, **more: object) -> Effect:
    rows, language = made_rows(plan, assigned, effect, **more)  # type: ignore[arg-type]
    return compute(made_study(plan, assigned, rows, language)).effects[0]


def covers(effect: Effect, truth: float = EFFECT) -> bool:
    return effect.ci_low < truth < effect.ci_high


def test_clusters_by_cr2_with_exact_mixed_and_gee_beside() -> None:
    units = clinics(12)
    effect = found(made_plan("cluster_randomised", units), halves(units))
    assert covers(effect)
    assert effect.method.startswith("least squares, CR2") or "CR2" in effect.method
    assert [one.method.split(",")[0] for one in effect.seconds] == [
        "exact randomisation test",
        *[one.method.split(",")[0] for one in effect.seconds[1:]],
    ]
    assert len([one for one in effect.seconds if one.estimate is not None]) == 3
    assert all(one.estimate == pytest.approx(effect.estimate, abs=0.3) for one in effect.seconds)
    assert (effect.verdict, effect.grade) == ("benefit", "A")
    assert "randomised, 12 units" in effect.why_grade.lower()


def test_below_six_clusters_only_the_exact_test() -> None:
    units = clinics(5)
    with pytest.raises(Refused, match=r"no interval|allocations"):
        found(made_plan("cluster_randomised", units), halves(units))
    strict = made_plan("cluster_randomised", units, alpha=0.2)
    effect = found(strict, halves(units))
    assert effect.method.startswith("exact")
    assert effect.se is None
    assert effect.seconds == ()


def test_patients_by_ancova_with_welch_and_permutation_beside() -> None:
    units = [f"p{n:03}" for n in range(200)]
    plan = made_plan("individually_randomised", units, unit="patient")
    effect = found(plan, halves(units), per_week=1, spread=2.0)
    assert covers(effect)
    assert "ANCOVA" in effect.method or "adjusted" in effect.method.lower() or "Lin" in effect.method
    welch = effect.seconds[0]
    assert welch.method.startswith("difference in means")
    assert welch.ci_low is not None
    assert welch.ci_high is not None
    assert welch.ci_high - welch.ci_low > 1.3 * (effect.ci_high - effect.ci_low)  # the baseline sharpens it
    assert effect.seconds[1].method.startswith("exact")
    assert effect.grade == "A"


def test_events_of_patients_are_compared_as_proportions() -> None:
    units = [f"p{n:03}" for n in range(300)]
    plan = made_plan("individually_randomised", units, unit="patient", adjust="none")
    rows, language = made_rows(plan, halves(units), 0.0, per_week=1)
    order = np.argsort(rows.at)[::-1]  # the last event of each patient, which is in the pilot
    late = order[np.unique(rows.patient[order].astype(str), return_index=True)[1]]
    columns = {name: getattr(rows, name)[late] for name in ("key", "cluster", "patient", "clinician", "at", "weight")}
    rng = np.random.default_rng(3)
    treated = np.array([int(name[1:]) % 2 for name in columns["patient"]])
    value = (rng.random(len(late)) < 0.2 + 0.3 * treated).astype(float)
    effect = compute(made_study(plan, halves(units), type(rows)(**columns, value=value), language)).effects[0]
    assert "Newcombe" in effect.method or "risk difference" in effect.method
    assert covers(effect, 0.3)


def test_a_stepped_wedge_by_cell_means_with_nested_and_exposure_time_beside() -> None:
    units = clinics(12)
    assigned = staggered(units, (0, 21, 42, 63))
    effect = found(made_plan("stepped_wedge", units, steps=tuple(one.starts for one in assigned[:4])), assigned)
    assert covers(effect)
    assert effect.method == "stepped wedge, hussey hughes, Kenward-Roger, of cell means"
    nested, exposure = effect.seconds
    assert nested.estimate == pytest.approx(EFFECT, abs=0.4)
    assert exposure.estimate == pytest.approx(EFFECT, abs=0.6)
    assert effect.grade == "A"
    assert any(one.name == "no cluster switches back" and one.held for one in effect.assumptions)


def test_a_randomised_rollout_by_the_efficient_estimator() -> None:
    units = clinics(24)
    effect = found(made_plan("randomised_rollout", units), staggered(units, (0, 28, 56, None)))
    assert covers(effect)
    assert "efficient under random timing" in effect.method
    assert [one.estimate is not None for one in effect.seconds] == [True, True]
    assert effect.grade == "A"


def test_a_staggered_start_by_callaway_santanna_with_its_trend_check() -> None:
    units = clinics(48)
    effect = found(made_plan("staggered_did", units), staggered(units, (28, 56, None)))
    assert covers(effect)
    assert "Callaway & Sant'Anna" in effect.method
    assert "imputation" in effect.seconds[0].method
    assert effect.grade == "C"
    assert [one for one in effect.assumptions if one.name == "parallel trends"]
    assert {point.at < 0 for point in effect.curve} == {True, False}


def test_trends_that_differ_before_the_start_lower_the_grade() -> None:
    units = clinics(24)
    assigned = staggered(units, (42, 63, None))
    plan = made_plan("staggered_did", units)
    rows, language = made_rows(plan, assigned, EFFECT, per_week=20)
    treated = np.isin(rows.cluster, [one.unit for one in assigned if one.starts])
    rows.value[treated] += 0.5 * (rows.at[treated] - rows.at.min()) / (7 * 86400)
    effect = compute(made_study(plan, assigned, rows, language)).effects[0]
    trend = next(one for one in effect.assumptions if one.name == "parallel trends")
    assert trend.held is False
    assert effect.grade == "D"
    assert "did not move alike" in effect.why_grade


@pytest.mark.parametrize("design", ["interrupted_time_series", "controlled_its"])
def test_a_series_with_and_without_controls(design: str) -> None:
    units = clinics(10)
    days: tuple[int | None, ...] = (0,) if design == "interrupted_time_series" else (0, None)
    effect = found(made_plan(design, units), staggered(units, days), trend=0.02)
    assert abs(effect.estimate - EFFECT) < 0.6
    assert effect.method.startswith("interrupted time series")
    assert ("against a control series" in effect.method) == (design == "controlled_its")
    assert effect.grade == "C"


def test_a_switchback_within_pairs_of_periods_without_the_first_days() -> None:
    units = clinics(6)
    plan = made_plan("switchback", units, switching=Switching(period_days=7, washout_days=1))
    rng = np.random.default_rng(2)
    assigned = []
    for unit in units:
        pairs = [("intervention", "control") if rng.random() < 0.5 else ("control", "intervention") for _ in range(6)]
        order = tuple(arm for pair in pairs for arm in pair)
        assigned.append(Assignment(plan="made", unit=unit, arm="intervention", stratum="all", sequence=order))  # type: ignore[arg-type]
    effect = found(plan, assigned, per_week=20)
    assert covers(effect)
    assert "within pairs" in effect.method
    assert effect.left_out["in the first days after a switch"] > 0
    assert effect.seconds[0].estimate == pytest.approx(effect.estimate, abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize(("design", "other"), [("sdid", "synthetic control"), ("synthetic_control", "synthetic diff")])
def test_few_units_against_weighted_controls(design: str, other: str) -> None:
    units = clinics(12)
    effect = found(made_plan(design, units), staggered(units, (0, *[None] * 5)), per_week=30)
    assert covers(effect)
    assert effect.seconds[0].method.lower().startswith(other)
    assert effect.grade == "C"
    assert effect.curve


def test_before_and_after_is_graded_d_whatever_it_shows() -> None:
    units = clinics(12)
    effect = found(made_plan("before_after", units), staggered(units, (0,)))
    assert abs(effect.estimate - EFFECT) < 0.5
    assert effect.grade == "D"
    assert "never passes a scale gate" in effect.why_grade


def test_the_plan_may_name_its_method() -> None:
    units = clinics(12)
    plan = made_plan("cluster_randomised", units, analysis_method=AnalysisMethod(estimator="lmm"))
    effect = found(plan, halves(units))
    assert "mixed model" in effect.method
    assert [one.method for one in effect.seconds if one.method.startswith("lmm")] == []
    wrong = replace(plan, analysis_method=AnalysisMethod(estimator="power"))
    with pytest.raises(Refused, match="no method that a plan can name"):
        found(wrong, halves(units))


def test_rows_of_units_without_an_arm_are_counted() -> None:
    units = clinics(12)
    plan = made_plan("cluster_randomised", units)
    rows, language = made_rows(plan, halves([*units, "Location/other"]), EFFECT)
    result = compute(made_study(plan, halves(units), rows, language))
    assert result.effects[0].left_out == {"of a clinic without an arm in the plan": 144}
    assert "144 events of a clinic without an arm" in result.missing["msg_turnaround"]


def test_non_inferiority_asks_that_it_is_not_worse() -> None:
    units = clinics(12)
    measure = replace(PRIMARY, hypothesis="non_inferiority", margin=0.8)
    effect = found(made_plan("cluster_randomised", units, measures=(measure,)), halves(units), 0.0)
    assert effect.not_worse is True
    assert (effect.verdict, effect.margin) == ("no worthwhile effect", 0.8)
    assert "not worse than usual work" in effect.sentence
    worse = found(made_plan("cluster_randomised", units, measures=(measure,)), halves(units), 1.0)
    assert (worse.not_worse, worse.verdict) == (False, "harm")


def test_what_is_read_beside_others_is_never_a_benefit() -> None:
    units = clinics(12)
    flag = PlannedMeasure(id="msg_turnaround", role="primary", unit="h", direction="flag", mcid=1.0)
    effect = found(made_plan("cluster_randomised", units, measures=(flag,)), halves(units))
    assert effect.verdict == "not judged"
    assert "never counted as a benefit" in effect.sentence


def at_day(day: int) -> datetime:
    then = START + timedelta(days=day)
    return datetime(then.year, then.month, then.day, 12, tzinfo=UTC)


def looked(plan: Plan, day: int, earlier: Sequence[object] = ()) -> Effect:
    units = list(plan.clusters)
    rows, language = made_rows(plan, halves(units), EFFECT, last=START + timedelta(days=day))
    study = made_study(plan, halves(units), rows, language, at=at_day(day), earlier=earlier)  # type: ignore[arg-type]
    return compute(study).effects[0]


def test_a_planned_look_spends_its_error_and_an_unplanned_one_says_so() -> None:
    units = clinics(12)
    days: tuple[date, ...] = (START + timedelta(days=42),)
    plan = made_plan("cluster_randomised", units, looks=Looks("group_sequential", days, "obrien_fleming"))
    middle = looked(plan, 42)
    assert middle.look is not None
    assert (middle.look.planned, middle.look.number) == (True, 1)
    assert middle.look.bound == pytest.approx(2.797, abs=2e-3)  # O'Brien-Fleming, two looks: Jennison & Turnbull, 2.3
    assert middle.ci_low < middle.look.fixed_low
    assert middle.look.crossed
    early = looked(plan, 20)
    assert early.look is not None
    assert not early.look.planned
    assert "not planned" in early.warnings[0]
    assert early.look.bound > 4
    last = looked(plan, 84, [middle.look])
    assert last.look is not None
    assert last.look.bound == pytest.approx(1.977, abs=2e-3)


def test_a_look_that_no_plan_foresaw_gets_an_interval_that_always_holds() -> None:
    plan = made_plan("cluster_randomised", clinics(12))
    early = looked(plan, 42)
    assert early.look is not None
    assert early.look.kind == "always_valid"
    assert early.look.bound == pytest.approx(always_valid_bound(42.5 / 84, 0.05), abs=1e-6)
    assert looked(plan, 90).look is None
    after = looked(plan, 90, [early.look])
    assert after.look is not None
    assert "1 earlier look had not been planned" in after.look.text
    assert (after.ci_low, after.ci_high) == (after.look.fixed_low, after.look.fixed_high)


def test_the_always_valid_bound_holds_over_all_looks_together() -> None:
    """20,000 Brownian motions under no effect, looked at 200 times: at most 5 % may ever cross (it is conservative)."""
    rng = np.random.default_rng(11)
    times = np.linspace(0.01, 2, 200)
    steps = rng.normal(size=(20_000, 200)) * np.sqrt(np.diff(times, prepend=0))
    z = np.abs(steps.cumsum(axis=1)) / np.sqrt(times)
    bounds = np.array([always_valid_bound(float(time), 0.05) for time in times])
    ever = float((z >= bounds).any(axis=1).mean())
    assert 0.005 < ever <= 0.05 + 2 * 0.0015


def test_every_design_has_an_item_for_each_method() -> None:
    assert {"cluster_itt", "exact_permutation", "lmm", "gee", "ancova", "its", "sdid", "staggered_did"} <= set(ITEMS)
