"""Cost-effectiveness from draws: what an outcome costs more, and how sure that is.

Rows are draws (bootstrap replicates, or a probabilistic sensitivity analysis) of cost and effect in both arms. The ICER
is the ratio of the mean differences, never a mean of ratios; it says nothing where the mean effect is about zero or
negative, and then the net benefit does (Stinnett & Mullahy 1998, Med Decis Making 18:S68). The acceptability curve is
the share of draws with a positive net benefit (van Hout 1994, Health Econ 3:309); EVPI is the expected gain of knowing
which arm is best in every draw.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from careplane.errors import InputError
from careplane.estimators import Floats
from careplane.estimators._frame import Frame
from careplane.estimators._linear import finite
from careplane.estimators._spec import ALPHA, Info, Key, Result, Spec

_THRESHOLDS = (20_000.0, 50_000.0, 100_000.0, 150_000.0)
_GRID = 501


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(6)
    effect, cost = draws.normal(0.02, 0.01, 400), draws.normal(600, 250, 400)
    return {
        "qaly_usual": np.round(draws.normal(0.70, 0.02, 400), 5).tolist(),
        "qaly_app": np.round(draws.normal(0.70, 0.005, 400) + effect, 5).tolist(),
        "usd_usual": np.round(draws.normal(4_000, 200, 400), 2).tolist(),
        "usd_app": np.round(draws.normal(4_000, 50, 400) + cost, 2).tolist(),
    }


INFO = Info(
    name="icer",
    purpose="Incremental cost-effectiveness from draws of cost and effect in two arms: ICER, net benefit, CEAC, EVPI.",
    keys=(
        Key("effects", "columns", "draws of the effect: control, then intervention; more is better", needed=True),
        Key("costs", "columns", "draws of the cost: control, then intervention", needed=True),
        Key("thresholds", "numbers", "willingness to pay per unit of effect", default=_THRESHOLDS, least=0),
        Key("highest", "number", "where the search for the break-even threshold ends", 200_000, least=1),
        ALPHA,
    ),
    source="Stinnett & Mullahy 1998, Med Decis Making 18:S68; van Hout et al. 1994, Health Econ 3:309",
    example={
        "estimator": "icer",
        "effects": ["qaly_usual", "qaly_app"],
        "costs": ["usd_usual", "usd_app"],
        "thresholds": [20_000, 50_000],
    },
    made=_example,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The incremental cost-effectiveness ratio, intervention against control.

    Raises:
        InputError: not two columns of effects and of costs, or a column does not fit.
    """
    for name in ("effects", "costs"):
        if len(spec[name]) != 2 or len(set(spec[name])) != 2:
            raise InputError("must name two columns: control, then intervention", field=name)
    used = frame.complete((*spec["effects"], *spec["costs"]))
    e0, e1 = (finite(used, name) for name in spec["effects"])
    c0, c1 = (finite(used, name) for name in spec["costs"])
    if len(e0) < 2:
        raise InputError(f"hold {len(e0)} draw; an interval needs at least two", field=", ".join(spec["effects"]))
    effect, cost = e1 - e0, c1 - c0
    mean_effect, mean_cost = float(effect.mean()), float(cost.mean())
    told = {_name(k): _at(k, effect, cost, (e0, e1, c0, c1), spec["alpha"]) for k in spec["thresholds"]}
    settled = mean_effect > 0
    ends = np.quantile(cost / effect, [spec["alpha"] / 2, 1 - spec["alpha"] / 2]) if (effect > 0).all() else None
    return Result(
        method="ratio of mean differences over draws",
        n=len(effect),
        estimate=mean_cost / mean_effect if mean_effect else None,
        ci_low=None if ends is None else float(ends[0]),
        ci_high=None if ends is None else float(ends[1]),
        details={
            "effect_difference": mean_effect,
            "cost_difference": mean_cost,
            "quadrant": _quadrant(mean_effect, mean_cost),
            "thresholds": told,
            "draws": {"effect_sd": float(effect.std()), "cost_sd": float(cost.std())},
            "break_even": _break_even(mean_effect, mean_cost, spec["highest"]),
        },
        warnings=_warnings(effect, settled=settled),
        left_out=dict(used.left_out),
    )


def _name(threshold: float) -> str:
    return f"{threshold:g}"


def _at(
    k: float, effect: Floats, cost: Floats, arms: tuple[Floats, Floats, Floats, Floats], alpha: float
) -> dict[str, float]:
    """Net benefit, its interval over the draws, share of draws in favour, and EVPI at one threshold."""
    e0, e1, c0, c1 = arms
    gain = k * effect - cost
    benefit = np.column_stack([k * e0 - c0, k * e1 - c1])
    low, high = np.quantile(gain, [alpha / 2, 1 - alpha / 2])
    return {
        "net_benefit": float(gain.mean()),
        "net_benefit_low": float(low),
        "net_benefit_high": float(high),
        "acceptability": float((gain > 0).mean()),
        "evpi": float(benefit.max(axis=1).mean() - benefit.mean(axis=0).max()),
    }


def _break_even(effect: float, cost: float, highest: float) -> float | None:
    """The lowest threshold of a grid at which the intervention has the higher mean net benefit."""
    if effect <= 0:
        return None
    grid = np.linspace(0, highest, _GRID)
    chosen = grid[grid * effect - cost > 0]
    return float(chosen[0]) if len(chosen) else None


def _quadrant(effect: float, cost: float) -> str:
    if effect > 0:
        return "more effect, more cost" if cost > 0 else "dominant: more effect, less cost"
    return "dominated: less effect, more cost" if cost > 0 else "less effect, less cost"


def _warnings(effect: Floats, *, settled: bool) -> tuple[str, ...]:
    told = []
    if not settled:
        told.append("The mean effect is not above 0, so the ratio is no price of an effect; read the net benefit.")
    elif (effect <= 0).any():
        share = float((effect <= 0).mean())
        told.append(f"In {share:.1%} of the draws the effect is not above 0, so no interval of the ratio is given.")
    return tuple(told)
