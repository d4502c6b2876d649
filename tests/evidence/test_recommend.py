"""The wizard's advice: what fits a roll-out comes first, what cannot answer is refused with what would."""

from datetime import date
from typing import Any

import pytest

from careplane._shelf import folder, items, load
from careplane.apps import read_app
from careplane.errors import InputError, Refused
from careplane.estimators._item import item
from careplane.evidence.advice import advise, plan_from
from careplane.evidence.allocation import draw
from careplane.evidence.design_power import detectable
from careplane.records.planning import Advice, Option, Rollout, Spread

POWER = item(load("estimators", "power"))
INFOS = [load("measures", name).MEASURE.info for name in items("measures")]
TURNAROUND = next(info for info in INFOS if info.id == "msg_turnaround")
APP = read_app(folder("apps", "portal_reply"))
SPREAD = Spread(sd=6.0, icc=0.05, per_week=20.0)


def rollout(count: int = 12, **changes: Any) -> Rollout:
    half = count // 2
    names = [f"Location/{number:02}" for number in range(count)]
    units = {"A": tuple(names[:half]), "B": tuple(names[half:])} if half else {"A": tuple(names)}
    return Rollout(**{"app": "portal_reply", "units": units, "start": date(2027, 1, 4), "weeks": 24, **changes})


def advice(told: Rollout) -> Advice:
    return advise(told, TURNAROUND, POWER)


def refused(told: Advice, design: str) -> Option:
    return next(one for one in told.refused if one.design == design)


@pytest.mark.parametrize(
    ("told", "design", "grade"),
    [
        (rollout(), "cluster_randomised", "A"),
        (rollout(8), "cluster_randomised", "B"),
        (rollout(everyone=True, waves=4), "stepped_wedge", "A"),
        (rollout(unit="patient", contaminates=False), "individually_randomised", "A"),
        (rollout(1, switchable=True, carry_over=False, lag_days=0), "switchback", "B"),
        (rollout(live=True, waves=3, history_weeks=8), "staggered_did", "C"),
        (rollout(4, randomise=False, stay_without=("Location/03",), history_weeks=20), "controlled_its", "C"),
        (rollout(1, randomise=False, history_weeks=26), "interrupted_time_series", "C"),
        (rollout(1, randomise=False, history_weeks=6), "before_after", "D"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_fits_the_roll_out_comes_first(told: Rollout, design: str, grade: str) -> None:
    found = advice(told)
    assert (found.first.design, found.first.grade) == (design, grade)
    for one in found.refused:
        assert one.refused.endswith(".")
        assert one.way_out.endswith(".")
    assert [one.grade for one in found.options] == sorted(one.grade for one in found.options)


def test_one_clinic_without_history_is_refused_with_what_would_answer() -> None:
    with pytest.raises(Refused, match="second unit"):
        advice(rollout(1))


def test_few_clusters_get_the_exact_test_and_before_after_no_gate() -> None:
    assert "exact test" in advice(rollout(4)).first.limits[0]
    uncontrolled = advice(rollout(1, randomise=False, history_weeks=6))
    assert not uncontrolled.first.scale_gate
    assert "never pass a scale gate" in uncontrolled.sentence


def test_an_outcome_that_comes_after_the_next_step_is_a_limit() -> None:
    found = advice(rollout(everyone=True, waves=4, weeks_between=2, lag_days=30))
    assert "Lengthen it" in found.first.limits[0]


def test_steps_that_do_not_fit_the_weeks_are_refused() -> None:
    found = advice(rollout(everyone=True, waves=6, weeks_between=8, history_weeks=12))
    assert "do not fit" in refused(found, "stepped_wedge").refused


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"units": {"A": ("u1", "u2"), "B": ("u2",)}}, "units"),
        ({"units": {}}, "units"),
        ({"stay_without": ("Location/99",)}, "stay_without"),
        ({"first_days": {"Location/99": date(2027, 2, 1)}}, "first_days"),
        ({"stay_without": ("Location/01",), "first_days": {"Location/01": date(2027, 2, 1)}}, "first_days"),
    ],
)
def test_answers_that_contradict_are_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        advice(rollout(**changes))
    assert caught.value.field == field


def test_power_is_that_of_the_estimator_at_the_effect_that_is_told() -> None:
    told = rollout(spread=SPREAD)
    found = advice(told).first
    assert found.detectable is not None
    keys = {"design": "cluster", "sd": 6.0, "icc": 0.05, "clusters": 6, "cluster_size": 480.0, "size_cv": 0.0}
    assert POWER.run({}, **keys, effect=found.detectable).estimate == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(
    "told",
    [
        rollout(24, spread=SPREAD, everyone=True, waves=4, history_weeks=12),
        rollout(24, spread=SPREAD, unit="clinician", contaminates=False, switchable=True, carry_over=False, lag_days=1,
                stay_without=tuple(f"Location/{n:02}" for n in range(8)), history_weeks=26),
    ],
)  # fmt: skip
def test_more_weeks_and_more_units_find_smaller_effects_in_every_design(told: Rollout) -> None:
    for one in advice(told).options:
        if one.design == "before_after":
            assert one.detectable is None
            continue
        usual = detectable(POWER, told, one, 12, 24)
        longer, more = detectable(POWER, told, one, 24, 24), detectable(POWER, told, one, 12, 48)
        assert usual is not None, one.design
        assert longer is not None
        assert more is not None
        assert 0 < longer < usual > more, one.design


def test_without_a_baseline_power_is_said_not_to_be_computed() -> None:
    found = advice(rollout())
    assert found.power.startswith("Not computed")
    assert found.points == ()
    assert found.first.detectable is None


def test_cost_and_time_are_told_for_every_point() -> None:
    found = advice(rollout(spread=SPREAD, usd_per_unit_week=40.0))
    assert found.first.usd == 12 * 24 * 40
    assert {point.clusters for point in found.points} == {6, 12, 24}
    assert all(point.usd == point.weeks * point.clusters * 40 for point in found.points)
    assert found.first.weeks_for_mcid is None or found.first.weeks_for_mcid > 0


@pytest.mark.parametrize(
    "told",
    [
        rollout(),
        rollout(everyone=True, waves=4),
        rollout(24, everyone=True, waves=6, weeks_between=3),
        rollout(unit="patient", contaminates=False),
        rollout(switchable=True, carry_over=False, lag_days=0),
        rollout(live=True, waves=3, history_weeks=8),
        rollout(stay_without=tuple(f"Location/{n:02}" for n in range(6)), history_weeks=20),
        rollout(1, randomise=False, history_weeks=26),
    ],
)
def test_every_design_that_can_answer_becomes_a_plan_that_can_be_carried_out(told: Rollout) -> None:
    found = advice(told)
    for one in found.options:
        made = plan_from(APP, INFOS, told, found, one.design, 0)
        assert (made.design, made.unit, made.start) == (one.design, one.unit, told.start)
        assert (made.end - made.start).days == 7 * told.weeks
        if made.enrol == "listed":
            assert {given.unit for given in draw(made)} == set(told.strata)


def test_a_design_that_cannot_answer_becomes_no_plan() -> None:
    told = rollout()
    with pytest.raises(InputError, match="cannot answer here") as caught:
        plan_from(APP, INFOS, told, advice(told), "switchback", 0)
    assert caught.value.field == "design"
