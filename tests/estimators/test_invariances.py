"""What must not change an estimate, for every estimator on the shelf."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane._shelf import items, load
from careplane.errors import InputError
from careplane.estimators import ClusterData, Estimate, Estimator

ESTIMATORS: list[Estimator] = [
    module.of_clusters for name in items("estimators") if hasattr(module := load("estimators", name), "of_clusters")
]


def trial(seed: int) -> ClusterData:
    """Twelve clusters in two strata, sizes 3 to 9."""
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(12), rng.integers(3, 10, 12))
    arm, base = np.array([1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1]), rng.normal(size=12)
    y = rng.exponential(2, len(code)) + base[code] + 0.5 * arm[code]
    return ClusterData(y, code, arm[code], base[code], (np.arange(12) // 6)[code])


def numbers(estimate: Estimate) -> tuple[float, ...]:
    return (estimate.estimate, estimate.ci_low, estimate.ci_high, estimate.p_value)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_row_order_and_cluster_labels_do_not_matter(estimator: Estimator, seed: int) -> None:
    data = trial(seed)
    rng = np.random.default_rng(seed)
    order, labels = rng.permutation(len(data.y)), rng.permutation(100)[:12]
    moved = ClusterData(
        data.y[order], labels[data.cluster][order], data.treated[order], data.baseline[order], data.strata[order]
    )
    assert numbers(estimator(moved)) == pytest.approx(numbers(estimator(data)), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_scale_carries_through_and_shift_drops_out(estimator: Estimator, seed: int, scale: float, shift: float) -> None:
    data = trial(seed)
    before, after = estimator(data), estimator(replace(data, y=data.y * scale + shift))
    expected = (before.estimate * scale, before.ci_low * scale, before.ci_high * scale, before.p_value)
    assert numbers(after) == pytest.approx(expected, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_swapping_the_arms_turns_the_sign(estimator: Estimator) -> None:
    data = trial(3)
    one, other = estimator(data), estimator(replace(data, treated=1 - data.treated))
    assert (other.estimate, other.ci_low, other.ci_high) == pytest.approx(
        (-one.estimate, -one.ci_high, -one.ci_low), rel=1e-8
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": np.r_[np.nan, trial(1).y[1:]]}, "missing rows"),
        ({"treated": np.zeros_like(trial(1).treated)}, "both arms"),
        ({"y": trial(1).y[1:]}, "one length"),
    ],
)
def test_data_that_are_no_trial_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(trial(1), **change)
