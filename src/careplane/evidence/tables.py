"""The tables that estimators take, cut out of a trial: rows, unit means, cells of unit and period, and one series.

Units are numbers here, so that no message of an estimator names a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

import numpy as np

from careplane.errors import Refused
from careplane.estimators import Ints
from careplane.estimators._frame import Column
from careplane.evidence.trial import DAY, Mask, Trial
from careplane.evidence.windows import epoch

Columns = Mapping[str, Column]
WEEK = 7


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of one length; ``rows`` of the measure stand behind them, ``left_out`` are not, by reason."""

    columns: Columns
    rows: int
    units: int
    left_out: Mapping[str, int]

    def has(self, name: str) -> bool:
        """Whether there is such a column and it varies."""
        column = self.columns.get(name)
        return column is not None and len(set(column.tolist())) > 1


def rows_table(trial: Trial) -> Table:
    """The measured rows of the pilot: ``y``, ``arm``, ``unit``, ``stratum``, ``before`` (of the unit), ``weight``."""
    keep = trial.usable
    unit = trial.unit[keep]
    columns = {
        "y": trial.value[keep],
        "arm": trial.treated[keep].astype(np.float64),
        "unit": unit.astype(np.float64),
        "stratum": _texts(trial.strata[unit]),
        "before": trial.baseline[unit],
        "weight": trial.weight[keep],
    }
    return Table(columns, int(keep.sum()), len(np.unique(unit)), _unmeasured(trial, trial.pilot))


def units_table(trial: Trial) -> Table:
    """The mean of each unit in the pilot; columns as in :func:`rows_table`, and ``rows`` behind each mean."""
    keep = trial.usable
    codes, first, inverse, size = np.unique(
        trial.unit[keep], return_index=True, return_inverse=True, return_counts=True
    )
    weight = np.bincount(inverse, weights=trial.weight[keep])
    columns = {
        "y": np.bincount(inverse, weights=trial.value[keep] * trial.weight[keep]) / weight,
        "arm": trial.treated[keep][first].astype(np.float64),
        "unit": codes.astype(np.float64),
        "stratum": _texts(trial.strata[codes]),
        "before": trial.baseline[codes],
        "rows": size.astype(np.float64),
    }
    return Table(columns, int(keep.sum()), len(codes), _unmeasured(trial, trial.pilot))


def cells_table(trial: Trial, period: Ints, inside: Mask, *, whole: bool = False) -> Table:
    """The mean of each unit in each period: ``y``, ``arm`` (1 from the period of the start on), ``unit``, ``period``,
    ``first`` (period of the unit's start, 0 for never), ``rows``.

    Args:
        trial: the rows.
        period: of each row.
        inside: rows whose period counts.
        whole: leave out units that have no row in some period.
    """
    left_out = dict(_unmeasured(trial, inside)) | _count("outside whole periods", ~inside & trial.measured)
    keep = inside & trial.measured
    if not keep.any():
        raise Refused(["No row lies in a whole period of the plan."], "Load the data of its baseline and pilot.")
    if whole:
        table = np.zeros((len(trial.units), int(period[keep].max()) + 1), dtype=np.int64)
        np.add.at(table, (trial.unit[keep], period[keep]), 1)
        holes = (table[:, table.any(axis=0)] == 0).any(axis=1)
        left_out |= _count("of a unit without rows in some period", keep & holes[trial.unit])
        keep &= ~holes[trial.unit]
    pair = np.column_stack([trial.unit[keep], period[keep]])
    if not len(pair):
        raise Refused(["No unit has rows in each period."], "Use longer periods, or imputation.")
    cells, inverse, size = np.unique(pair, axis=0, return_inverse=True, return_counts=True)
    inverse = inverse.ravel()
    weight = np.bincount(inverse, weights=trial.weight[keep])
    on = np.bincount(inverse, weights=trial.treated[keep] * trial.weight[keep]) / weight
    first = _first(trial, period, keep)
    columns = {
        "y": np.bincount(inverse, weights=trial.value[keep] * trial.weight[keep]) / weight,
        "arm": (on >= 0.5).astype(np.float64),
        "unit": cells[:, 0].astype(np.float64),
        "period": cells[:, 1].astype(np.float64),
        "first": first[cells[:, 0]].astype(np.float64),
        "rows": size.astype(np.float64),
    }
    return Table(columns, int(keep.sum()), len(np.unique(cells[:, 0])), left_out)


def _first(trial: Trial, period: Ints, keep: Mask) -> Ints:
    """The first period with exposure of each unit, 0 for never."""
    first = np.zeros(len(trial.units), dtype=np.int64)
    on = keep & (trial.treated == 1)
    big = np.full(len(trial.units), np.iinfo(np.int64).max)
    np.minimum.at(big, trial.unit[on], period[on])
    seen = np.isin(np.arange(len(trial.units)), trial.unit[on])
    first[seen] = big[seen]
    return first


def series_table(trial: Trial, period: Ints, inside: Mask, *, control: bool) -> Table:
    """The mean of each period over the units that are ever exposed (``control`` 0) and, if asked, over the others (1):
    ``y``, ``period``, ``after``, ``control``."""
    ever = trial.ever[trial.unit] == 1
    keep = inside & trial.measured & (ever | control)
    starts = np.unique(trial.starts[np.isfinite(trial.starts)])
    if len(starts) != 1:
        raise Refused([f"{len(starts)} days of a start do not make one series."], "Use staggered_did.")
    left_out = dict(_unmeasured(trial, inside)) | _count("outside whole periods", ~inside & trial.measured)
    if not control:
        left_out |= _count("of a unit that never starts", inside & trial.measured & ~ever)
    pair = np.column_stack([(~ever[keep]).astype(np.int64), period[keep]])
    cells, inverse = np.unique(pair, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    weight = np.bincount(inverse, weights=trial.weight[keep])
    begins = int(period[keep & (trial.treated == 1)].min()) if (keep & (trial.treated == 1)).any() else 0
    columns = {
        "y": np.bincount(inverse, weights=trial.value[keep] * trial.weight[keep]) / weight,
        "period": cells[:, 1].astype(np.float64),
        "after": (cells[:, 1] >= begins).astype(np.float64),
        "control": cells[:, 0].astype(np.float64),
    }
    return Table(columns, int(keep.sum()), len(np.unique(trial.unit[keep])), left_out)


def switch_table(trial: Trial) -> Table:
    """The mean of each unit in each period of a switchback: ``y``, ``arm``, ``cell``, ``pair`` (two periods of a unit,
    one of each arm)."""
    switching = trial.plan.switching
    if switching is None:
        raise Refused(["The plan says no switching."], "Amend the plan: a switchback needs periods.")
    keep = trial.usable
    period = (trial.at - epoch(trial.plan, trial.plan.start)) // (DAY * switching.period_days)
    most = int(period[keep].max()) + 2 if keep.any() else 2
    cell = trial.unit * most + period
    codes, first, inverse = np.unique(cell[keep], return_index=True, return_inverse=True)
    weight = np.bincount(inverse, weights=trial.weight[keep])
    pair = (trial.unit * most + period // 2)[keep][first]
    arm = trial.treated[keep][first].astype(np.float64)
    both = np.array([len(set(arm[pair == one].tolist())) == 2 for one in pair], dtype=np.bool_)
    columns = {
        "y": (np.bincount(inverse, weights=trial.value[keep] * trial.weight[keep]) / weight)[both],
        "arm": arm[both],
        "cell": codes[both].astype(np.float64),
        "pair": _texts(pair[both]),
        "pair_number": pair[both].astype(np.float64),
    }
    rows = int(np.isin(cell[keep], codes[both]).sum())
    left_out = dict(_unmeasured(trial, trial.pilot)) | _count(
        "of half a pair of periods", keep & ~np.isin(cell, codes[both])
    )
    return Table(columns, rows, len(np.unique(pair[both])), left_out)


def steps(trial: Trial) -> tuple[Ints, Mask]:
    """Periods bounded by the days on which units begin; 1 is before the first. All rows lie inside."""
    starts = np.unique(trial.starts[np.isfinite(trial.starts)])
    period = (np.searchsorted(starts, trial.at, side="right") + 1).astype(np.int64)
    return period, np.ones(len(trial), dtype=np.bool_)


def periods(trial: Trial, days: int | None = None) -> tuple[Ints, Mask]:
    """Periods of equal length from the first start backwards and forwards, from 1; rows in a part of one lie outside.

    The length is the largest that all starts are multiples of apart, if that is a week or more and at most four, else
    a week.
    """
    plan = trial.plan
    starts = np.unique(trial.starts[np.isfinite(trial.starts)]).astype(np.int64)
    if not len(starts):
        raise Refused(["No unit is exposed within the plan."], "Check its waves.")
    length = days or period_days(starts)
    origin, seconds = int(starts[0]), length * DAY
    low = -((origin - epoch(plan, plan.baseline_start)) // seconds)
    high = (epoch(plan, plan.end) - origin) // seconds
    index = (trial.at - origin) // seconds
    return (index - low + 1).astype(np.int64), (index >= low) & (index < high)


def period_days(starts: Ints) -> int:
    """How many days a period has, by the days between starts."""
    apart = gcd(*(int(one) // DAY for one in np.diff(starts))) if len(starts) > 1 else 0
    return apart if WEEK <= apart <= 4 * WEEK else WEEK


def _unmeasured(trial: Trial, inside: Mask) -> dict[str, int]:
    return _count("without a value", inside & ~trial.measured)


def _count(reason: str, rows: Mask) -> dict[str, int]:
    count = int(rows.sum())
    return {reason: count} if count else {}


def _texts(codes: Ints) -> Column:
    return np.array([f"s{code}" for code in codes], dtype=object)
