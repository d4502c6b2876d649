"""Weights of a synthetic comparison: a block of units treated from one period on, and a panel without holes.

The weights are those of Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021, Am Econ Rev 111:4088), found by
Frank-Wolfe steps with the stopping rule and the thinning of their package. Notation: ``Y`` (N, T) has the ``N0``
controls above the treated units, and the ``T0`` periods before the start to the left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats
from careplane.estimators._frame import Frame, duplicated, varies
from careplane.estimators._intervals import interval
from careplane.estimators._linear import finite
from careplane.estimators._spec import ALPHA, Assumption, Key, Result, Spec

_FIRST, _MOST, _THIN, _SHOWN = 100, 10_000, 4.0, 1e-3

SYNTHETIC_KEYS = (
    Key("outcome", "column", "the outcome, a number", needed=True),
    Key("unit", "column", "who is followed over time", needed=True),
    Key("time", "column", "the period, a number", needed=True),
    Key("treatment", "column", "1 in the rows of treated units from the start on, else 0", needed=True),
    Key("se", "choice", "placebo: from controls taken as if treated", "placebo", choices=("placebo", "none")),
    Key("replications", "integer", "placebo draws", default=200, least=10, most=100_000),
    Key("seed", "integer", "of the placebo draws", default=0, least=0),
    ALPHA,
)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The panel, and the names of its rows and columns."""

    y: Floats
    n0: int
    t0: int
    units: tuple[str, ...]
    periods: Floats
    frame: Frame


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Of the controls (N0,) and of the periods before (T0,)."""

    omega: Floats
    lam: Floats


@dataclass(frozen=True, slots=True)
class Tuning:
    """Penalties of both, when to stop, whether levels may differ, and whether periods before are weighted at all."""

    omega: float
    lam: float
    stop: float
    levels: bool


def read_block(frame: Frame, spec: Spec) -> Block:
    """The panel of a specification.

    Raises:
        InputError: a column does not fit, a unit has two rows in a period, or its treatment switches back.
        Refused: starts differ, the panel has holes, or there are too few controls or periods before.
    """
    used = frame.complete([spec[name] for name in ("outcome", "unit", "time", "treatment")])
    duplicated(used, spec["unit"], spec["time"])
    varies(finite(used, spec["outcome"]), spec["outcome"])
    unit, names = used.labels(spec["unit"])
    periods, at = np.unique(finite(used, spec["time"]), return_inverse=True)
    counts = np.bincount(unit)
    if (counts < len(periods)).any():
        short = int(np.argmax(counts < len(periods)))
        raise Refused(
            [f"Each unit is needed in each period; {names[short]} has {counts[short]} of {len(periods)}."],
            "Complete the panel, leave the unit or the period out, or use staggered_did with method: imputation.",
        )
    shape = (len(names), len(periods))
    y, arm, line = np.empty(shape), np.empty(shape), np.empty(shape, np.int64)
    y[unit, at], arm[unit, at] = finite(used, spec["outcome"]), used.binary(spec["treatment"])
    line[unit, at] = used.line
    back = np.diff(arm, axis=1) < 0
    if back.any():
        i, j = (int(part[0]) for part in np.nonzero(back))
        raise InputError(
            f"switches back to 0 for {names[i]} (line {line[i, j + 1]}); a treated unit must stay so",
            field=spec["treatment"],
        )
    treated = arm.any(axis=1)
    n0, t0 = int((~treated).sum()), _start(arm[treated], periods)
    _enough(n0, t0)
    order = np.argsort(treated, kind="stable")
    return Block(y[order], n0, t0, tuple(names[i] for i in order), periods, used)


def _start(arm: Floats, periods: Floats) -> int:
    if not len(arm):
        raise Refused(["No unit is treated."], "Mark the rows of treated units from the start on by 1.")
    starts = arm.argmax(axis=1)
    if len(np.unique(starts)) > 1:
        raise Refused(
            [f"Units start at different times ({periods[starts.min()]:g} to {periods[starts.max()]:g})."],
            "Use staggered_did.",
        )
    return int(starts[0])


def _enough(n0: int, t0: int) -> None:
    if n0 < 2:
        raise Refused([f"There are {n0} units that are never treated; two are needed."], "Add controls, or use its.")
    if t0 < 2:
        raise Refused([f"There are {t0} periods before the start; two are needed."], "Add earlier periods.")


def noise(block: Block) -> float:
    """The spread of changes from period to period among the controls before the start."""
    return float(np.diff(block.y[: block.n0, : block.t0], axis=1).std(ddof=1))


def weigh(
    y: Floats, n0: int, t0: int, tuning: Tuning, start: Weights | None = None, *, periods: bool = True
) -> Weights:
    """The weights; ``periods=False`` leaves the periods before out, which is a synthetic control."""
    lam = np.zeros(t0)
    if periods:
        goal = np.column_stack([y[:n0, :t0], y[:n0, t0:].mean(axis=1)])
        lam = _thinned(goal, tuning.lam, True, tuning.stop, start.lam if start else None)
    goal = np.column_stack([y[:n0, :t0].T, y[n0:, :t0].mean(axis=0)])
    return Weights(_thinned(goal, tuning.omega, tuning.levels, tuning.stop, start.omega if start else None), lam)


def effect(y: Floats, n0: int, t0: int, weights: Weights) -> float:
    """The weighted double difference."""
    rows = np.r_[-weights.omega, np.full(len(y) - n0, 1 / (len(y) - n0))]
    columns = np.r_[-weights.lam, np.full(y.shape[1] - t0, 1 / (y.shape[1] - t0))]
    return float(rows @ y @ columns)


def _thinned(goal: Floats, zeta: float, levels: bool, stop: float, start: Floats | None) -> Floats:
    if levels:
        goal = goal - goal.mean(axis=0)
    p = goal.shape[1] - 1
    first = _frank_wolfe(goal, zeta, stop, np.full(p, 1 / p) if start is None else start, _FIRST)
    kept = np.where(first <= first.max() / _THIN, 0.0, first)
    return _frank_wolfe(goal, zeta, stop, kept / kept.sum(), _MOST)


def _frank_wolfe(goal: Floats, zeta: float, stop: float, x: Floats, most: int) -> Floats:
    """Weights on the simplex that make ``A x`` near ``b``, the last column, with a ridge of ``zeta``."""
    a, b = np.ascontiguousarray(goal[:, :-1]), goal[:, -1]
    n = len(b)
    eta = n * zeta**2
    reached = a @ x
    before = inf
    for turn in range(most):
        half = (reached - b) @ a + eta * x
        best = int(half.argmin())
        step = -x
        step[best] += 1.0
        change = a[:, best] - reached
        length = float(change @ change + eta * (step @ step))
        if length <= 0:
            break
        size: float = min(1.0, max(0.0, -float(half @ step) / length))
        x = x + size * step
        reached = reached + size * change
        error = reached - b
        value = float(zeta**2 * (x @ x) + (error @ error) / n)
        if turn and before - value <= stop**2:
            break
        before = value
    return x


def placebo_se(block: Block, tuning: Tuning, weights: Weights, spec: Spec, *, periods: bool = True) -> float:
    """The spread of effects of controls taken as if treated (algorithm 4).

    Raises:
        Refused: there are not more controls than treated units.
    """
    n0, n1 = block.n0, len(block.y) - block.n0
    if n0 <= n1 + 1:
        raise Refused(
            [f"Placebos need more controls than treated units; there are {n0} and {n1}."],
            "Add controls, or set se: none.",
        )
    draws = np.random.default_rng(spec["seed"])
    found = []
    for _ in range(spec["replications"]):
        chosen = draws.permutation(n0)
        own = weights.omega[chosen[: n0 - n1]]
        own = own / own.sum() if own.sum() > 0 else np.full(n0 - n1, 1 / (n0 - n1))
        y = block.y[chosen]
        again = weigh(y, n0 - n1, block.t0, tuning, Weights(own, weights.lam), periods=periods)
        found.append(effect(y, n0 - n1, block.t0, again))
    return float(np.std(found))


def told(block: Block, spec: Spec, tuning: Tuning, weights: Weights, method: str, *, periods: bool = True) -> Result:
    """The effect with its placebo interval, the weights, and how the fit was before the start."""
    value = effect(block.y, block.n0, block.t0, weights)
    se = placebo_se(block, tuning, weights, spec, periods=periods) if spec["se"] == "placebo" else None
    ends = interval(value, se, inf, spec["alpha"]) if se else None
    gap = block.y[block.n0 :].mean(axis=0) - weights.omega @ block.y[: block.n0]
    before = gap[: block.t0]
    shift = float(before.mean()) if tuning.levels else 0.0
    rmse = sqrt(float(((before - shift) ** 2).mean()))
    spread = float(block.y[block.n0 :, : block.t0].mean(axis=0).std())
    return Result(
        method=method,
        n=block.y.size,
        estimate=value,
        se=se,
        ci_low=ends.low if ends else None,
        ci_high=ends.high if ends else None,
        p=ends.p if ends else None,
        clusters=len(block.units),
        details={
            "unit_weights": _near(block.units[: block.n0], weights.omega),
            "time_weights": _near([f"{at:g}" for at in block.periods[: block.t0]], weights.lam),
            "gap": {f"{at:g}": float(one) for at, one in zip(block.periods, gap, strict=True)},
            "rmse_before": rmse,
            "treated_units": len(block.y) - block.n0,
        },
        warnings=_warnings(block, rmse, spread),
        assumptions=(
            Assumption(
                name="the weighted controls would have gone on alike",
                held=bool(rmse <= spread),
                text=f"Before the start they miss by {rmse:.3g}; the treated themselves vary by {spread:.3g}.",
            ),
            Assumption(name="controls are not affected", held=None, text="Nothing spills over to them."),
        ),
        left_out=dict(block.frame.left_out),
    )


def _near(names: Sequence[str], values: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True) if value >= _SHOWN}


def _warnings(block: Block, rmse: float, spread: float) -> tuple[str, ...]:
    found = []
    if rmse > spread:
        found.append("The weighted controls do not follow the treated before the start; do not trust the effect.")
    if block.n0 < 10:
        found.append(f"With {block.n0} controls the placebo spread is rough.")
    if block.t0 < 8:
        found.append(f"With {block.t0} periods before the start weights may fit noise.")
    return tuple(found)


def example_panel() -> Mapping[str, Sequence[Any]]:
    """A synthetic panel: sixteen clinics, twelve months, one clinic changes in the tenth."""
    draws = np.random.default_rng(9)
    clinic, month = np.repeat(np.arange(16), 12), np.tile(np.arange(1, 13), 16)
    trend = draws.normal(size=16)[clinic] * month / 4
    after = ((clinic == 0) & (month >= 10)).astype(int)
    calls = 60 + draws.normal(0, 5, 16)[clinic] + trend - 6 * after + draws.normal(size=len(clinic))
    return {
        "calls": np.round(calls, 2).tolist(),
        "clinic": [f"c{one:02d}" for one in clinic],
        "month": month.tolist(),
        "after": after.tolist(),
    }
