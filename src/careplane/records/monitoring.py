"""Monitoring: what an app promises to watch, what was read, what broke, and the safety watch that may pause it."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta

from careplane.records import Record

Layer = Literal["integrity", "performance", "impact"]
Better = Literal["lower", "higher", "neither"]
ChartKind = Literal["xmr", "p_prime", "u_prime"]
HarmEvent = Literal["harm", "critical_finding", "failed", "rejected"]
State = Literal["breach", "concern", "changed", "improving", "steady", "learning", "not_measured"]
HarmLevel = Literal["none_reached", "no_harm", "mild", "moderate", "severe", "death", "unknown"]

LAYERS: tuple[Layer, ...] = ("integrity", "performance", "impact")


class MetricRule(Record, frozen=True):
    """How one metric is watched. ``threshold`` is in the unit of the metric, on its bad side; ``reviewer`` is
    ``owner``, ``technical_owner`` or ``sponsor`` of the app, or a name. A breach becomes a task of the reviewer, due
    after ``due_days``; ``pause`` stops the app besides."""

    metric: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{1,47}$")]
    threshold: float | None = None
    reviewer: Annotated[str, Meta(min_length=1)] = "owner"
    action: Literal["task", "pause"] = "task"
    due_days: Annotated[float, Meta(gt=0)] = 2.0


class SafetyRule(Record, frozen=True):
    """The safety watch: of all runs, the share with one of ``events`` must not be shown to exceed ``max_rate``.

    It may be looked at after every run; the chance that it ever crosses while the true share is at most ``max_rate`` is
    at most ``alpha``. ``harm`` is what a person flags or reports as unsafe, ``critical_finding`` a draft with such a
    finding.
    """

    events: Annotated[tuple[HarmEvent, ...], Meta(min_length=1)] = ("harm",)
    max_rate: Annotated[float, Meta(gt=0, lt=1)] = 0.01
    alpha: Annotated[float, Meta(gt=0, lt=0.5)] = 0.05
    pause: bool = True


class MonitoringRule(Record, frozen=True):
    """What of an app is watched: one point per ``period``, limits from the first ``baseline_points`` of them, run rules
    ``rules``. Metrics that are not named here are watched by their defaults."""

    period: Literal["day", "week"] = "week"
    baseline_points: Annotated[int, Meta(ge=2, le=104)] = 12
    rules: Literal["nhs", "western_electric", "nelson"] = "nhs"
    metrics: tuple[MetricRule, ...] = ()
    safety: SafetyRule = SafetyRule()


class MetricInfo(Record, frozen=True):
    """What a metric is: one entry of :data:`METRICS`, or a measure of the shelf in the layer ``impact``."""

    id: str
    layer: Layer
    title: str
    unit: str
    kind: ChartKind
    better: Better
    definition: str
    threshold: float | None = None
    reviewer: str = "owner"


class ChartPoint(Record, frozen=True):
    """One period of a chart; ``n`` are the cases behind it, ``rules`` the run rules that it breaks."""

    time: str
    value: float
    n: int
    centre: float
    low: float
    high: float
    phase: int = 0
    rules: tuple[str, ...] = ()


class ChartSignal(Record, frozen=True):
    """What a run rule saw: its name, what that means, the points, and whether it is good."""

    rule: str
    text: str
    points: tuple[str, ...]
    side: str
    means: Literal["improvement", "concern", "change"]


class ChartPhase(Record, frozen=True):
    """A stretch with limits of its own, and why it began."""

    start: str
    reason: str
    baseline_points: int
    centre: float
    sigma_z: float | None = None


class Chart(Record, frozen=True):
    """A control chart as the estimator ``spc`` gave it."""

    method: str
    points: tuple[ChartPoint, ...]
    phases: tuple[ChartPhase, ...]
    signals: tuple[ChartSignal, ...]
    variation: str
    assurance: str
    warnings: tuple[str, ...] = ()


class Mark(Record, frozen=True):
    """Something that was decided or done, to be shown on the charts of its app: on which day, and what."""

    on: date
    text: str


class Reading(Record, frozen=True):
    """What one metric of an app says now.

    ``value`` is that of the newest whole period, ``None`` where it is not measured or withheld (``n`` then is too);
    ``withheld`` counts periods with fewer cases than the small cell. ``own`` says that the app's manifest set the rule.
    """

    app: str
    metric: str
    layer: Layer
    title: str
    unit: str
    better: Better
    definition: str
    state: State
    text: str
    computed_at: datetime
    period: str = ""
    value: float | None = None
    n: int | None = None
    withheld: int = 0
    threshold: float | None = None
    reviewer: str = ""
    action: Literal["task", "pause"] = "task"
    due_days: float = 2.0
    own: bool = False
    chart: Chart | None = None


class Rebase(Record, frozen=True):
    """A baseline of a metric: from which period, why, who said so, and the points, frozen once they are enough."""

    app: str
    metric: str
    start: str
    reason: str
    by: str
    at: datetime
    points: tuple[tuple[str, float, float], ...] = ()


class Breach(Record, frozen=True):
    """A metric that broke its threshold or its limits: a task with an owner and a day it is due. It stays until the
    metric has been good for two periods; somebody acknowledges it meanwhile."""

    id: str
    app: str
    metric: str
    title: str
    opened_at: datetime
    period: str
    reason: str
    owner: str
    action: Literal["task", "pause"]
    due_on: date
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    note: str = ""
    closed_at: datetime | None = None
    closed_why: str = ""

    @property
    def open(self) -> bool:
        """Whether it still holds."""
        return self.closed_at is None


class HarmFlag(Record, frozen=True):
    """A person's word that a run did harm or could have: one per run and person. ``level`` is of the AHRQ scale."""

    id: str
    run: str
    app: str
    level: HarmLevel
    by: str
    at: datetime
    note: str = ""


class SafetyWatch(Record, frozen=True):
    """One watch of an app. A new one begins when the app is released after a crossing, or when its rule changes.

    ``runs`` and ``events`` are counted so far, ``looks`` how often the count had changed when it was looked at;
    ``evidence`` is the e-value now and ``peak`` its highest; at ``1 / alpha`` the watch crosses. ``low`` is the lower
    bound of the true share, which holds at every look.
    """

    app: str
    number: int
    rule: SafetyRule
    since: datetime | None
    why: str
    runs: int = 0
    events: int = 0
    looks: int = 0
    evidence: float = 1.0
    peak: float = 1.0
    low: float = 0.0
    looked_at: datetime | None = None
    crossed_at: datetime | None = None
    settled_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def bound(self) -> float:
        """The e-value at which it crosses."""
        return 1 / self.rule.alpha


METRICS: tuple[MetricInfo, ...] = (
    MetricInfo(
        id="calls",
        layer="integrity",
        title="Model calls",
        unit="calls",
        kind="xmr",
        better="neither",
        definition="Calls of a model in the period.",
        reviewer="technical_owner",
    ),
    MetricInfo(
        id="latency",
        layer="integrity",
        title="Time of a model call",
        unit="ms",
        kind="xmr",
        better="lower",
        definition="Median time of the model calls of the period.",
        threshold=20_000.0,
        reviewer="technical_owner",
    ),
    MetricInfo(
        id="failures",
        layer="integrity",
        title="Runs that failed",
        unit="share",
        kind="p_prime",
        better="lower",
        definition="Of the runs that were let through: those that ended in an error.",
        threshold=0.05,
        reviewer="technical_owner",
    ),
    MetricInfo(
        id="refusals",
        layer="integrity",
        title="Runs that a rule refused",
        unit="share",
        kind="p_prime",
        better="neither",
        definition="Of all events: those refused by a rule, the control arm of a plan left out.",
        reviewer="technical_owner",
    ),
    MetricInfo(
        id="fallbacks",
        layer="integrity",
        title="Calls that another model answered",
        unit="share",
        kind="p_prime",
        better="lower",
        definition="Of the model calls: those answered by another model than the one of most calls of the baseline.",
        threshold=0.2,
        reviewer="technical_owner",
    ),
    MetricInfo(
        id="input_size",
        layer="integrity",
        title="Sources that a draft rests on",
        unit="sources per draft",
        kind="xmr",
        better="neither",
        definition="Mean number of sources of the chart per draft: when it moves, what comes in has changed.",
        reviewer="technical_owner",
    ),
    MetricInfo(
        id="guard_flags",
        layer="integrity",
        title="Drafts that a guard flagged",
        unit="share",
        kind="p_prime",
        better="lower",
        definition="Of the drafts: those with a caution or critical finding that is not about grounding.",
        threshold=0.5,
        reviewer="technical_owner",
    ),
    MetricInfo(
        id="canaries",
        layer="integrity",
        title="Canaries that came through",
        unit="canaries",
        kind="xmr",
        better="lower",
        definition="Planted identifiers that reached a model or a log. Nothing plants any in the running service.",
        reviewer="technical_owner",
    ),
    MetricInfo(
        id="acceptance",
        layer="performance",
        title="Drafts that were signed",
        unit="share",
        kind="p_prime",
        better="higher",
        definition="Of the drafts that were reviewed: those signed, as written or edited.",
        threshold=0.2,
    ),
    MetricInfo(
        id="edit_distance",
        layer="performance",
        title="Edit distance of signed drafts",
        unit="0-1",
        kind="xmr",
        better="neither",
        definition="Mean token edit distance of draft to signed text (M16); near 0 may be automation bias.",
    ),
    MetricInfo(
        id="error_rate",
        layer="performance",
        title="Drafts with a critical finding",
        unit="share",
        kind="p_prime",
        better="lower",
        definition="Of the drafts: those in which a check found something critical.",
        threshold=0.1,
    ),
    MetricInfo(
        id="grounding_flags",
        layer="performance",
        title="Drafts that say what the chart does not",
        unit="share",
        kind="p_prime",
        better="lower",
        definition="Of the drafts: those with a caution or critical finding about grounding in their sources.",
        threshold=0.5,
    ),
    MetricInfo(
        id="card_overrides",
        layer="performance",
        title="Cards that were set aside",
        unit="share",
        kind="p_prime",
        better="lower",
        definition="Of the CDS cards that the EHR told of: those that users overrode.",
        threshold=0.9,
    ),
)
"""The metrics of every app beside its measures, with their defaults: thresholds are assumptions, for the app to set."""
