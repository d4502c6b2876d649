"""Plans, assignments and effects: what was asked, how it was answered, and how sure we are."""

from datetime import date, datetime
from typing import Literal

from careplane.records import Record

Direction = Literal["lower", "higher"]
Verdict = Literal["benefit", "no worthwhile effect", "harm", "inconclusive"]
Grade = Literal["A", "B", "C", "D"]


class PlannedMeasure(Record, frozen=True):
    """A measure as the plan uses it. ``mcid`` is the smallest worthwhile change, in the measure's unit, positive."""

    id: str
    role: Literal["primary", "balancing", "secondary"]
    unit: str
    direction: Direction
    mcid: float


class Plan(Record, frozen=True):
    """An evaluation plan. Locked, it has a ``hash`` over everything but ``hash``, ``locked_at`` and ``locked_by``.

    Days begin at midnight at ``utc_offset_minutes`` from UTC, the offset of the site when the pilot starts.
    """

    id: str
    app: str
    version: int
    question: str
    design: str
    unit: str
    clusters: tuple[str, ...]
    strata: dict[str, str]
    measures: tuple[PlannedMeasure, ...]
    equity: tuple[str, ...]
    baseline_start: date
    start: date
    end: date
    seed: int
    alpha: float
    analysis: str
    decision_rule: str
    power: str
    small_cell: int = 11
    utc_offset_minutes: int = 0
    hash: str = ""
    locked_at: datetime | None = None
    locked_by: str = ""

    @property
    def locked(self) -> bool:
        return self.locked_at is not None


class Assignment(Record, frozen=True):
    """The arm of one unit, drawn by the platform from the plan's seed."""

    plan: str
    unit: str
    arm: Literal["intervention", "control"]
    stratum: str


class Effect(Record, frozen=True):
    """An effect with its interval. ``estimate`` is intervention minus control, in ``unit``; ``n`` rows, ``clusters``
    units; ``df`` degrees of freedom of the interval (``None`` when exact); ``verdict`` in words, ``grade`` of the
    design. ``comparison`` holds the interval of the second method."""

    plan: str
    measure: str
    role: str
    unit: str
    direction: Direction
    estimate: float
    ci_low: float
    ci_high: float
    p_value: float
    n: int
    clusters: int
    method: str
    verdict: Verdict
    sentence: str
    grade: Grade
    mcid: float
    mean_intervention: float
    mean_control: float
    n_intervention: int
    n_control: int
    df: float | None = None
    comparison: str = ""
    data_hash: str = ""
    computed_at: datetime | None = None


class EquityRow(Record, frozen=True):
    """The effect in one group. Withheld (``estimate`` is ``None``) when an arm of the group has fewer than the small
    cell; then ``n`` is withheld too."""

    plan: str
    measure: str
    dimension: str
    group: str
    n: int | None
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    withheld: str = ""


class Uptake(Record, frozen=True):
    """How far the app was used where it could have been: of all eligible events of the intervention arm."""

    plan: str
    eligible: int
    offered: int
    used: int
    accepted: int
    edited: int
    rejected: int
    refused: int
    share: float
    ci_low: float
    ci_high: float


class Result(Record, frozen=True):
    """Everything an analysis of a locked plan returned."""

    plan: str
    plan_hash: str
    effects: tuple[Effect, ...]
    equity: tuple[EquityRow, ...]
    uptake: Uptake
    missing: dict[str, str]
    computed_at: datetime
    data_hash: str
    code_version: str


class MeasureInfo(Record, frozen=True):
    """What a measure is: the text a reader needs to trust it."""

    id: str
    title: str
    definition: str
    numerator: str
    denominator: str
    unit: str
    direction: Direction
    mcid: float
    aim: str
    cadence_days: int
    source: str
    citation: str
    small_cell: int = 11
