"""What the baseline says before a plan is locked: spread and clustering of the outcome, for the power statement."""

from collections.abc import Collection
from datetime import date
from pathlib import Path

import numpy as np

from careplane.estimators import Floats, Ints
from careplane.evidence.power import PowerInputs, baseline_inputs
from careplane.evidence.rows import extract
from careplane.evidence.run_tables import RunRecord
from careplane.evidence.windows import midnight
from careplane.measures import Measure
from careplane.records.planning import Spread

PERIOD_DAYS = 28


def baseline_power(
    home: Path,
    measure: Measure,
    units: Collection[str],
    first: date,
    end: date,
    horizon_days: int,
    utc_offset_minutes: int = 0,
) -> PowerInputs | None:
    """Power inputs from the loaded data.

    Args:
        home: home folder of the installation.
        measure: the primary measure.
        units: the clusters that will be randomised.
        first: first day of the baseline.
        end: the day after its last.
        horizon_days: length of the pilot.
        utc_offset_minutes: by which days begin.

    Returns:
        ``None`` when the baseline holds too little to say.
    """
    rows = extract(home, {measure.info.id: measure}, RunRecord()).rows[measure.info.id]
    inside = (rows.at >= midnight(first, utc_offset_minutes)) & (rows.at < midnight(end, utc_offset_minutes))
    keep = inside & ~np.isnan(rows.value) & np.isin(rows.cluster.astype(str), sorted(units))
    return baseline_inputs(rows.value[keep], rows.cluster[keep], horizon_days / max(1, (end - first).days))


def baseline_spread(
    home: Path, measure: Measure, units: Collection[str], until: date, utc_offset_minutes: int = 0
) -> tuple[Spread | None, int]:
    """What all loaded rows before a day say of the outcome, and of how many weeks there are rows.

    The cluster autocorrelation is the covariance of cluster means of different periods of four weeks over their
    variance between clusters within a period, each mean first taken from its period's.

    Returns:
        ``None`` in place of the spread when fewer than two units have rows, or nothing varies.
    """
    rows = extract(home, {measure.info.id: measure}, RunRecord()).rows[measure.info.id]
    keep = (rows.at < midnight(until, utc_offset_minutes)) & ~np.isnan(rows.value)
    keep &= np.isin(rows.cluster.astype(str), sorted(units))
    at, value, cluster = rows.at[keep], rows.value[keep], rows.cluster[keep]
    if not len(at):
        return None, 0
    weeks = max(1, round((midnight(until, utc_offset_minutes) - int(at.min())) / (7 * 86400)))
    found = baseline_inputs(value, cluster, 1.0)
    if found is None:
        return None, weeks
    _, code, sizes = np.unique(cluster.astype(str), return_inverse=True, return_counts=True)
    period = (midnight(until, utc_offset_minutes) - 1 - at) // (PERIOD_DAYS * 86400)
    spread = Spread(
        sd=found.sd,
        icc=min(found.icc, 0.999),
        per_week=float(sizes.mean()) / weeks,
        cac=autocorrelation(value, code.astype(np.int64), period, found.icc * found.sd**2),
        size_cv=float(sizes.std() / sizes.mean()),
        source=f"{len(value):,} rows of {weeks} weeks before {until}",
    )
    return spread, weeks


def autocorrelation(value: Floats, cluster: Ints, period: Ints, between: float) -> float:
    """Cluster autocorrelation from period to period, from 0 to 1; 1 where there are no two periods to compare.

    Args:
        value: outcomes, shape (n,).
        cluster: code of each row's cluster, from 0.
        period: number of each row's period.
        between: variance between clusters within a period.
    """
    means = [_cluster_means(value[period == one], cluster[period == one], int(cluster.max()) + 1)
             for one in np.unique(period)]  # fmt: skip
    products = []
    for number, first in enumerate(means):
        for second in means[number + 1 :]:
            both = ~np.isnan(first) & ~np.isnan(second)
            if both.sum() > 2:
                products.append(float(np.cov(first[both], second[both])[0, 1]))
    if not products or between <= 0:
        return 1.0
    return float(np.clip(np.mean(products) / between, 0.0, 1.0))


def _cluster_means(value: Floats, cluster: Ints, count: int) -> Floats:
    size = np.bincount(cluster, minlength=count)
    sums = np.bincount(cluster, weights=value, minlength=count)
    return np.where(size > 0, sums / np.maximum(size, 1), np.nan)
