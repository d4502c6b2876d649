"""The rows behind a result as figures of each unit, from what was kept: nobody's own row, and no small cell."""

from pathlib import Path

import numpy as np

from careplane.evidence import extracts
from careplane.evidence.arms import find_assignments
from careplane.evidence.equity import withheld
from careplane.evidence.results import plan_of
from careplane.evidence.study import compared
from careplane.evidence.trial import Trial, trial_of
from careplane.records import Record
from careplane.records.evidence import Result
from careplane.store import Store


class UnitRow(Record, frozen=True):
    """A measure in one unit and arm: its rows, how many have no value, their mean and standard deviation.

    ``withheld`` says why there are no figures: too few rows, or so that fewer cannot be derived from a sum. Where
    patients or clinicians have the arms, ``unit`` is the place of care.
    """

    measure: str
    unit: str
    arm: str
    rows: int | None
    without_value: int | None
    mean: float | None
    sd: float | None
    withheld: str = ""


def unit_rows(store: Store, home: Path, result: Result) -> list[UnitRow]:
    """The figures of each unit, by measure, arm and unit.

    Raises:
        NotFound: the plan or the kept rows are gone.
        DataError: the kept rows cannot be read.
    """
    plan = plan_of(store, result)
    data, _uses = extracts.read(home, result.data_hash)
    assigned = tuple(sorted(find_assignments(store, plan.id), key=lambda one: one.unit))
    found: list[UnitRow] = []
    for measure, rows in sorted(data.rows.items()):
        trial = trial_of(plan, assigned, rows)
        found += [row for arm in (1, 0) for row in _of_arm(trial, measure, arm)]
    return found


def _of_arm(trial: Trial, measure: str, treated: int) -> list[UnitRow]:
    arm = "intervention" if treated else "control"
    rows = compared(trial, treated)
    places = trial.place.astype(str)
    names = np.unique(places[rows]).tolist()
    counts = {name: int((rows & trial.measured & (places == name)).sum()) for name in names}
    hidden = withheld({name: (size, size) for name, size in counts.items()}, trial.plan.small_cell)
    found = []
    for name in names:
        if name in hidden:
            why = hidden[name].replace("in an arm", "rows")
            found.append(UnitRow(measure, name, arm, None, None, None, None, why))
            continue
        inside = rows & (places == name)
        value = trial.value[inside & trial.measured]
        spread = float(value.std(ddof=1)) if len(value) > 1 else None
        absent = int(inside.sum()) - len(value)
        found.append(UnitRow(measure, name, arm, len(value), absent, float(value.mean()), spread))
    return found
