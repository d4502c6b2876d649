"""What one analysis works with, read once; everything after it is computed from this alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from careplane.errors import NotFound, Refused
from careplane.estimators._item import Item
from careplane.evidence import methods
from careplane.evidence.looks import Standing, standing
from careplane.evidence.methods import Choice
from careplane.evidence.rows import Extract
from careplane.evidence.trial import Mask, Trial, trial_of
from careplane.evidence.uses import Uses
from careplane.measures import Measure
from careplane.records.evidence import Assignment, Look, Plan, PlannedMeasure

PARALLEL = frozenset({"individually_randomised", "cluster_randomised", "switchback"})
"""Designs that compare arms within the pilot; the others compare with the time before the start too."""


@dataclass(frozen=True)
class Study:
    """A locked plan with its arms, the rows of its measures, the uses, and the looks that were taken before."""

    plan: Plan
    assigned: Sequence[Assignment]
    measures: Mapping[str, Measure]
    items: Mapping[str, Item]
    data: Extract
    uses: Uses
    at: datetime
    earlier: Sequence[Look]
    data_hash: str

    @cached_property
    def trials(self) -> Mapping[str, Trial]:
        """The rows of each measure."""
        return {name: trial_of(self.plan, self.assigned, rows) for name, rows in self.data.rows.items()}

    @cached_property
    def standing(self) -> Standing | None:
        """Where this analysis stands among the looks of the plan."""
        return standing(self.plan, self.at, self.earlier, self.items)

    @property
    def primary(self) -> PlannedMeasure:
        return next(one for one in self.plan.measures if one.role == "primary")

    def choices(self, measure: PlannedMeasure) -> tuple[Choice, ...]:
        """The methods for a measure, the plan's own first."""
        return methods.choices(self.trials[measure.id], measure.analysis_method or self.plan.analysis_method)

    def first(self, measure: PlannedMeasure) -> Choice | None:
        """The method of a measure; ``None`` where its rows bear none."""
        try:
            return self.choices(measure)[0]
        except Refused:
            return None

    def title(self, name: str) -> str:
        return self.measures[name].info.title


def compared(trial: Trial, treated: int) -> Mask:
    """The rows with the intervention (1) or without (0) that a design compares, also those without a value."""
    return trial.arm(treated) if trial.plan.design in PARALLEL else trial.exposed(treated)


def known(measures: Mapping[str, Measure], plan: Plan) -> dict[str, Measure]:
    """The measures of a plan by id.

    Raises:
        NotFound: one is not on the shelf.
    """
    for one in plan.measures:
        if one.id not in measures:
            names = ", ".join(measures)
            raise NotFound(f"The plan names the measure {one.id!r}, which is not on the shelf. Known: {names}.")
    return {one.id: measures[one.id] for one in plan.measures}
