"""Exact randomisation inference for a stratified cluster-randomised trial.

The statistic is the difference between the arms of the cluster means, adjusted for strata and baseline (Gail et al.
1996, Stat Med 15:1069), in units of its standard error up to a constant: the partial correlation of outcome and arm, so
that an allocation unbalanced at baseline weighs no more than another. The reference set is every allocation that the
randomisation could have drawn; above ``MAX_ALLOCATIONS`` a seeded draw of them, the observed one included. The interval
holds every constant effect that the test does not reject (test inversion). The estimand is the average over clusters.
"""

from dataclasses import dataclass
from itertools import combinations, product
from math import comb, floor, nan, prod

import msgspec
import numpy as np
from numpy.typing import NDArray

from careplane.errors import InputError, Refused
from careplane.estimators import ClusterData, Clusters, Estimate, Floats, by_cluster, covariates
from careplane.estimators._clusters import CLUSTER_KEYS, answer, cluster_data, example_table
from careplane.estimators._frame import Frame
from careplane.estimators._spec import Info, Key, Result, Spec

MAX_ALLOCATIONS = 20_000
Allocations = NDArray[np.float64]
_TIE = 1e-10


@dataclass(frozen=True, slots=True)
class Statistics:
    """Per allocation ``w``: the statistic of the outcome and of the observed arm, so that under the hypothesis of a
    constant effect ``d`` it is ``outcome - d * arm``; first entry: the allocation that was drawn."""

    outcome: Floats
    arm: Floats


INFO = Info(
    name="exact_permutation",
    purpose="Two randomised arms of few clusters: an exact test, the average over clusters.",
    keys=(*CLUSTER_KEYS, Key("seed", "integer", "seed of the draw, where there are too many allocations", default=0)),
    source="Gail et al. 1996, Stat Med 15:1069",
    example={"estimator": "exact_permutation", "outcome": "hours", "treatment": "arm", "cluster": "clinic"},
    made=example_table,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The adjusted difference of cluster means from a table.

    Raises:
        InputError, Refused: as :func:`of_clusters`; or a column does not fit.
    """
    data, used = cluster_data(frame, spec, spec["seed"])
    observed, clusters = _observed(data)
    try:
        return answer(_estimate(data, observed, clusters, invert(observed, data.alpha)), used)
    except Refused as refused:
        found = answer(_estimate(data, observed, clusters, (nan, nan)), used)
        least = 2 / len(observed.outcome) if np.isclose(np.abs(observed.arm), np.abs(observed.arm[0])).sum() > 1 else 1
        least = least if least < 1 else 1 / len(observed.outcome)
        told = f"{refused.reasons[0]} The smallest p-value that can be is {least:.3g}. {refused.way_out}"
        return msgspec.structs.replace(found, ci_low=None, ci_high=None, warnings=(told,))


def of_clusters(data: ClusterData) -> Estimate:
    """The adjusted difference of cluster means, its exact p-value and interval.

    Raises:
        Refused: so few allocations were possible that no interval exists at this level.
    """
    observed, clusters = _observed(data)
    return _estimate(data, observed, clusters, invert(observed, data.alpha))


def _observed(data: ClusterData) -> tuple[Statistics, Clusters]:
    """The statistic of every allocation.

    Raises:
        InputError: the arm cannot be told apart from the strata and the baseline.
    """
    clusters = by_cluster(data)
    observed = statistics(clusters, allocate(clusters, data.seed))
    if abs(float(observed.arm[0])) < _TIE:
        raise InputError("cannot be told apart from the strata and the baseline", field="treatment")
    return observed, clusters


def _estimate(data: ClusterData, observed: Statistics, clusters: Clusters, limits: tuple[float, float]) -> Estimate:
    effect = float(observed.outcome[0] / observed.arm[0])
    low, high = limits
    return Estimate(
        estimate=effect,
        ci_low=low,
        ci_high=high,
        p_value=p_value(observed),
        n=len(data.y),
        clusters=len(clusters),
        method=f"exact randomisation test, {len(observed.outcome):,} allocations",
    )


def allocate(clusters: Clusters, seed: int) -> Allocations:
    """Allocations of the stratified design, (k, clusters), 1 for intervention; the observed one is the first row."""
    groups = [np.flatnonzero(clusters.strata == stratum) for stratum in np.unique(clusters.strata)]
    sizes = [int(clusters.treated[group].sum()) for group in groups]
    if prod(comb(len(g), k) for g, k in zip(groups, sizes, strict=True)) <= MAX_ALLOCATIONS:
        return _every(clusters, groups, sizes)
    return _drawn(clusters, groups, np.random.default_rng(seed))


def _every(clusters: Clusters, groups: list[NDArray[np.intp]], sizes: list[int]) -> Allocations:
    observed = tuple(np.flatnonzero(clusters.treated))
    ways = (combinations(group, size) for group, size in zip(groups, sizes, strict=True))
    rows = [observed]
    rows += [chosen for parts in product(*ways) if (chosen := tuple(sorted(sum(parts, ())))) != observed]
    allocations = np.zeros((len(rows), len(clusters)))
    for row, chosen in enumerate(rows):
        allocations[row, list(chosen)] = 1.0
    return allocations


def _drawn(clusters: Clusters, groups: list[NDArray[np.intp]], rng: np.random.Generator) -> Allocations:
    allocations = np.tile(clusters.treated.astype(np.float64), (MAX_ALLOCATIONS + 1, 1))
    for group in groups:
        allocations[1:, group] = rng.permuted(allocations[1:, group], axis=1)
    return allocations


def statistics(clusters: Clusters, allocations: Allocations) -> Statistics:
    """The statistic of every allocation, for the outcome and for the observed arm."""
    x = covariates(clusters.strata, clusters.baseline)
    arms = allocations - allocations @ x @ np.linalg.pinv(x)
    length = np.linalg.norm(arms, axis=1)
    arms /= np.where(length > _TIE, length, np.inf)[:, None]
    return Statistics(outcome=arms @ clusters.mean, arm=arms @ clusters.treated)


def p_value(observed: Statistics) -> float:
    """Share of allocations whose statistic is at least as far from zero as the observed one (ties count)."""
    far = np.abs(observed.outcome)
    return float(np.mean(far >= far[0] - _TIE * max(1.0, float(far.max()))))


def invert(observed: Statistics, alpha: float) -> tuple[float, float]:
    """The interval of constant effects that the test does not reject at ``alpha``.

    An allocation supports the effects between the two roots of ``|outcome - d arm| = |outcome_0 - d arm_0|``, which lie
    on either side of the estimate because ``|arm| <= |arm_0|``; at equality (the observed allocation and its mirror
    image) it supports every effect.

    Raises:
        Refused: no effect, however large, could be rejected.
    """
    t, s = observed.outcome, observed.arm
    bounded = np.abs(s) < np.abs(s[0]) * (1 - _TIE)
    low, high = np.full_like(t, -np.inf), np.full_like(t, np.inf)
    roots = np.array(
        [
            (t[bounded] - t[0]) / (s[bounded] - s[0]),
            (t[bounded] + t[0]) / (s[bounded] + s[0]),
        ]
    )
    low[bounded], high[bounded] = roots.min(axis=0), roots.max(axis=0)
    needed = floor(alpha * len(t) + _TIE)
    limits = float(np.sort(low)[needed]), float(np.sort(high)[-1 - needed])
    if not np.isfinite(limits).all():
        raise Refused(
            [f"With {len(t)} possible allocations no {1 - alpha:.0%} interval exists."],
            "Randomise more clusters, or fewer strata.",
        )
    return limits
