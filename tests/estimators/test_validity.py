"""Coverage and type I error on simulated trials with known truth: 12 clusters in two strata of six, half treated."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
from scipy.special import stdtrit

from careplane._shelf import load
from careplane.estimators import ClusterData, Floats

REPLICATES = 500
STRATA = np.repeat([0, 1], 6)


@dataclass(frozen=True)
class World:
    """A truth to simulate. ``effect`` is added to the mean of treated rows (to the risk, for ``binary``)."""

    outcome: Literal["normal", "binary", "skewed"]
    icc: float
    effect: float
    size_cv: float = 0.7
    size: int = 50


WORLDS = [
    World("normal", 0.02, 0.0),
    World("normal", 0.05, 0.4),
    World("binary", 0.02, 0.0),
    World("binary", 0.05, -0.05),
    World("skewed", 0.05, 0.0),
]


def simulate(world: World, rng: np.random.Generator) -> ClusterData:
    """One trial; cluster sizes vary, and a noisy baseline mean of each cluster is known."""
    sizes = np.maximum(5, rng.gamma(1 / world.size_cv**2, world.size * world.size_cv**2, 12)).astype(int)
    treated = np.concatenate([rng.permutation([0, 0, 0, 1, 1, 1]) for _ in range(2)])
    level = rng.normal(0, 1, 12)
    code = np.repeat(np.arange(12), sizes)
    y = _outcome(world, level[code], rng) if world.outcome != "binary" else _binary(world, level, treated, code, rng)
    if world.outcome != "binary":
        y = y + world.effect * treated[code]
    baseline = level + rng.normal(0, 0.7, 12)
    return ClusterData(y, code, treated[code], baseline[code], STRATA[code], seed=1)


def _outcome(world: World, level: Floats, rng: np.random.Generator) -> Floats:
    noise = rng.normal(size=len(level)) if world.outcome == "normal" else rng.exponential(size=len(level)) - 1
    return np.asarray(np.sqrt(world.icc) * level + np.sqrt(1 - world.icc) * noise)


def _binary(world: World, level: Floats, treated: np.ndarray, code: np.ndarray, rng: np.random.Generator) -> Floats:
    risk = np.clip(0.2 + np.sqrt(world.icc * 0.16) * level + world.effect * treated, 0.01, 0.99)
    return np.asarray(rng.random(len(code)) < risk[code], dtype=np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cluster_itt", "exact_permutation"])
@pytest.mark.parametrize("world", WORLDS, ids=lambda w: f"{w.outcome}-icc{w.icc}-effect{w.effect}")
def test_intervals_cover_the_truth(world: World, name: str) -> None:
    """Coverage within three Monte Carlo standard errors below .95; the mean estimate unbiased within three."""
    estimate = load("estimators", name).of_clusters
    rng = np.random.default_rng(20260302)
    found = [estimate(simulate(world, rng)) for _ in range(REPLICATES)]
    covered = np.mean([one.ci_low <= world.effect <= one.ci_high for one in found])
    estimates = np.array([one.estimate for one in found])
    error = estimates.std(ddof=1) / np.sqrt(REPLICATES)
    print(f"{name:18} {world.outcome:7} icc {world.icc} effect {world.effect:+}: coverage {covered:.3f}")
    assert covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / REPLICATES)
    assert covered <= 0.995
    assert abs(estimates.mean() - world.effect) < 3 * error + 0.002


@pytest.mark.slow
def test_a_naive_interval_fails_the_same_trial() -> None:
    """The check has teeth: an interval that ignores clusters covers far less than it says."""
    rng = np.random.default_rng(20260302)
    hits = []
    for _ in range(200):
        data = simulate(World("normal", 0.05, 0.0), rng)
        a, b = data.y[data.treated == 1], data.y[data.treated == 0]
        se = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        hits.append(abs(a.mean() - b.mean()) < stdtrit(len(data.y), 0.975) * se)
    assert np.mean(hits) < 0.85
