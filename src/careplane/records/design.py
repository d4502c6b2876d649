"""The parts of an evaluation plan that depend on its design: how arms are drawn, when exposure begins, and when the
data are looked at."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from careplane.records import Record

Design = Literal[
    "individually_randomised",
    "cluster_randomised",
    "stepped_wedge",
    "randomised_rollout",
    "staggered_did",
    "interrupted_time_series",
    "controlled_its",
    "switchback",
    "synthetic_control",
    "sdid",
    "before_after",
]
AllocationUnit = Literal["patient", "clinician", "unit", "clinic", "ward", "site"]
"""What gets an arm. ``unit``, ``clinic`` and ``ward`` are the unit of an event, ``site`` its hospital."""

Allocation = Literal["stratified", "blocked", "minimised"]
Arm = Literal["intervention", "control"]
Hypothesis = Literal["superiority", "non_inferiority"]
Adjust = Literal["baseline", "none"]

RANDOMISED: frozenset[Design] = frozenset(
    {"individually_randomised", "cluster_randomised", "stepped_wedge", "randomised_rollout", "switchback"}
)
"""Designs in which chance decides who is exposed when."""

STAGGERED: frozenset[Design] = frozenset({"stepped_wedge", "randomised_rollout", "staggered_did"})
"""Designs in which units begin one after the other."""

Why = Literal["", "control", "refused", "stopped", "failed", "late", "away", "lacking", "busy", "shadow"]
"""Why an app did not speak at an eligible event; empty when it did."""


class AnalysisMethod(Record, frozen=True):
    """An estimator of the shelf, by its name, and the keys that its specification gets besides the data's."""

    estimator: str
    keys: dict[str, Any] = msgspec.field(default_factory=dict)


class Looks(Record, frozen=True):
    """When the data are looked at before the end.

    ``once``: at the end only. ``group_sequential``: on the ``days`` (each a day of the pilot, rising; the last look is
    the end of the plan, and is not listed), the error spent by ``boundary`` (that of the estimator
    ``group_sequential``). ``always_valid``: at any time, by a confidence sequence.
    """

    kind: Literal["once", "group_sequential", "always_valid"] = "once"
    days: tuple[date, ...] = ()
    boundary: Literal["pocock", "obrien_fleming", "lan_demets_pocock", "lan_demets_obrien_fleming"] = (
        "lan_demets_obrien_fleming"
    )


class Minimisation(Record, frozen=True):
    """How minimisation balances (Pocock & Simon 1975, Biometrics 31:103): ``levels`` of each factor of a listed unit
    (those of a person who arrives are the unit and site of the first event), the ``weights`` of the factors (1 where
    none is given), and the probability of the arm that balances better."""

    levels: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    weights: dict[str, float] = msgspec.field(default_factory=dict)
    probability: Annotated[float, Meta(ge=0.5, le=1)] = 0.8


class Switching(Record, frozen=True):
    """A switchback: periods of so many days, in pairs of both arms in random order; the first ``washout_days`` of a
    period are carry-over from the one before and are left out of the analysis."""

    period_days: Annotated[int, Meta(ge=1)]
    washout_days: Annotated[int, Meta(ge=0)] = 0


class PlanChange(Record, frozen=True):
    """What made this version of a plan out of the one before: the fields ``changed``, why, when, by whom.

    ``results_seen`` counts the analyses that had been made by then.
    """

    reason: str
    at: datetime
    by: str
    changed: tuple[str, ...]
    from_hash: str
    results_seen: int = 0


class Placement(Record, frozen=True):
    """Where an event stands in a running plan: its arm at that time; ``None`` when the plan gives it none, with the
    reason. ``subject`` and ``moved`` are those of :class:`Exposure`."""

    plan: str
    arm: Arm | None
    subject: str = ""
    moved: bool = False
    reason: str = ""


class Exposure(Record, frozen=True):
    """One eligible event of a running plan, whether or not the app spoke. References are FHIR references.

    ``subject`` is what has the arm (the unit, person or site); ``arm`` is ``None`` when the plan gives it none;
    ``spoke`` says that a draft was shown, ``why`` why not; ``rule`` is the check that refused. ``moved`` says that the
    subject was allocated in another unit than that of the event; it keeps its arm.
    """

    plan: str
    app: str
    event: str
    at: datetime
    arm: Arm | None
    spoke: bool
    why: Why = ""
    rule: str = ""
    subject: str = ""
    unit: str | None = None
    site: str | None = None
    patient: str | None = None
    clinician: str | None = None
    run: str | None = None
    moved: bool = False
