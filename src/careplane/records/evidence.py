"""Plans, assignments and effects: what was asked, how it was answered, and how sure we are."""

from datetime import date, datetime
from typing import Literal

import msgspec

from careplane.records import Record
from careplane.records.design import (
    Adjust,
    Allocation,
    AllocationUnit,
    AnalysisMethod,
    Arm,
    Design,
    Hypothesis,
    Looks,
    Minimisation,
    PlanChange,
    Switching,
)

Direction = Literal["lower", "higher", "nearer_zero", "nearer_one", "context", "flag"]
"""What is better. ``context`` is read beside other measures and ``flag`` asks for a look: neither is ever a benefit."""
UNJUDGED: frozenset[Direction] = frozenset({"context", "flag"})
Verdict = Literal["benefit", "no worthwhile effect", "harm", "inconclusive", "not judged"]
"""``not judged`` is a measure that is read beside others or that flags: it can be neither benefit nor harm."""
Grade = Literal["A", "B", "C", "D"]


class PlannedMeasure(Record, frozen=True):
    """A measure as the plan uses it. ``mcid`` is the smallest worthwhile change, in the measure's unit, positive.

    ``hypothesis`` superiority: that the app makes it better; non_inferiority: that it is not worse by ``margin``
    (``mcid`` where none is given) or more. ``analysis_method`` takes the place of the plan's for this measure.
    """

    id: str
    role: Literal["primary", "balancing", "secondary"]
    unit: str
    direction: Direction
    mcid: float
    hypothesis: Hypothesis = "superiority"
    margin: float | None = None
    analysis_method: AnalysisMethod | None = None

    @property
    def judged(self) -> bool:
        """Whether it can be better or worse; a measure that cannot has no verdict and is never primary."""
        return self.direction not in UNJUDGED


class Plan(Record, frozen=True):
    """An evaluation plan. Locked, it has a ``hash`` over everything but ``hash``, ``locked_at`` and ``locked_by``.

    Days begin at midnight at ``utc_offset_minutes`` from UTC, the offset of the site when the pilot starts.

    ``clusters`` are the units that take part, each with its stratum in ``strata``. With ``enrol`` first_contact they
    are the places in which patients or clinicians are allocated when their first event comes; else they are what has an
    arm. ``joiners`` says what becomes of a unit that is not among them while the plan runs: refuse (the app does not
    speak there), allocate (arms side by side only: it is drawn as one more of the stratum ``joined``), or ignore (the
    app is in use there already, outside the study).

    When exposure begins: ``waves`` gives the first day of each unit that somebody chose (a unit without one is a
    control; no waves at all: all begin at ``start``). Where chance decides the order (stepped wedge, randomised
    roll-out) ``steps`` are the days on which a group begins, and the order is drawn when the plan is assigned.
    ``switching`` belongs to a switchback, ``minimisation`` to that allocation, ``block_sizes`` to blocks.

    ``adjust`` baseline: for the mean of the unit before the start. ``analysis_method`` ``None``: the method that the
    design has by default. ``change`` is what made this version from the one before, and ``post_hoc`` says of which
    fields the primary measure, design or margin were changed after results were seen: it stays with every later
    version, and results carry it.
    """

    id: str
    app: str
    version: int
    question: str
    design: Design
    unit: AllocationUnit
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
    allocation: Allocation = "stratified"
    enrol: Literal["listed", "first_contact"] = "listed"
    joiners: Literal["refuse", "allocate", "ignore"] = "refuse"
    block_sizes: tuple[int, ...] = (2, 4)
    minimisation: Minimisation | None = None
    waves: dict[str, date] = msgspec.field(default_factory=dict)
    steps: tuple[date, ...] = ()
    switching: Switching | None = None
    looks: Looks = Looks()
    adjust: Adjust = "baseline"
    analysis_method: AnalysisMethod | None = None
    change: PlanChange | None = None
    post_hoc: tuple[str, ...] = ()

    @property
    def locked(self) -> bool:
        return self.locked_at is not None


class Assignment(Record, frozen=True):
    """The arm of one unit (or person), drawn by the platform from the plan's seed or given by its waves.

    ``starts`` is the first day of exposure where units begin at different days (before it they are in the control arm
    of the plan). ``sequence`` holds the arm of each period of a switchback. ``place`` is where a person was first seen,
    ``site`` in which hospital; ``position`` counts the allocations of the stratum (blocks) or of the plan
    (minimisation) from 0, for those who arrive one by one.
    """

    plan: str
    unit: str
    arm: Arm
    stratum: str
    starts: date | None = None
    sequence: tuple[Arm, ...] = ()
    place: str = ""
    site: str = ""
    position: int | None = None
    at: datetime | None = None


class Checked(Record, frozen=True):
    """Something that a method rests on: whether it was checked and held; ``None``: it cannot be checked here."""

    name: str
    held: bool | None
    text: str


class SecondMethod(Record, frozen=True):
    """What another method says of the same rows. Without ``estimate`` it was not valid here, and ``note`` says why.
    ``comparable`` is false where its unit is another (a log odds, a slope)."""

    method: str
    estimate: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p_value: float | None = None
    note: str = ""
    comparable: bool = True


class Look(Record, frozen=True):
    """At which of the looks of its plan a result stands.

    ``share`` of the pilot that had passed (1: its end), ``number`` of the look, ``planned`` whether the plan named it,
    ``alpha`` the two-sided error that may be spent on it; ``fixed_low`` to ``fixed_high`` the interval as if it were
    the only look. ``z`` is the statistic and ``bound`` what it has to pass.
    """

    kind: str
    number: int
    share: float
    planned: bool
    alpha: float
    z: float
    bound: float
    at: datetime
    fixed_low: float
    fixed_high: float
    text: str

    @property
    def crossed(self) -> bool:
        return abs(self.z) >= self.bound


class Point(Record, frozen=True):
    """One point of a curve with its interval, such as the effect in a period since the start."""

    at: float
    estimate: float
    ci_low: float | None = None
    ci_high: float | None = None


class Effect(Record, frozen=True):
    """An effect with its interval. ``estimate`` is intervention minus control, in ``unit``; ``n`` rows, ``clusters``
    units; ``df`` degrees of freedom of the interval (``None`` when exact); ``verdict`` in words, ``grade`` of the
    design. ``comparison`` holds the interval of the second method in words, ``seconds`` all that stand beside.

    ``left_out`` counts rows that were not used, by reason. ``margin`` is what a non-inferiority hypothesis allows, and
    ``not_worse`` whether it held. ``ratio`` is that of geometric means, for skewed times and costs. ``curve`` is the
    effect by period since the start (``curve_of`` says of what), where the method gives one.
    """

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
    se: float | None = None
    hypothesis: Hypothesis = "superiority"
    margin: float | None = None
    not_worse: bool | None = None
    seconds: tuple[SecondMethod, ...] = ()
    warnings: tuple[str, ...] = ()
    assumptions: tuple[Checked, ...] = ()
    left_out: dict[str, int] = msgspec.field(default_factory=dict)
    missing_share: float = 0.0
    look: Look | None = None
    curve: tuple[Point, ...] = ()
    curve_of: str = ""
    why_grade: str = ""
    would_change: str = ""
    reached: str = ""


class EquityRow(Record, frozen=True):
    """The effect in one group. Withheld (``estimate`` is ``None``) when an arm of the group has fewer than the small
    cell; then ``n`` is withheld too. ``gap`` is the effect in the group minus that in all others, with its interval."""

    plan: str
    measure: str
    dimension: str
    group: str
    n: int | None
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    withheld: str = ""
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    gap_p: float | None = None


class WorstGroup(Record, frozen=True):
    """How bad the effect may be in the worst group of a dimension, all its groups looked at together.

    ``bound`` is the worst end of the simultaneous intervals (Bonferroni), in the unit of the measure; ``harmed`` says
    that the interval of a group lies wholly on the bad side, ``ruled_out`` that a worsening by the margin is ruled out
    in every group that is shown.
    """

    measure: str
    dimension: str
    group: str
    bound: float
    groups: int
    harmed: bool
    ruled_out: bool
    text: str


class AccessRow(Record, frozen=True):
    """How far one group of patients was reached: of its eligible events in the intervention arm, how many had a draft
    (``offered``) and in how many it was signed (``used``). ``ratio`` is the share of use over that of all other
    patients, its interval allowing for clusters. A small group is withheld like an effect."""

    dimension: str
    group: str
    eligible: int | None
    offered: int | None
    used: int | None
    share: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    withheld: str = ""


class DoseRow(Record, frozen=True):
    """The outcome by how much the app was used: who used it most was not drawn, so this is no effect of use.

    ``band`` says who; ``people`` clinicians (or units) and ``n`` rows are of the band, ``estimate`` its difference from
    the control arm, ``share`` the mean use in it.
    """

    measure: str
    band: str
    people: int | None
    n: int | None
    share: float | None
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
    """Everything an analysis of a locked plan returned.

    ``id`` names it for a replay. ``earlier`` are the looks of earlier results of the same plan before its end;
    ``libraries`` what the code ran on; ``worst`` the worst group by measure and dimension; ``looked_at`` how many
    intervals were computed, which says how many may miss by chance.
    """

    plan: str
    plan_hash: str
    effects: tuple[Effect, ...]
    equity: tuple[EquityRow, ...]
    uptake: Uptake
    missing: dict[str, str]
    computed_at: datetime
    data_hash: str
    code_version: str
    id: str = ""
    version: int = 1
    worst: tuple[WorstGroup, ...] = ()
    access: tuple[AccessRow, ...] = ()
    dose: tuple[DoseRow, ...] = ()
    earlier: tuple[Look, ...] = ()
    looked_at: int = 0
    libraries: dict[str, str] = msgspec.field(default_factory=dict)


class MeasureInfo(Record, frozen=True):
    """What a measure is: the text a reader needs to trust it.

    Attributes:
        id: name of its folder.
        mcid: the smallest worthwhile change in ``unit``, positive (0 for a measure that is not judged).
        mcid_source: where that number comes from, or that it is a default.
        catalogue: its number in the catalogue of measures (``M06``), empty outside it.
        kind: how a group's figure is made of its rows. ``ratio`` is a ratio of sums: a row's value is its numerator
            over its denominator and its weight that denominator. All kinds are the weighted mean of the values.
        row: what one row is ("message", "clinician-week").
        scale: on which an analysis should compare; ``log`` for skewed times and costs.
        survey: rows without a value are people who did not answer, weights are non-response weights.
        licence: of the instrument, empty where there is none.
        import_only: the instrument may not be asked here: answers are imported and scored, items are never shown.
        small_cell: groups with fewer rows are withheld.
    """

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
    catalogue: str = ""
    mcid_source: str = "a default of this library"
    kind: Literal["mean", "proportion", "ratio"] = "mean"
    row: str = "event"
    scale: Literal["identity", "log"] = "identity"
    survey: bool = False
    licence: str = ""
    import_only: bool = False

    @property
    def judged(self) -> bool:
        """Whether it can be better or worse: only then may a plan take it as primary and a verdict say benefit."""
        return self.direction not in UNJUDGED

    @property
    def better(self) -> str:
        """The direction in words."""
        return BETTER[self.direction]


BETTER: dict[Direction, str] = {
    "lower": "lower is better",
    "higher": "higher is better",
    "nearer_zero": "nearer to 0 is better",
    "nearer_one": "nearer to 1 is better",
    "context": "neither is better: read it beside the others",
    "flag": "neither is better: a change asks for a look",
}
