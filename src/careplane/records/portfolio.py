"""The register, goals, stages, gates and decisions: what leadership sees and decides."""

from datetime import date, datetime
from typing import Literal

from careplane.records import Record

Stage = Literal["idea", "intake", "shadow", "pilot", "limited_production", "scaled", "sustained", "retired", "stopped"]
STAGES: tuple[Stage, ...] = (
    "idea",
    "intake",
    "shadow",
    "pilot",
    "limited_production",
    "scaled",
    "sustained",
    "retired",
    "stopped",
)
Kind = Literal["platform_app", "point_solution", "ehr_feature", "spreadsheet_pilot"]
Outcome = Literal["approve", "approve_with_contingencies", "re_review", "decline", "stop"]

INTEGRATION_CHECKS: tuple[str, ...] = (
    "single_sign_on",
    "in_workflow_launch",
    "governed_data",
    "write_back_with_provenance",
    "telemetry",
    "entitlement_and_kill_switch",
)
PATH_CHECKS: tuple[str, ...] = (
    "sponsor_confirmed",
    "goal_linked",
    "scale_scope",
    "decision_date",
    "success_threshold",
    "costed_forecast_signed",
    "production_integration_route",
    "stop_rule",
)
METRIC_CHECKS: tuple[str, ...] = (
    "primary",
    "balancing",
    "equity",
    "baseline",
    "target_and_horizon",
    "plan_locked_before_start",
    "data_fresh",
    "design_grade_c_or_better",
)


class Goal(Record, frozen=True):
    """A strategic goal: who owns it, how it is measured, and its weight (weights of a year sum to 1)."""

    id: str
    title: str
    owner: str
    measure: str
    target: float
    unit: str
    weight: float
    year: int


class RegisterItem(Record, frozen=True):
    """One row of the register: an app of the platform, or anything else that uses GenAI here.

    ``path``, ``integration`` and ``metrics`` name the checks that pass (see the tuples above); ``funding`` is
    committed USD, ``forecast_p50`` the 24-month forecast in USD (``None``: not forecast). ``unknown`` names the checks
    that nobody has looked at: they count as failed, and as missing data. ``integration_at`` is when the integration
    checks were last run live; before that they are what the manifest promises. ``max_errors_per_100`` is
    what its manifest allows in silent use.
    """

    id: str
    title: str
    kind: Kind
    stage: Stage
    tier: int
    area: str
    owner: str | None
    sponsor: str | None
    goals: tuple[str, ...]
    departments: tuple[str, ...]
    sites: tuple[str, ...]
    task: str
    stage_since: date
    registered_at: date
    sponsor_confirmed_at: date | None = None
    vendor: str = ""
    summary: str = ""
    runnable: bool = False
    app_hash: str = ""
    trigger: str = ""
    inputs: tuple[str, ...] = ()
    output: str = ""
    role: str = ""
    active_departments: tuple[str, ...] = ()
    reused_components: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    integration: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    annual_cost_usd: float | None = None
    funding_usd: float = 0.0
    forecast_p50_usd: float | None = None
    infrastructure_plan_at: date | None = None
    adoption_plan: tuple[str, ...] = ()
    topics_minuted: tuple[str, ...] = ()
    synthetic: bool = False
    unknown: tuple[str, ...] = ()
    integration_at: datetime | None = None
    max_errors_per_100: float | None = None


class StageMove(Record, frozen=True):
    """A move of the funnel: when, who and why. ``from_stage`` is ``None`` on registration."""

    item: str
    from_stage: Stage | None
    to_stage: Stage
    at: datetime
    by: str
    why: str


class DecisionItem(Record, frozen=True):
    """A decision that somebody owes: question, owner, due date; and, once made, its outcome and rationale."""

    id: str
    item: str
    question: str
    owner: str
    opened_at: datetime
    due_on: date
    tier: int
    gate: str = ""
    options: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    deferrals: int = 0
    sponsor_absent: int = 0
    net_benefit_per_year_usd: float | None = None
    outcome: Outcome | None = None
    rationale: str = ""
    contingencies: tuple[str, ...] = ()
    decided_at: datetime | None = None
    decided_by: str = ""
    requested_by: str = ""


class GateCheck(Record, frozen=True):
    """One line of a gate: passed, failed, waived or not measured, with the proof behind it."""

    name: str
    status: Literal["pass", "fail", "waived", "not_measured"]
    text: str
    link: str = ""


class Gate(Record, frozen=True):
    """A gate of one item, computed; ``decides`` is who may decide at the item's tier."""

    item: str
    gate: str
    title: str
    checks: tuple[GateCheck, ...]
    computed_at: datetime
    decides: str = ""

    @property
    def passed(self) -> bool:
        return all(check.status in ("pass", "waived") for check in self.checks)


class Signal(Record, frozen=True):
    """One sign of pilot reliance, 0 good to 100 bad; ``parts`` are the terms of the formula, ``complete`` the share of
    the data it needs that was there, ``rows`` the items that raise it most."""

    id: str
    title: str
    value: float
    band: Literal["low", "middle", "high"]
    parts: dict[str, float]
    complete: float
    rows: tuple[str, ...] = ()
    sentence: str = ""


class Signals(Record, frozen=True):
    """The six signs and the index. ``index`` is ``None`` when less than 70 % of the data is there; ``low`` and ``high``
    are the index under weights moved by up to half (defaults, shown as such)."""

    signals: tuple[Signal, ...]
    index: float | None
    low: float | None
    high: float | None
    complete: float
    weights: dict[str, float]
    computed_at: datetime
    triggers: tuple[str, ...] = ()


class FunnelStage(Record, frozen=True):
    """One bar of the funnel; ``median_days`` in the stage, ``None`` when nobody has left it yet."""

    stage: Stage
    now: int
    entered: int
    left: int
    median_days: float | None
