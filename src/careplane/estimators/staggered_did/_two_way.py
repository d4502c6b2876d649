"""Two stages (Gardner 2021), and the regression on unit and period effects that staggered starts bias."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._linear import Design, check_rank, design, variances
from careplane.estimators._spec import Spec
from careplane.estimators.staggered_did._effects import Effect, Found
from careplane.estimators.staggered_did._panel import Panel, need_balanced

_ROUNDING = 1e-10
BIASED = (
    "twfe compares those treated later with those treated before; where effects grow or differ by cohort it is biased, "
    "even in sign. Report callaway_santanna or imputation."
)


def twfe(panel: Panel, spec: Spec) -> Found:
    """The coefficient of being treated beside unit and period effects, with errors shared in clusters (CR1).

    Raises:
        InputError: a covariate is the same in all periods of its unit, or in all units of a period.
        Refused: the panel has holes, which the double demeaning does not bear.
    """
    need_balanced(panel, "twfe")
    raw = np.column_stack([panel.y, panel.treated, panel.x])
    shape = (len(panel.units), -1, raw.shape[1])
    cube = raw.reshape(shape)
    swept = cube - cube.mean(axis=0, keepdims=True) - cube.mean(axis=1, keepdims=True) + cube.mean(axis=(0, 1))
    flat = swept.reshape(raw.shape)
    flat[:, np.abs(flat).max(axis=0) <= _ROUNDING * np.abs(raw).max(axis=0)] = 0.0  # what is left of a constant
    named = design(panel.frame, spec["covariates"], intercept=False).names if spec["covariates"] else ()
    names = (spec["first_treated"], *named)
    for name, column in zip(named, flat[:, 2:].T, strict=True):
        if not column.any():
            raise InputError(
                "does not change beside the effects of units and periods, so twfe cannot adjust for it; "
                "leave it out, or take callaway_santanna",
                field=name,
            )
    check_rank(Design(flat[:, 1:], names), names)
    fit = variances(flat[:, 0], flat[:, 1:], 0, panel.cluster, ["CR1"])[0]
    return Found(simple=Effect(fit.value, fit.se), warnings=(BIASED,))


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """The first stage: ``level`` (codes) and ``z`` (n, q) explain the untreated rows.

    ``inverse`` is of the cross-products of ``z`` within levels, ``middle`` its mean by level, ``count`` the untreated
    rows of a level; ``residual`` is of every row, treated ones included.
    """

    level: Ints
    z: Floats
    inverse: Floats
    middle: Floats
    count: Floats
    residual: Floats


def two_stage(panel: Panel, spec: Spec) -> Found:
    """The mean of the treated rows over what untreated rows lead to expect; errors of both stages, by cluster.

    Raises:
        InputError: a level of the effect has no untreated row.
        Refused: a period has no untreated row.
    """
    column = spec["effect"] or spec["unit"]
    free = panel.treated == 0
    level, names = panel.frame.labels(column)
    bare = np.bincount(level[free], minlength=len(names)) == 0
    if bare.any():
        raise InputError(f"{names[int(np.argmax(bare))]} has no untreated row, so its level is unknown", field=column)
    late = sorted(set(panel.time[~free]) - set(panel.time[free]))
    if late:
        raise Refused([f"Nobody is untreated in period {late[0]:g}."], "Leave those periods out.")
    stage = _first_stage(panel, level, free)
    since = (panel.time - panel.first)[~free]
    rows = np.flatnonzero(~free)
    parts: dict[float, tuple[float, Floats]] = {
        float(at): _mean(panel, stage, free, rows[since == at]) for at in np.unique(since)
    }
    simple = _mean(panel, stage, free, rows)
    dynamic = (float(np.mean([v for v, _ in parts.values()])), np.mean([s for _, s in parts.values()], axis=0))
    return Found(
        simple=_effect(*simple),
        dynamic=_effect(*dynamic),
        events={at: _effect(*one) for at, one in parts.items()},
    )


def _effect(value: float, scores: Floats) -> Effect:
    return Effect(value, sqrt(float((scores**2).sum())))


def _first_stage(panel: Panel, level: Ints, free: np.ndarray) -> _Stage:
    periods = np.unique(panel.time)
    z = np.column_stack([*((panel.time == t).astype(np.float64) for t in periods[1:]), panel.x])
    count = np.bincount(level[free]).astype(np.float64)
    middle = _by(level[free], z[free]) / count[:, None]
    own = z - middle[level]
    height = np.bincount(level[free], weights=panel.y[free]) / count
    inverse = np.linalg.pinv(own[free].T @ own[free])
    slope = inverse @ (own[free].T @ (panel.y - height[level])[free])
    return _Stage(level, z, inverse, middle, count, panel.y - height[level] - own @ slope)


def _mean(panel: Panel, stage: _Stage, free: np.ndarray, rows: Ints) -> tuple[float, Floats]:
    """The mean of the residuals of some treated rows, and each cluster's part in its error."""
    value = float(stage.residual[rows].mean())
    reach = np.bincount(stage.level[rows], minlength=len(stage.count)).astype(np.float64)
    slope = stage.inverse @ (stage.z[rows].sum(axis=0) - stage.middle.T @ reach)
    height = reach / stage.count - stage.middle @ slope
    score = np.zeros(len(panel.y))
    score[free] = -(height[stage.level] + stage.z @ slope)[free] * stage.residual[free]
    score[rows] = stage.residual[rows] - value
    return value, np.bincount(panel.cluster, weights=score) / len(rows)


def _by(code: Ints, values: Floats) -> Floats:
    return np.column_stack([np.bincount(code, weights=values[:, i]) for i in range(values.shape[1])])
