"""What the baseline says before a plan is locked: spread and clustering of the outcome, for the power statement."""

from collections.abc import Collection
from datetime import date
from pathlib import Path

import numpy as np

from careplane.evidence.power import PowerInputs, baseline_inputs
from careplane.evidence.rows import extract
from careplane.evidence.run_tables import RunRecord
from careplane.evidence.windows import midnight
from careplane.measures import Measure


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
