"""The exact test against scipy, brute force and its own definition."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import permutation_test  # type: ignore[attr-defined]

from careplane.errors import Refused
from careplane.estimators import ClusterData, by_cluster
from careplane.estimators.exact_permutation import allocate, of_clusters


def means(values: list[float], treated: list[int], strata: list[int] | None = None, seed: int = 0) -> ClusterData:
    """One row per cluster."""
    n = len(values)
    stratum = np.array(strata or [0] * n)
    return ClusterData(np.array(values, float), np.arange(n), np.array(treated), np.zeros(n), stratum, seed=seed)


def test_p_value_equals_scipy_permutation_test() -> None:
    values = list(np.random.default_rng(3).normal(size=10).round(3))
    treated = [1, 0, 0, 1, 1, 0, 1, 0, 0, 1]
    ours = of_clusters(means(values, treated))
    arms = [np.array([v for v, t in zip(values, treated, strict=True) if t == arm]) for arm in (1, 0)]
    theirs = permutation_test(
        arms, lambda a, b, axis: np.mean(a, axis) - np.mean(b, axis), n_resamples=np.inf, vectorized=True
    )
    assert ours.estimate == pytest.approx(theirs.statistic, rel=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-12)


def test_a_stratified_three_of_six_design_has_400_allocations() -> None:
    data = means(list(range(12)), [1, 0] * 6, [0] * 6 + [1] * 6)
    allocations = allocate(by_cluster(data), seed=0)
    assert allocations.shape == (400, 12)
    assert len(np.unique(allocations, axis=0)) == 400
    assert (allocations[:, :6].sum(axis=1) == 3).all()
    assert (allocations[0] == data.treated).all()


def test_interval_holds_exactly_what_the_test_does_not_reject() -> None:
    """Just inside a limit the shifted outcome is not rejected, just outside it is (brute force over allocations)."""
    rng = np.random.default_rng(8)
    treated = np.array([1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 1, 0])
    values = rng.normal(size=12) + 1.5 * treated
    strata = [0] * 6 + [1] * 6

    def p(effect: float) -> float:
        shifted = values - effect * treated
        shifted = shifted - np.repeat([shifted[:6].mean(), shifted[6:].mean()], 6)
        observed = abs(shifted[treated == 1].mean() - shifted[treated == 0].mean())
        halves = [list(combinations(range(s, s + 6), 3)) for s in (0, 6)]
        draws = [abs(2 * shifted[list(a + b)].mean()) for a in halves[0] for b in halves[1]]
        return float(np.mean(np.array(draws) >= observed - 1e-9))

    ours = of_clusters(means(list(values), list(treated), strata))
    assert ours.p_value == pytest.approx(p(0.0))
    for limit, outward in ((ours.ci_low, -1e-6), (ours.ci_high, 1e-6)):
        assert p(limit - outward) > 0.05
        assert p(limit + outward) <= 0.05


def test_an_interval_that_cannot_exist_is_refused() -> None:
    with pytest.raises(Refused, match="6 possible allocations"):
        of_clusters(means([1.0, 2.0, 3.0, 4.0], [1, 0, 1, 0]))


def test_more_allocations_than_can_be_listed_are_drawn_from_the_seed() -> None:
    rng = np.random.default_rng(5)
    data = means(list(rng.normal(size=24)), [1, 0] * 12, [0] * 24, seed=11)
    assert of_clusters(data) == of_clusters(data)
    assert "20,001 allocations" in of_clusters(data).method
