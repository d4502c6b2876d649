"""How the outcome goes with how much the intervention was used.

``linear`` and ``categories`` compare people (or units) who used it more with those who used it less. Nobody drew that:
eager users differ in other ways, so neither is an effect, whatever is adjusted for. ``instrument`` takes the arm that
was randomised as the only reason why use differs (two-stage least squares): the effect of one unit of use in those
whose use the arm changed, if the arm acts through use alone (Angrist & Imbens 1995, J Am Stat Assoc 90:431).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._frame import Frame, varies
from careplane.estimators._intervals import interval
from careplane.estimators._linear import Design, check_rank, design, finite, variances
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec

FEW, WEAK = 6, 10.0
NOT_RANDOMISED = (
    "Use was not randomised: those who used it more differ in other ways, so this is no effect. Report the comparison "
    "of the arms first."
)


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(13)
    arm = np.repeat([0, 1], 120)
    eager = draws.normal(size=240)
    used = np.where(arm == 1, draws.poisson(np.exp(1.2 + 0.4 * eager)), 0)
    hours = 20 - 0.3 * used - 0.5 * eager + draws.normal(0, 2, 240)
    return {"hours": np.round(hours, 2).tolist(), "used": used.tolist(), "arm": arm.tolist()}


INFO = Info(
    name="dose_response",
    purpose="How the outcome goes with use; with the arm as instrument, the effect of use in those whom it moved.",
    keys=(
        Key("outcome", "column", "the outcome, a number", needed=True),
        Key("dose", "column", "how much it was used, a number", needed=True),
        Key("method", "choice", "how", "linear", choices=("linear", "categories", "instrument")),
        Key("treatment", "column", "1 in the intervention arm, 0 in the other (instrument)"),
        Key("cuts", "numbers", "where a category of use begins (categories), rising", default=()),
        Key("covariates", "columns", "numbers as they are, texts as indicators", default=()),
        Key("cluster", "column", "where errors may be shared"),
        ALPHA,
    ),
    source="Angrist & Imbens 1995, J Am Stat Assoc 90:431; Hernan & Robins 2006, Epidemiology 17:360",
    example={"estimator": "dose_response", "outcome": "hours", "dose": "used", "treatment": "arm"}
    | {"method": "instrument"},
    made=_example,
)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """What is fitted: outcome, dose, the covariates' design with an intercept, and clusters."""

    y: Floats
    dose: Floats
    more: Design
    cluster: Ints | None
    groups: int | None
    frame: Frame


def estimate(frame: Frame, spec: Spec) -> Result:
    """The slope, the last category against the first, or the effect of a unit of use.

    Raises:
        InputError: a column does not fit, or what the method needs is not named.
        Refused: fewer than six clusters, or an arm that does not move use.
    """
    named = [spec[name] for name in ("outcome", "dose", "treatment", "cluster") if name in spec]
    used = frame.complete([*named, *spec["covariates"]])
    y, dose = finite(used, spec["outcome"]), finite(used, spec["dose"])
    varies(dose, spec["dose"])
    varies(y, spec["outcome"])
    cluster = used.labels(spec["cluster"])[0] if "cluster" in spec else None
    groups = None if cluster is None else len(np.unique(cluster))
    if groups is not None and groups < FEW:
        raise Refused(
            [f"{groups} clusters are too few for a model-based interval."], "Use exact_permutation on the arms."
        )
    rows = _Rows(y, dose, design(used, spec["covariates"]), cluster, groups, used)
    return _METHODS[spec["method"]](rows, spec)


def _linear(rows: _Rows, spec: Spec) -> Result:
    x = np.column_stack([rows.more.x, rows.dose])
    return _observed(rows, spec, Design(x, (*rows.more.names, spec["dose"])), {})


def _categories(rows: _Rows, spec: Spec) -> Result:
    cuts = spec["cuts"]
    if not cuts or any(b <= a for a, b in pairwise(cuts)):
        raise InputError("must name where categories begin, rising, such as [1, 10]", field="cuts")
    code = np.searchsorted(np.array(cuts), rows.dose, side="right")
    names = [f"below {cuts[0]:g}", *(f"from {cut:g}" for cut in cuts)]
    counts = np.bincount(code, minlength=len(names))
    if (counts == 0).any():
        raise InputError(f"leave the category '{names[int(np.argmin(counts))]}' without a row", field="cuts")
    parts = [(code == i).astype(np.float64) for i in range(1, len(names))]
    built = Design(np.column_stack([rows.more.x, *parts]), (*rows.more.names, *names[1:]))
    check_rank(built, names[1:])
    kind = "HC2" if rows.cluster is None else "CR2"
    told: dict[str, Any] = {names[0]: {"n": int(counts[0]), "mean": float(rows.y[code == 0].mean())}}
    for i, name in enumerate(names[1:]):
        (one,) = variances(rows.y, built.x, rows.more.x.shape[1] + i, rows.cluster, [kind])
        ends = interval(one.value, one.se, one.df, spec["alpha"])
        told[name] = {"n": int(counts[i + 1]), "mean": float(rows.y[code == i + 1].mean())} | {
            "difference": one.value,
            "ci_low": ends.low,
            "ci_high": ends.high,
        }
    return _observed(rows, spec, built, {"categories": told})


def _observed(rows: _Rows, spec: Spec, built: Design, details: Mapping[str, Any]) -> Result:
    check_rank(built, [spec["dose"]])
    (found,) = variances(
        rows.y, built.x, built.x.shape[1] - 1, rows.cluster, ["HC2" if rows.cluster is None else "CR2"]
    )
    ends = interval(found.value, found.se, found.df, spec["alpha"])
    return Result(
        method=f"outcome by use, {spec['method']}, not randomised, {found.kind}",
        n=len(rows.y),
        estimate=found.value,
        se=found.se,
        ci_low=ends.low,
        ci_high=ends.high,
        df=found.df,
        p=ends.p,
        clusters=rows.groups,
        details={"dose": _spread(rows.dose), **details},
        warnings=(NOT_RANDOMISED,),
        assumptions=(
            Assumption(name="use is as good as drawn, given the covariates", held=None, text="It never is for sure."),
        ),
        left_out=dict(rows.frame.left_out),
    )


def _instrument(rows: _Rows, spec: Spec) -> Result:
    if "treatment" not in spec:
        raise InputError("is needed: the arm that was randomised is the instrument", field="treatment")
    arm = rows.frame.binary(spec["treatment"])
    varies(arm, spec["treatment"])
    built = Design(np.column_stack([rows.more.x, arm]), (*rows.more.names, spec["treatment"]))
    check_rank(built, [spec["treatment"]])
    place = built.x.shape[1] - 1
    kind = "HC2" if rows.cluster is None else "CR2"
    (first,) = variances(rows.dose, built.x, place, rows.cluster, [kind])
    (itt,) = variances(rows.y, built.x, place, rows.cluster, [kind])
    strength = (first.value / first.se) ** 2 if first.se > 0 else np.inf
    if strength < 4:
        raise Refused(
            [f"The arm hardly moves use (F = {strength:.1f}), so use explains no difference between the arms."],
            "Report the comparison of the arms, and uptake.",
        )
    (ratio,) = variances(rows.y - itt.value / first.value * rows.dose, built.x, place, rows.cluster, [kind])
    value, se = itt.value / first.value, ratio.se / abs(first.value)
    ends = interval(value, se, ratio.df, spec["alpha"])
    weak = (f"The arm moves use little (F = {strength:.1f}, below {WEAK:g}); the interval is not to be trusted.",)
    return Result(
        method=f"effect of use, the randomised arm as instrument, {kind}",
        n=len(rows.y),
        estimate=value,
        se=se,
        ci_low=ends.low,
        ci_high=ends.high,
        df=ratio.df,
        p=ends.p,
        clusters=rows.groups,
        details={
            "dose": _spread(rows.dose),
            "arm_on_use": {"estimate": first.value, "se": first.se, "f": strength},
            "arm_on_outcome": {"estimate": itt.value, "se": itt.se},
        },
        warnings=(NOT_RANDOMISED, *(weak if strength < WEAK else ())),
        assumptions=(
            Assumption(name="the arm acts through use alone", held=None, text="Nothing else of it moves the outcome."),
            Assumption(name="the arm moves use", held=bool(strength >= WEAK), text=f"F = {strength:.1f}."),
        ),
        left_out=dict(rows.frame.left_out),
    )


def _spread(dose: Floats) -> dict[str, float]:
    return {"mean": float(dose.mean()), "sd": sqrt(float(dose.var())), "share_zero": float((dose == 0).mean())}


_METHODS = {"linear": _linear, "categories": _categories, "instrument": _instrument}
