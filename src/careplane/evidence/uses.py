"""What became of each run of a plan, as columns: all that uptake, access and dose are counted from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from careplane.estimators import Ints
from careplane.evidence.rows import Texts
from careplane.records.run import Run


@dataclass(frozen=True, slots=True, eq=False)
class Uses:
    """One entry for each run, ordered by run. ``unit``, ``focus`` are references, ``patient`` and ``clinician`` ids,
    ``""`` where the run had none; ``at`` epoch seconds of the event; ``drafted`` 1 where a draft was made."""

    run: Texts
    unit: Texts
    patient: Texts
    clinician: Texts
    focus: Texts
    arm: Texts
    status: Texts
    at: Ints
    drafted: Ints

    def __len__(self) -> int:
        return len(self.run)

    @property
    def used(self) -> Ints:
        """1 where a draft was signed, as it was or edited."""
        return np.isin(self.status.astype(str), ("accepted", "edited")).astype(np.int64)


def uses_of(runs: Sequence[Run]) -> Uses:
    """The runs as columns."""
    ordered = sorted(runs, key=lambda run: run.id)
    return Uses(
        run=_texts([run.id for run in ordered]),
        unit=_texts([run.event.unit for run in ordered]),
        patient=_texts([_id(run.event.patient) for run in ordered]),
        clinician=_texts([_id(run.event.user) for run in ordered]),
        focus=_texts([run.event.focus for run in ordered]),
        arm=_texts([run.arm for run in ordered]),
        status=_texts([run.status for run in ordered]),
        at=np.array([int(run.event.at.timestamp()) for run in ordered], dtype=np.int64),
        drafted=np.array([run.draft is not None for run in ordered], dtype=np.int64),
    )


def _id(reference: str | None) -> str:
    return (reference or "").rpartition("/")[2]


def _texts(values: Sequence[str | None]) -> Texts:
    return np.array([value or "" for value in values], dtype=object)
