"""Quality of what a model wrote: errors by class and harm, readings by people and by a judge, and their sums."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from careplane.records import Record
from careplane.records.app import RubricAttribute

ErrorClass = Literal[
    "fabrication",
    "omission",
    "wrong_value",
    "wrong_negation",
    "wrong_laterality",
    "wrong_attribution",
    "unsafe_advice",
    "stigmatising",
    "wrong_level",
    "privacy_leak",
]
"""Errors of the output stage (governance content, section 4, after Hose 2025). ``wrong_level`` is a wrong language or
reading level, ``stigmatising`` biased or stigmatising words."""

INACCURACIES: tuple[ErrorClass, ...] = ("wrong_value", "wrong_negation", "wrong_laterality", "wrong_attribution")
Harm = Literal["none", "mild", "moderate", "severe", "death", "unknown"]
"""What the error could do to the patient if the text were signed as it is (AHRQ-style)."""

Score = Annotated[int, Meta(ge=1, le=5)]
SliceVerdict = Literal["kept", "not shown", "regressed", "withheld", "not measured"]
ComparisonVerdict = Literal["kept", "not shown", "regressed"]
Unit = Literal["per 100 outputs", "share"]


class Mark(Record, frozen=True):
    """One error in one output: what it is, what it could do, and in which sentence (0-based; ``None``: of the whole,
    as for an omission)."""

    kind: ErrorClass
    harm: Harm = "unknown"
    sentence: int | None = None
    note: str = ""


class Sample(Record, frozen=True):
    """Outputs drawn at random for two readers, more often where the risk is. ``population`` outputs could have been
    drawn; ``rubric`` is what readers score. Readers and adjudicator are three different accounts or people."""

    id: str
    app: str
    drawn_at: datetime
    drawn_by: str
    readers: tuple[str, str]
    adjudicator: str
    population: int
    size: int
    seed: int
    rubric: tuple[RubricAttribute, ...]


class Sampled(Record, frozen=True):
    """One output of a sample. ``probability`` is that of being drawn, ``stratum`` the risk it was drawn from with
    ``stratum_size`` outputs; ``model`` and ``version`` are never shown to a reader."""

    sample: str
    output: str
    n: int
    app: str
    version: str
    hash: str
    model: str
    stratum: str
    stratum_size: int
    probability: float


class Reading(Record, frozen=True):
    """What one reader saw in one output."""

    sample: str
    output: str
    reader: str
    at: datetime
    marks: tuple[Mark, ...]
    scores: dict[str, Score]
    seconds: float = 0.0


class Adjudication(Record, frozen=True):
    """What an output holds for good: two readers agreed, or a third decided. Measure M18 counts these.

    ``reader`` is who settled it (``agreed`` where nobody had to); ``others`` are errors that are neither fabrication,
    omission nor inaccuracy; ``adjudicated`` is true, as nothing stands here before it is settled.
    """

    sample: str
    output: str
    run: str
    app: str
    version: str
    hash: str
    model: str
    reader: str
    at: datetime
    marks: tuple[Mark, ...]
    scores: dict[str, float]
    fabrications: int
    omissions: int
    inaccuracies: int
    others: int
    probability: float
    stratum: str
    stratum_size: int
    adjudicated: bool = True

    @property
    def errors(self) -> int:
        """Fabrications, omissions and inaccuracies together (M18)."""
        return self.fabrications + self.omissions + self.inaccuracies


class Rate(Record, frozen=True):
    """A rate with its interval. ``n`` outputs were looked at, ``events`` errors were seen in them; ``low`` and ``high``
    are ``None`` where nothing can be said, with the reason in ``withheld``."""

    name: str
    unit: Unit
    value: float | None
    low: float | None
    high: float | None
    n: int
    events: int
    method: str
    withheld: str = ""


class Agreement(Record, frozen=True):
    """How far readers agree on one thing beyond chance: ``n`` outputs, ``raters`` readers, ``raw`` share agreed on."""

    what: str
    coefficient: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    raters: int
    raw: float
    method: str


class EvaluatedOutput(Record, frozen=True):
    """One output of an evaluation. ``group`` holds the slices it belongs to; ``seeded``: a known fault was put in and
    ``caught`` says whether the checks found it; ``failed`` is why there is no output at all."""

    key: str
    repeat: int
    groups: dict[str, str]
    marks: tuple[Mark, ...]
    critical: int
    words: int
    distance: float | None = None
    seeded: bool = False
    caught: bool | None = None
    missing: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    failed: str = ""
    probability: float = 1.0
    stratum: str = "all"
    stratum_size: int = 0


class Evaluation(Record, frozen=True):
    """An app version with one model, on its cases or on sampled real runs. The errors are those that the output checks
    and the expectations of the cases can see: a floor, not the truth."""

    id: str
    app: str
    version: str
    hash: str
    model: str
    source: Literal["cases", "runs", "replayed runs"]
    at: datetime
    by: str
    outputs: tuple[EvaluatedOutput, ...]
    rates: tuple[Rate, ...]
    population: int
    synthetic: bool = False

    @property
    def label(self) -> str:
        """Version and model, as people name it."""
        return f"{self.version}@{self.model}"


class Verdict(Record, frozen=True):
    """What a judge model said of one output; ``marks`` is ``None`` when its answer could not be read."""

    output: str
    judge: str
    app: str
    hash: str
    at: datetime
    marks: tuple[Mark, ...] | None
    failed: str = ""


class Calibration(Record, frozen=True):
    """How far a judge agrees with the adjudicated human sample. ``judge`` is model and hash of the prompt; ``usable``
    is false with ``reasons`` when its verdicts may not be used. ``n`` outputs, ``positives`` of them with an error;
    ``weighted`` sensitivity and specificity are those of the population."""

    id: str
    app: str
    version: str
    hash: str
    judge: str
    model: str
    prompt: str
    rubric: str
    at: datetime
    n: int
    positives: int
    unreadable: int
    sensitivity: Rate
    specificity: Rate
    kappa: Agreement
    usable: bool
    reasons: tuple[str, ...]


class Slice(Record, frozen=True):
    """The difference between two versions in one group: ``b`` minus ``a``, errors per 100 outputs, more is worse.
    Withheld when it has fewer cases than the small cell."""

    dimension: str
    group: str
    n: int | None
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    margin: float
    verdict: SliceVerdict
    text: str


class Comparison(Record, frozen=True):
    """Two evaluations on the same cases: ``b`` is the candidate. ``verdict`` is what a swap is held to: ``reasons``
    say why it is blocked."""

    id: str
    app: str
    a: str
    b: str
    a_label: str
    b_label: str
    a_hash: str
    b_hash: str
    a_model: str
    b_model: str
    at: datetime
    pairs: int
    cases: int
    slices: tuple[Slice, ...]
    guardrails: tuple[Slice, ...]
    verdict: ComparisonVerdict
    reasons: tuple[str, ...]
    not_measured: tuple[str, ...] = ()
