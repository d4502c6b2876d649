"""What is asked before a study is planned, and what was advised: the roll-out, the baseline, and the designs."""

from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from careplane.records import Record
from careplane.records.design import Allocation, AllocationUnit, Design

Count = Annotated[int, Meta(ge=0, le=100_000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0, le=1e12)]


class Spread(Record, frozen=True):
    """What the power of a design is computed from: the outcome's standard deviation between rows (``sd``), its
    intracluster correlation, the cluster autocorrelation from period to period, rows per unit and week, the variation
    of the units' sizes, and where the figures come from."""

    sd: Positive
    icc: Annotated[float, Meta(ge=0, le=0.999)]
    per_week: Positive
    cac: Annotated[float, Meta(ge=0, le=1)] = 0.8
    size_cv: Annotated[float, Meta(ge=0, le=10)] = 0.0
    source: str = "given by hand"


class Rollout(Record, frozen=True):
    """The answers of the wizard: how the app will reach its users, and what its outcome is like.

    ``units`` maps strata to the units of each. ``waves`` is in how many groups they begin, ``weeks_between`` weeks
    apart; ``stay_without`` are units that will not get the app (controls). ``contaminates``: people with and without
    the app share work, so that those without would profit. ``carry_over``: what the app did lasts after it is off.
    ``switchable``: it can be turned on and off by the week. ``lag_days`` passes until an outcome is known. ``weeks`` is
    how long the study may last, ``history_weeks`` how long outcomes were recorded before.
    """

    app: str
    units: dict[str, tuple[str, ...]]
    start: date
    weeks: Annotated[int, Meta(ge=2, le=520)] = 12
    unit: AllocationUnit = "clinic"
    randomise: bool = True
    live: bool = False
    waves: Annotated[int, Meta(ge=1, le=200)] = 1
    weeks_between: Annotated[int, Meta(ge=1, le=104)] = 4
    everyone: bool = False
    stay_without: tuple[str, ...] = ()
    first_days: dict[str, date] = msgspec.field(default_factory=dict)
    contaminates: bool = True
    carry_over: bool = True
    switchable: bool = False
    lag_days: Annotated[int, Meta(ge=0, le=3650)] = 7
    history_weeks: Count = 0
    rare: bool = False
    spread: Spread | None = None
    usd_per_unit_week: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**53)] | None = None

    @property
    def strata(self) -> dict[str, str]:
        """Stratum of each unit."""
        return {unit: stratum for stratum, units in self.units.items() for unit in units}


class PowerPoint(Record, frozen=True):
    """What so many units find in so many weeks: the smallest effect with the power asked for, in the measure's unit
    (``None``: not computed), and what it costs."""

    weeks: int
    clusters: int
    detectable: float | None
    usd: float | None = None


class Option(Record, frozen=True):
    """One design for this roll-out. ``grade`` is the best that it can reach; ``refused`` says why it cannot answer and
    ``way_out`` what would make it possible; ``method`` how it would be analysed."""

    design: Design
    unit: AllocationUnit
    title: str
    grade: Literal["A", "B", "C", "D"]
    reasons: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    refused: str = ""
    way_out: str = ""
    allocation: Allocation = "stratified"
    detectable: float | None = None
    weeks_for_mcid: int | None = None
    usd: float | None = None
    scale_gate: bool = True


class Advice(Record, frozen=True):
    """The designs that can answer, the recommended first; those that cannot, with why; and the power of the first by
    weeks and units. ``power`` says in words what was computed."""

    sentence: str
    options: tuple[Option, ...]
    refused: tuple[Option, ...]
    points: tuple[PowerPoint, ...]
    power: str
    unit: str = ""
    mcid: float | None = None

    @property
    def first(self) -> Option:
        return self.options[0]
