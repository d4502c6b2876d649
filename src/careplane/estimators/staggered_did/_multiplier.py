"""Standard errors of Callaway & Sant'Anna's averages by their multiplier bootstrap (2021, Algorithm 1).

Each draw gives every cluster's influence a random sign. The standard error is the interquartile range of the draws over
that of the normal distribution, as the R package did takes it: where few units carry an average it is larger than the
root of the summed squares. Where more than ``MANY`` clusters carry it both agree to three digits, and none is drawn.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from careplane.estimators import Floats, Ints

MANY = 2_000
_NORMAL = 1.3489795003921634  # interquartile range of the standard normal distribution
_CHUNK = 4_000_000
Cell = tuple[float, float]


def cell_influence(fitted: Any, units: int) -> Mapping[Cell, Floats]:
    """Each unit's part in each group-time effect, (units,), which sums to its error."""
    parts = getattr(getattr(fitted, "_aggregation_kit", None), "influence", None)
    found: dict[Cell, Floats] = {}
    if not isinstance(parts, Mapping):
        return found
    for (g, t), info in parts.items():
        every: Floats = np.zeros(units)
        every[info["treated_idx"]] += info["treated_inf"]
        every[info["control_idx"]] += info["control_inf"]
        found[float(g), float(t)] = every
    return found


def average_influence(
    cells: Mapping[Cell, Floats], effects: Mapping[Cell, float], cohort: Floats, chosen: list[Cell]
) -> Floats:
    """Each unit's part in the mean of cells weighted by cohort size, the estimation of the weights included."""
    n = len(cohort)
    share = np.array([float(np.mean(cohort == g)) for g, _ in chosen])
    values = np.array([effects[cell] for cell in chosen])
    total = share.sum()
    mean = float(share @ values) / total
    own = sum(w / total * cells[cell] for w, cell in zip(share, chosen, strict=True))
    weights = sum(
        ((cohort == g) - w) * (value - mean) / total for (g, _), w, value in zip(chosen, share, values, strict=True)
    )
    return np.asarray(own + weights / n)


def shape(influence: Floats, cluster: Ints, replications: int, seed: int) -> Floats:
    """By how much the standard error of each column is to be multiplied, (k,).

    Args:
        influence: parts of the units, (units, k).
        cluster: code of each unit's cluster, (units,); units of one share a sign.
        replications: draws.
        seed: of the draws.
    """
    parts = np.column_stack([np.bincount(cluster, weights=column) for column in influence.T])
    squares = (parts**2).sum(axis=0)
    carried = np.divide(squares**2, (parts**4).sum(axis=0), out=np.full(len(squares), np.inf), where=squares > 0)
    found = np.ones(len(squares))
    few = np.flatnonzero(carried < MANY)
    if not len(few):
        return found
    draws = np.random.default_rng(seed)
    rows = max(1, _CHUNK // len(parts))
    sums = [
        (2.0 * draws.integers(0, 2, (min(rows, replications - at), len(parts))) - 1) @ parts[:, few]
        for at in range(0, replications, rows)
    ]
    low, high = np.quantile(np.vstack(sums), [0.25, 0.75], axis=0)
    found[few] = (high - low) / _NORMAL / np.sqrt(squares[few])
    return found
