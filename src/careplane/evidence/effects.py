"""The effect on one measure of a study: by the plan's method, with what it rests on and what stands beside it."""

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np
from scipy.special import ndtri, stdtrit

from careplane.estimators._spec import Assumption
from careplane.evidence import methods
from careplane.evidence.looks import look
from careplane.evidence.methods import Choice, Found
from careplane.evidence.study import Study, compared
from careplane.evidence.trial import Trial
from careplane.evidence.verdict import (
    Spread,
    grade,
    judge,
    margin_of,
    not_worse,
    sentence,
    tolerates,
    why_grade,
    would_change,
)
from careplane.evidence.windows import epoch
from careplane.records.evidence import Checked, Effect, PlannedMeasure, Point, SecondMethod

WEEK = 7 * 86400
POWER = 0.8
_OTHER_SCALE = frozenset({"its"})
_TRENDS = ("parallel trends", "random timing")


def effect_of(study: Study, measure: PlannedMeasure) -> Effect | str:
    """The effect, or in words why there is none."""
    trial = study.trials[measure.id]
    arms = [trial.measured & compared(trial, arm) for arm in (0, 1)]
    if not (arms[0].any() and arms[1].any()):
        return "no values in both arms"
    try:
        choices = study.choices(measure)
        found = methods.estimate(study.items, trial, choices[0], study.standing.alpha if study.standing else None)
        fixed = methods.estimate(study.items, trial, choices[0]) if study.standing else found
    except methods.MISTAKES as error:
        return methods.told(error)
    others = methods.beside(study.items, trial, choices[1:])
    return _effect(study, measure, found, fixed, tuple(_second(*one) for one in others))


def _effect(
    study: Study, measure: PlannedMeasure, found: Found, fixed: Found, seconds: tuple[SecondMethod, ...]
) -> Effect:
    plan, trial, info = study.plan, study.trials[measure.id], study.measures[measure.id].info
    rows = [compared(trial, arm) for arm in (0, 1)]
    total = sum(int(one.sum()) for one in rows)
    missing = sum(int((one & ~trial.measured).sum()) for one in rows) / total
    spread = _spread(study, trial)
    usual, helped = (_mean(trial, arm) for arm in (0, 1))
    rests = (found.clusters, _smallest_arm(trial), missing, _trends_held(found))
    alpha = study.standing.alpha if study.standing else plan.alpha
    return Effect(
        plan=plan.id,
        measure=measure.id,
        role=measure.role,
        unit=measure.unit,
        direction=measure.direction,
        estimate=found.estimate,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        p_value=found.p_value,
        n=found.n,
        clusters=found.clusters,
        method=found.method,
        verdict=judge(measure, found, usual),
        sentence=sentence(measure, info.title, alpha, found, spread, usual),
        grade=grade(plan, *rests),
        mcid=measure.mcid,
        mean_intervention=helped,
        mean_control=usual,
        n_intervention=int((rows[1] & trial.measured).sum()),
        n_control=int((rows[0] & trial.measured).sum()),
        df=found.df,
        comparison=_comparison(found, seconds, measure.unit),
        data_hash=study.data_hash,
        computed_at=study.at,
        se=found.se,
        hypothesis=measure.hypothesis,
        margin=margin_of(measure) if tolerates(measure) else None,
        not_worse=not_worse(measure, found, usual),
        seconds=seconds,
        warnings=(*_warnings(study, measure), *found.warnings),
        assumptions=(*_checked(found.assumptions), *_of_the_rows(study, trial, missing)),
        left_out={**trial.left_out, **found.left_out},
        missing_share=missing,
        look=look(study.standing, found, fixed, fixed.p_value, study.at) if study.standing else None,
        curve=_curve(found),
        curve_of=_curve_of(found),
        why_grade=why_grade(plan, *rests),
        would_change=would_change(measure, found, spread, usual),
        reached=_reached(found, plan.alpha, measure.unit),
    )


def _mean(trial: Trial, arm: int) -> float:
    rows = compared(trial, arm) & trial.measured
    return float(np.average(trial.value[rows], weights=trial.weight[rows]))


def _spread(study: Study, trial: Trial) -> Spread:
    seen = min(study.at.timestamp(), epoch(study.plan, study.plan.end))
    return Spread(trial.within_variance(), max(0.0, seen - epoch(study.plan, study.plan.start)) / WEEK)


def _smallest_arm(trial: Trial) -> int:
    """Units of the smaller arm; where units have both, all of them."""
    sizes = [len(np.unique(trial.unit[trial.measured & compared(trial, arm)])) for arm in (0, 1)]
    return min(sizes)


def _trends_held(found: Found) -> bool | None:
    return next((one.held for one in found.assumptions if one.name in _TRENDS), None)


def _second(choice: Choice, found: Found | str) -> SecondMethod:
    if isinstance(found, str):
        return SecondMethod(method=" ".join((choice.estimator, choice.word)).strip(), note=found)
    return SecondMethod(
        method=found.method,
        estimate=found.estimate,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        p_value=found.p_value,
        note=" ".join(found.warnings),
    )


def _comparison(found: Found, seconds: Sequence[SecondMethod], unit: str) -> str:
    """The second method in words."""
    if not seconds:
        return "The exact test is the method of this plan: too few clusters for a model." if found.se is None else ""
    one = seconds[0]
    if one.estimate is None or one.ci_low is None or one.ci_high is None or one.p_value is None:
        return f"{one.method}: {one.note}"
    average = ", average over clusters" if one.method.startswith("exact") else ""
    return (
        f"{one.method}{average}: {one.estimate:+.2f} {unit} ({one.ci_low:+.2f} to {one.ci_high:+.2f}), "
        f"p = {one.p_value:.3g}"
    )


def _warnings(study: Study, measure: PlannedMeasure) -> tuple[str, ...]:
    """What stands before the estimator's own warnings."""
    plan = study.plan
    told = []
    if plan.post_hoc:
        told.append(f"Changed after results were seen: {', '.join(plan.post_hoc)}. This is no longer what was planned.")
    if study.standing is not None and not study.standing.planned:
        told.append(study.standing.text)
    if study.measures[measure.id].info.survey:
        told.append("Answers of a survey: those who answered may differ from those who did not.")
    return tuple(told)


def _checked(found: Sequence[Assumption]) -> tuple[Checked, ...]:
    return tuple(Checked(name=one.name, held=one.held, text=one.text) for one in found)


def _of_the_rows(study: Study, trial: Trial, missing: float) -> tuple[Checked, ...]:
    """What any design rests on, checked on the rows: as many events and as many missing in both arms."""
    shares = [_missing_in(trial, arm) for arm in (0, 1)]
    apart = abs(shares[1] - shares[0])
    held: list[Checked] = [
        Checked(
            name="missing alike in both arms",
            held=bool(apart <= 0.05) if missing else True,
            text=f"{100 * shares[1]:.1f} % of rows have no value with the app, {100 * shares[0]:.1f} % without.",
        )
    ]
    if study.plan.design == "cluster_randomised":
        held.append(_balanced(trial))
    return tuple(held)


def _missing_in(trial: Trial, arm: int) -> float:
    rows = compared(trial, arm)
    return float((rows & ~trial.measured).sum() / max(1, int(rows.sum())))


def _balanced(trial: Trial) -> Checked:
    """Whether the arms sent about as many events as before the start: an app should not change who is eligible."""
    growth = []
    for arm in (0, 1):
        units = np.flatnonzero(trial.ever == arm)
        inside = np.isin(trial.unit, units)
        growth.append(float((inside & trial.pilot).sum()) / max(1, int((inside & ~trial.pilot).sum())))
    if not (~trial.pilot).any():
        return Checked(name="as many events in both arms", held=None, text="No baseline is loaded to compare with.")
    ratio = growth[1] / growth[0] if growth[0] else 0.0
    return Checked(
        name="as many events in both arms",
        held=bool(0.8 <= ratio <= 1.25),
        text=f"Against its baseline the intervention arm had {ratio:.2f} times the events of the control arm.",
    )


def _curve(found: Found) -> tuple[Point, ...]:
    events: Mapping[str, Mapping[str, float]] = found.details.get("event_study", {})
    if events:
        return tuple(
            Point(at=float(at), estimate=one["estimate"], ci_low=one["ci_low"], ci_high=one["ci_high"])
            for at, one in events.items()
            if isfinite(one["estimate"]) and isfinite(one["ci_low"])
        )
    gap: Mapping[str, float] = found.details.get("gap", {})
    return tuple(Point(at=float(at), estimate=value) for at, value in gap.items())


def _curve_of(found: Found) -> str:
    if found.details.get("event_study"):
        return "effect by periods since the start (negative: before it)"
    return "treated minus weighted controls, by period" if found.details.get("gap") else ""


def _reached(found: Found, alpha: float, unit: str) -> str:
    """The smallest difference that the spread that was seen finds with 80 % power."""
    if found.se is None:
        return "Not computed: an exact test has no standard error."
    many = found.df is None
    quantiles = [float(ndtri(q)) if many else float(stdtrit(found.df, q)) for q in (1 - alpha / 2, POWER)]
    smallest = sum(quantiles) * found.se
    return f"With the spread that was seen, {smallest:.2f} {unit} is the smallest difference found with 80 % power."
