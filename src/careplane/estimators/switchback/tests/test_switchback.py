"""Against statsmodels' clustered least squares on the same rows (1e-9), CR2 of clubSandwich's form, and simulation."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from careplane.errors import InputError, Refused
from careplane.estimators._cr2 import cr2
from careplane.estimators._frame import Column, Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.switchback import INFO, estimate


def run(columns: dict[str, Any], **keys: Any) -> Result:
    arrays: dict[str, Column] = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in columns.items()
    }
    frame = Frame(arrays, np.arange(2, len(next(iter(arrays.values()))) + 2), {})
    return estimate(frame, read_spec(INFO, {"outcome": "y", "treatment": "on", "time": "t"} | keys))


def made(blocks: int = 20, size: int = 8, effect: float = 1.0, seed: int = 1, lingers: float = 0.0) -> dict[str, Any]:
    draws = np.random.default_rng(seed)
    t = np.arange(blocks * size)
    block = t // size
    on = draws.permutation(np.arange(blocks) % 2)[block]
    felt = np.where(t % size == 0, lingers * np.r_[0, on[:-1]] + (1 - lingers) * on, on)
    y = draws.normal(0, 0.7, blocks)[block] + 0.5 * (t % size) + effect * felt + draws.normal(size=len(t))
    return {"y": y.tolist(), "t": t.tolist(), "on": on.tolist(), "b": block.tolist(), "pos": (t % size).tolist()}


def test_as_clustered_least_squares() -> None:
    table = made()
    found = run(table, block="b", washout=1, fixed_effects=["pos"])
    kept = np.array(table["pos"]) >= 1
    x = np.column_stack([np.ones(kept.sum()), np.array(table["on"])[kept]])
    x = np.column_stack([x, np.array(table["pos"])[kept][:, None] == np.arange(2, 8)]).astype(float)
    y, block = np.array(table["y"])[kept], np.array(table["b"])[kept]
    theirs = sm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": block})
    assert found.estimate == pytest.approx(theirs.params[1], rel=1e-9)
    ours = cr2(y, x, block, np.eye(x.shape[1])[1])
    assert (found.se, found.df) == pytest.approx((ours.se, ours.df), rel=1e-9)
    assert found.se == pytest.approx(theirs.bse[1], rel=0.1)
    assert (found.n, found.left_out) == (140, {"washout": 20})


def test_intervals_cover_and_the_washout_takes_what_lingers() -> None:
    """300 simulated programmes: coverage within three Monte Carlo errors of .95."""
    covered, bias = 0, []
    for seed in range(300):
        table = made(seed=seed, lingers=1.0)
        found = run(table, block="b", washout=1)
        covered += (found.ci_low or 0) <= 1.0 <= (found.ci_high or 0)
        bias.append(((run(table, block="b").estimate or 0) - 1.0, (found.estimate or 0) - 1.0))
    assert covered / 300 == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / 300) ** 0.5)
    plain, washed = np.mean(bias, axis=0)
    assert plain < -0.03
    assert abs(washed) < 0.07


def test_the_order_of_rows_does_not_matter() -> None:
    table = made()
    order = np.random.default_rng(3).permutation(160)
    mixed = {name: np.array(values)[order].tolist() for name, values in table.items()}
    one, other = run(table, block="b"), run(mixed, block="b")
    assert (one.estimate, one.se, one.df) == pytest.approx((other.estimate, other.se, other.df), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "keys", "error", "told"),
    [
        ({"on": [0.0] * 160}, {}, InputError, "is 0 in every row"),
        ({"on": [1.0] * 80 + [0.0] * 80}, {}, Refused, "1 blocks on and 1 off"),
        ({"on": [float(i % 2) for i in range(160)]}, {"block": "b"}, InputError, "changes within a block"),
        ({"b": [i // 8 % 2 for i in range(160)]}, {"block": "b"}, InputError, "block"),
        ({"t": [0.0] * 160}, {}, InputError, "line 3 repeats"),
        ({}, {"washout": 99, "block": "b"}, InputError, "leaves no row"),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], keys: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        run(made() | change, **keys)
