"""The manifest of an app: one GenAI use in one workflow, as ``app.yaml`` states it.

These records *are* the published schema: ``careplane app schema`` prints their JSON Schema.
"""

from typing import Annotated, Literal

from msgspec import Meta

from careplane.records import Record
from careplane.records.design import Allocation, AllocationUnit, Design
from careplane.records.monitoring import MonitoringRule

Identifier = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{1,47}$", description="lower case, digits, underscore")]
Text = Annotated[str, Meta(min_length=1)]
Score = Annotated[int, Meta(ge=0, le=3)]

Area = Literal["clinical", "operational", "administrative", "patient"]
TriggerKind = Literal["hook", "subscription", "hl7v2", "schedule", "erp", "api", "chat", "manual"]
PhiPolicy = Literal["identifiable", "limited", "deidentified", "none"]
OutputKind = Literal["Communication", "DocumentReference", "Composition", "Task", "QuestionnaireResponse", "text"]
CitationRule = Literal["required", "optional", "none"]


class TierAnswers(Record, frozen=True):
    """Answers to the tiering questions, 0-3 each; overrides make tier 3 (governance content, section 1)."""

    patient_impact: Score
    autonomy: Score
    audience: Score
    data: Score
    reach: Score
    informs_diagnosis_treatment_triage: bool = False
    patient_facing_without_review: bool = False
    coverage_or_eligibility_decision: bool = False
    fails_fda_cds_criterion: bool = False


class Trigger(Record, frozen=True):
    """What starts a run: the door (``kind``) and the name of what happened there (``on``).

    =============  ====================================================================  =======================
    kind           ``on``                                                                the door
    =============  ====================================================================  =======================
    hook           a CDS hook, such as ``patient-view`` or ``order-sign``                CDS Hooks service
    subscription   FHIR R4 type, dot, ``created``, ``updated``, ``deleted`` or ``*``     FHIR Subscription
    hl7v2          MSH-9 with ``^``, such as ``ADT^A03``; ``ADT^*`` for each of a type   MLLP listener
    erp            what a row of an ERP file is, such as ``invoice.posted``              ERP file drop
    api            any name that the sender and the manifest agree on                    ``POST /events``
    chat           nothing                                                               ``POST /chat``
    schedule       nothing; ``cron`` says when                                           the clock
    manual         nothing                                                               ``careplane app try``
    =============  ====================================================================  =======================

    ``cron`` is five fields in the local time of the site; each unit where somebody with one of ``jobs`` works then gets
    a run, which the first of them reviews. ``jobs`` of a chat name who takes over a conversation.
    """

    kind: TriggerKind
    on: str = ""
    cron: str = ""
    description: str = ""
    jobs: tuple[Identifier, ...] = ()

    @property
    def name(self) -> str:
        """The short name that lists show: what happened, or the kind."""
        return self.on or self.cron or self.kind


class ContextRule(Record, frozen=True):
    """One resource type the app may read: a FHIR search, and the only fields that pass.

    ``search`` may use ``{patient}``, ``{encounter}``, ``{unit}`` and ``{focus}`` (ids); ``fields`` are top-level
    element names; anything not named is removed before a template can see it (minimum necessary).
    """

    resource: Annotated[str, Meta(pattern=r"^[A-Z][A-Za-z]+$")]
    search: Text
    fields: Annotated[tuple[str, ...], Meta(min_length=1)]
    limit: Annotated[int, Meta(ge=1, le=200)] = 20
    as_name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")] | None = None


class DataPolicy(Record, frozen=True):
    """What may leave to a model, for what purpose (45 CFR 164.502(b) minimum necessary; 164.514 de-identification).

    ``dates: shifted`` moves all dates of a run by the same random number of whole weeks, so that intervals and days of
    the week hold; ``surrogate`` puts surrogates in their place.
    """

    phi: PhiPolicy = "deidentified"
    purpose: Literal["treatment", "payment", "operations", "research"] = "treatment"
    surrogates: Literal["realistic", "bracketed"] = "bracketed"
    dates: Literal["surrogate", "shifted"] = "surrogate"
    regions: tuple[str, ...] = ("local",)
    retention_days: Annotated[int, Meta(ge=1)] = 365


class GuardRules(Record, frozen=True):
    """What a model's reply may do: the ``tools`` it may call (``*``: every function that the request offers), the
    hosts that ``links`` may lead to, and whether a text that reads like an instruction to the model is flagged for the
    reviewer or refused."""

    tools: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    injection: Literal["flag", "refuse"] = "flag"


class Route(Record, frozen=True):
    """Which model alias serves the app, and its limits. ``also`` are further aliases it may name (embeddings)."""

    model: str = "default"
    also: tuple[str, ...] = ()
    max_tokens: Annotated[int, Meta(ge=1, le=32768)] = 700
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.0


class Entitlement(Record, frozen=True):
    """What the gateway has to know of an app that may call: whose it is, what may leave, and which models it may name.

    ``cache`` says whether the app has opted into exact-match answers.
    """

    app: str
    version: str = ""
    tier: int | None = None
    data_policy: DataPolicy = DataPolicy()
    guards: GuardRules = GuardRules()
    route: Route = Route()
    cache: bool = False


class Output(Record, frozen=True):
    """The artefact that a signed draft becomes, and the rules its text must meet. ``recipient: patient`` says that the
    patient reads it: it then leaves as a message, with the disclosure that the law wants, by the patient's channel."""

    kind: OutputKind
    recipient: Literal["staff", "patient"] = "staff"
    title: str = ""
    citations: CitationRule = "optional"
    min_words: Annotated[int, Meta(ge=0)] = 10
    max_words: Annotated[int, Meta(ge=1)] = 400
    max_reading_grade: float | None = None
    required_phrases: tuple[str, ...] = ()
    forbidden_phrases: tuple[str, ...] = ()


class ReviewRule(Record, frozen=True):
    """Who signs, the reasons offered for an edit or a rejection, and how long a draft may wait."""

    role: Text
    reasons: Annotated[tuple[str, ...], Meta(min_length=1)]
    due_hours: Annotated[float, Meta(gt=0)] = 24.0


class MeasureChoice(Record, frozen=True):
    """Measure ids of the library: at least one of each (requirement R23)."""

    primary: Annotated[tuple[Identifier, ...], Meta(min_length=1)]
    balancing: Annotated[tuple[Identifier, ...], Meta(min_length=1)]
    equity: Annotated[tuple[str, ...], Meta(min_length=1)]


class PlanDefaults(Record, frozen=True):
    """What an evaluation plan starts from.

    ``steps`` are the groups of a stepped wedge or a randomised roll-out, evenly apart; ``period_days`` and
    ``washout_days`` belong to a switchback; ``enrol: first_contact`` allocates each patient or clinician at the first
    event (with ``allocation`` blocked or minimised). Designs in which somebody chooses who begins when (staggered_did,
    controlled_its, sdid, synthetic_control) get their days when the plan is drafted. ``usd_per_unit`` is what one unit
    of improvement of the primary measure may cost; without it no verdict on cost-effectiveness is given.
    """

    design: Design = "cluster_randomised"
    unit: AllocationUnit = "clinic"
    baseline_days: Annotated[int, Meta(ge=0)] = 90
    horizon_days: Annotated[int, Meta(ge=1)] = 90
    allocation: Allocation = "stratified"
    enrol: Literal["listed", "first_contact"] = "listed"
    steps: Annotated[int, Meta(ge=2, le=200)] = 4
    period_days: Annotated[int, Meta(ge=1, le=365)] = 7
    washout_days: Annotated[int, Meta(ge=0, le=365)] = 0
    looks: Literal["once", "always_valid"] = "once"
    usd_per_unit: Annotated[float, Meta(gt=0)] | None = None


class TrainingRule(Record, frozen=True):
    """The training gate: share of the quiz to pass, and when it lapses."""

    minutes: Annotated[int, Meta(ge=1)] = 4
    pass_mark: Annotated[float, Meta(gt=0, le=1)] = 0.8
    expires_days: Annotated[int, Meta(ge=1)] = 180


class SurveyRule(Record, frozen=True):
    """When the three questions are asked: after the nth use, then at most once per ``every_days`` over all apps."""

    after_uses: Annotated[int, Meta(ge=1)] = 5
    every_days: Annotated[int, Meta(ge=1)] = 30


class RubricAttribute(Record, frozen=True):
    """One attribute that a reader scores from 1 to 5: what is asked, and what 1 and 5 mean."""

    name: Identifier
    question: Text
    low: Text
    high: Text


class QualityRule(Record, frozen=True):
    """How good the outputs must be, and how that is told.

    ``rubric`` replaces the default one of nine attributes; ``max_errors_per_100`` is the most errors (fabrications,
    omissions, inaccuracies) per 100 outputs in silent use; the margins are by how many errors per 100 outputs a new
    version or model may be worse, over all and in a group; ``judge`` is the route of the judge model.
    """

    rubric: tuple[RubricAttribute, ...] = ()
    max_errors_per_100: Annotated[float, Meta(gt=0)] | None = None
    margin_per_100: Annotated[float, Meta(gt=0)] = 5.0
    slice_margin_per_100: Annotated[float, Meta(gt=0)] = 10.0
    judge: str = "default"


class CostDriver(Record, frozen=True):
    """One line of what the app costs to run: ``usd`` per ``per``."""

    name: Text
    usd: Annotated[float, Meta(ge=0)]
    per: Literal["run", "month", "user", "hour", "once"]


class AppSpec(Record, frozen=True):
    """``app.yaml``: the register row, the entitlement, the data policy and the evidence plan in one place."""

    id: Identifier
    title: Text
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$")]
    area: Area
    problem: Text
    owner: Text
    sponsor: Text
    technical_owner: Text
    goals: Annotated[tuple[Identifier, ...], Meta(min_length=1)]
    task: Text
    tier: TierAnswers
    trigger: Trigger
    context: tuple[ContextRule, ...]
    output: Output
    review: ReviewRule
    measures: MeasureChoice
    stop_rule: Text
    fallback: Text
    risks: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    data_policy: DataPolicy = DataPolicy()
    guards: GuardRules = GuardRules()
    route: Route = Route()
    plan: PlanDefaults = PlanDefaults()
    training: TrainingRule = TrainingRule()
    survey: SurveyRule = SurveyRule()
    quality: QualityRule = QualityRule()
    costs: tuple[CostDriver, ...] = ()
    reference: str = ""
    triggers: tuple[Trigger, ...] = ()
    monitoring: MonitoringRule = MonitoringRule()

    @property
    def starts(self) -> tuple[Trigger, ...]:
        """All that starts the app: ``trigger``, and ``triggers`` beside it."""
        return (self.trigger, *self.triggers)


class App(Record, frozen=True):
    """An app folder, read and checked: the manifest with its texts.

    ``hash`` is the SHA-256 of manifest, prompt and lesson, so a run names exactly what ran. ``prompt`` is ``None``
    for an idea that cannot run yet.
    """

    spec: AppSpec
    hash: str
    prompt: str | None = None
    lesson: str | None = None
    folder: str = ""

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def runnable(self) -> bool:
        """Whether the folder holds all that a run needs."""
        return self.prompt is not None
