"""A confidence sequence: an interval that holds at every look, however often one looks and whenever one stops.

For means: the normal mixture boundary of Robbins (1970) and Howard et al. (2021, Ann Stat 49:1055), applied to the
studentised sum, which is valid asymptotically (Waudby-Smith et al. 2024, Ann Stat 52:2613). For an event: the
beta-binomial mixture, exact for 0/1 data. With a treatment, the difference of two means by inverse-probability scores.
"""

from collections.abc import Mapping, Sequence
from math import inf, log, log1p, sqrt
from typing import Any

import numpy as np
from scipy.special import betaln

from careplane.estimators import Floats
from careplane.estimators._boundaries import ROOT, best_rho, normal_mixture_bound
from careplane.estimators._frame import Frame, varies
from careplane.estimators._linear import finite
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec

_FEW, _EACH = 20, 10
_EDGE = 1e-9


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(9)
    arm = draws.integers(0, 2, 300)
    return {"seconds": np.round(draws.normal(60 - 5 * arm, 20), 1).tolist(), "arm": arm.tolist()}


INFO = Info(
    name="confidence_sequence",
    purpose="An interval that may be looked at after every row: for a mean, an event, or the difference of two arms.",
    keys=(
        Key("outcome", "column", "the outcome in the order in which rows came", needed=True),
        Key("treatment", "column", "1 in the intervention arm, 0 in the other; without it: one mean"),
        Key("kind", "choice", "what the outcome is", "mean", choices=("mean", "event")),
        Key("best_at", "integer", "rows after which the interval is to be narrowest", default=100, least=2),
        Key("null", "number", "the value that is tested", default=0.0),
        ALPHA,
    ),
    source="Howard, Ramdas, McAuliffe & Sekhon 2021, Ann Stat 49:1055; Waudby-Smith et al. 2024, Ann Stat 52:2613",
    example={"estimator": "confidence_sequence", "outcome": "seconds", "treatment": "arm", "best_at": 200},
    made=_example,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The interval after the last row, and after which row the null value first fell outside.

    Raises:
        InputError: a column does not fit, or the outcome of kind ``event`` is not 0/1.
    """
    used = frame.complete([spec["outcome"], *([spec["treatment"]] if "treatment" in spec else [])])
    if spec["kind"] == "event" and "treatment" not in spec:
        return _event(used, spec)
    scores = _scores(used, spec)
    count = np.arange(1, len(scores) + 1)
    mean = np.cumsum(scores) / count
    variance = np.maximum(np.cumsum(scores**2) / count - mean**2, 0.0)
    rho = best_rho(spec["best_at"], spec["alpha"])
    half = normal_mixture_bound(count.astype(np.float64), spec["alpha"], rho) * np.sqrt(variance) / count
    half[: _settled(used, spec)] = inf
    low, high = np.maximum.accumulate(mean - half), np.minimum.accumulate(mean + half)
    drifted = bool(low[-1] > high[-1])
    out = np.flatnonzero((low > spec["null"]) | (high < spec["null"]))
    ends = (mean[-1] - half[-1], mean[-1] + half[-1]) if drifted else (low[-1], high[-1])
    return Result(
        method="asymptotic confidence sequence, normal mixture",
        n=len(scores),
        estimate=float(mean[-1]),
        se=float(sqrt(variance[-1] / len(scores))),
        ci_low=_told(ends[0]),
        ci_high=_told(ends[1]),
        details={
            "crossed_at_row": int(out[0]) + 1 if len(out) else None,
            "rho": rho,
            "share_treated": _share(used, spec),
        },
        warnings=_warnings(len(scores), drifted=drifted, unsettled=not np.isfinite(half[-1])),
        assumptions=(
            Assumption(name="rows are in the order in which they came", held=None, text="Nothing is sorted."),
        ),
        left_out=dict(used.left_out),
    )


def _settled(used: Frame, spec: Spec) -> int:
    """Rows before the first interval: twenty, and of an outcome with two values ten of each."""
    y = used.numbers(spec["outcome"]) if spec["kind"] == "mean" else used.binary(spec["outcome"])
    lesser = y.min()
    if not np.isin(y, (lesser, y.max())).all():
        return _FEW
    seen = np.minimum(np.cumsum(y == lesser), np.cumsum(y != lesser))
    enough = np.flatnonzero(seen >= _EACH)
    return max(_FEW, int(enough[0]) if len(enough) else len(y))


def _warnings(rows: int, *, drifted: bool, unsettled: bool) -> tuple[str, ...]:
    told = []
    if rows < _FEW:
        told.append(f"The first {_FEW} rows give no interval; there are {rows}.")
    if unsettled and rows >= _FEW:
        told.append(f"Of an event the interval begins with {_EACH} rows of each kind; they have not come yet.")
    if drifted:
        told.append("Intervals of different times do not overlap, so the mean has moved; the last one alone is given.")
    return tuple(told)


def _told(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _share(used: Frame, spec: Spec) -> float | None:
    return float(used.binary(spec["treatment"]).mean()) if "treatment" in spec else None


def _scores(used: Frame, spec: Spec) -> Floats:
    """The outcome, or the score of each row whose mean is the difference of the arms."""
    y = used.binary(spec["outcome"]) if spec["kind"] == "event" else finite(used, spec["outcome"])
    if "treatment" not in spec:
        varies(y, spec["outcome"])
        return y
    arm = used.binary(spec["treatment"])
    varies(arm, spec["treatment"])
    share = arm.mean()
    centred = y - y.mean()
    return np.asarray(centred * (arm / share - (1 - arm) / (1 - share)))


def _event(used: Frame, spec: Spec) -> Result:
    event = used.binary(spec["outcome"])
    total = int(event.sum())
    low, high = bernoulli_sequence(total, len(event), spec["alpha"], spec["best_at"])
    return Result(
        method="confidence sequence of an event, beta-binomial mixture",
        n=len(event),
        estimate=total / len(event),
        ci_low=low,
        ci_high=high,
        details={"events": total},
        left_out=dict(used.left_out),
    )


def bernoulli_sequence(events: int, n: int, alpha: float, best_at: int) -> tuple[float, float]:
    """The beta-binomial confidence sequence of a proportion (Howard et al. 2021, Proposition 7): the shares that the
    mixture does not reject."""
    seen = events / n

    def excess(share: float) -> float:
        v = share * (1 - share)
        r = max(best_rho(best_at * v, alpha) - v, 1e-3 * v)
        mixed = betaln(r / (1 - share) + events, r / share + n - events) - betaln(r / (1 - share), r / share)
        return float(mixed) - events * log(share) - (n - events) * log1p(-share) + log(alpha)

    low = ROOT(excess, _EDGE, max(seen - _EDGE, 2 * _EDGE), xtol=1e-13) if events and excess(_EDGE) > 0 else 0.0
    high = ROOT(excess, min(seen + _EDGE, 1 - 2 * _EDGE), 1 - _EDGE, xtol=1e-13) if events < n else 1.0
    return float(low), float(high)
