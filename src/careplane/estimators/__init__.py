"""The shelf of estimators: pure functions from data to an effect with its uncertainty.

An item is a folder with ``INFO``, which says what it is and which keys it takes, and ``estimate(frame, spec)`` that
gives a ``Result`` (:mod:`careplane.estimators._spec`). One that a plan with randomised clusters calls has
``of_clusters(data: ClusterData) -> Estimate`` beside. No item ships without an outside reference and a stated tolerance
in its own ``tests/``. Nothing here reads files, the clock or the environment.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from careplane.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ClusterData:
    """Outcomes of a cluster-randomised comparison, one row per unit of analysis.

    Attributes:
        y: outcome, shape (n,), in the measure's unit; no missing values.
        cluster: cluster code of each row, shape (n,), any integers.
        treated: 1 where the row's cluster is in the intervention arm, else 0, shape (n,); constant within a cluster.
        baseline: cluster-level baseline covariate of each row, shape (n,); constant within a cluster.
        strata: stratum code of the randomisation, shape (n,); constant within a cluster.
        alpha: two-sided error of the interval.
        seed: seed of whatever an estimator draws.
    """

    y: Floats
    cluster: Ints
    treated: Ints
    baseline: Floats
    strata: Ints
    alpha: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        lengths = {a.shape for a in (self.y, self.cluster, self.treated, self.baseline, self.strata)}
        if len(lengths) != 1 or self.y.ndim != 1:
            raise InputError("outcome, cluster, treated, baseline and strata must be vectors of one length")
        if not (np.isfinite(self.y).all() and np.isfinite(self.baseline).all()):
            raise InputError("outcomes and baseline must be finite; leave missing rows out and report them")
        if not np.isin(self.treated, (0, 1)).all() or len(np.unique(self.treated)) < 2:
            raise InputError("both arms are needed, coded 0 and 1", field="treated")
        if not 0 < self.alpha < 1:
            raise InputError("must lie between 0 and 1", field="alpha")


@dataclass(frozen=True, slots=True)
class Clusters:
    """The same data, one row per cluster, in the order of the cluster codes: mean outcome and size of each."""

    mean: Floats
    size: Ints
    treated: Ints
    baseline: Floats
    strata: Ints

    def __len__(self) -> int:
        return len(self.size)


def by_cluster(data: ClusterData) -> Clusters:
    """Collapse to cluster means.

    Raises:
        InputError: arm, stratum or baseline varies within a cluster.
    """
    _, first, code = np.unique(data.cluster, return_index=True, return_inverse=True)
    for name in ("treated", "baseline", "strata"):
        values = getattr(data, name)
        if (values != values[first][code]).any():
            raise InputError("must be the same for all rows of a cluster", field=name)
    size = np.bincount(code).astype(np.int64)
    return Clusters(
        mean=np.bincount(code, weights=data.y) / size,
        size=size,
        treated=data.treated[first].astype(np.int64),
        baseline=data.baseline[first],
        strata=data.strata[first],
    )


def covariates(strata: Ints, baseline: Floats) -> Floats:
    """Intercept, one indicator per stratum but the first, and the centred baseline unless it is constant; (n, p)."""
    levels = np.unique(strata)[1:]
    columns = [np.ones(len(strata)), *((strata == level).astype(np.float64) for level in levels)]
    centred = baseline - baseline.mean()
    if np.ptp(centred) > 1e-12 * max(1.0, float(np.abs(baseline).max())):
        columns.append(centred)
    return np.column_stack(columns)


@dataclass(frozen=True, slots=True)
class Estimate:
    """An effect, intervention minus control, with its interval at level ``1 - alpha``.

    ``se`` and ``df`` are ``None`` for a method that has none (exact). ``n`` rows, ``clusters`` clusters.
    """

    estimate: float
    ci_low: float
    ci_high: float
    p_value: float
    n: int
    clusters: int
    method: str
    se: float | None = None
    df: float | None = None


Estimator = Callable[[ClusterData], Estimate]
"""What an item's ``of_clusters`` is.

Raises:
    InputError: the data do not fit the design.
    Refused: the method would not be valid here; says what would be.
"""

__all__ = ["ClusterData", "Clusters", "Estimate", "Estimator", "by_cluster", "covariates"]
