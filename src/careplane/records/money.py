"""Costs and value: what was spent, what changed, and in which purse. Money is USD."""

from datetime import date, datetime
from typing import Literal

from careplane.records import Record

Purse = Literal["cash", "capacity", "soft"]
Aim = Literal["patient_experience", "provider_experience", "population_health", "equity", "per_capita_cost"]


class CostLine(Record, frozen=True):
    """One line of the cost ledger. ``source`` says where it was read (file and line of the ERP export, or the run)."""

    id: str
    item: str
    category: str
    usd: float
    on: date
    cost_centre: str
    source: str
    description: str = ""
    synthetic: bool = False


class ValueLine(Record, frozen=True):
    """A measured change in money. ``purse`` is kept apart: cash leaves the budget, capacity is re-used on the schedule,
    soft is time nobody has booked. ``low``/``high`` follow the effect's interval. Only cash may enter a net value."""

    item: str
    purse: Purse
    usd_per_year: float
    low: float
    high: float
    basis: str
    measure: str


class Value(Record, frozen=True):
    """The value of one item: costs by category, value by purse, cost per run; ``None`` means not measured."""

    item: str
    cost_total: float
    costs: dict[str, float]
    lines: tuple[ValueLine, ...]
    runs: int
    cost_per_run: float | None
    computed_at: datetime


class AimCell(Record, frozen=True):
    """One cell of the Triple Aim grid; filled by a measured effect or it says "not measured"."""

    item: str
    aim: Aim
    status: Literal["measured", "not_measured"]
    text: str
    measure: str = ""
    estimate: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    unit: str = ""
    n: int | None = None
    grade: str = ""


class CostPart(Record, frozen=True):
    """One part of what an eligible event costs, USD, with the interval of its draws. ``basis`` says where it was read
    and how it was drawn (fixed, gamma, PERT); ``assumed`` that nobody booked or recorded it."""

    name: str
    usd: float
    low: float
    high: float
    basis: str
    assumed: bool = False


class WorthAt(Record, frozen=True):
    """What one willingness to pay (``usd`` per unit of improvement) makes of the draws, per eligible event: the mean
    net benefit with its interval, the share of draws in favour, and the expected value of perfect information, USD."""

    usd: float
    net_benefit: float
    low: float
    high: float
    acceptability: float
    evpi: float


class Effectiveness(Record, frozen=True):
    """What the improvement of a primary measure costs, per eligible event of the intervention arm, against usual care.

    Without ``icer`` nothing was computed and ``why_not`` says why. ``cost`` (USD) and ``effect`` (``unit``, positive is
    better) are means with the interval of the draws; ``icer_high`` is ``None`` where the draws set no upper end.
    ``curve`` is the acceptability curve; ``stated`` the point at the willingness to pay of the app, ``None`` where
    nobody stated one: then ``verdict`` is empty. ``not_measured`` lists what the cost leaves out. No cash anywhere.
    """

    plan: str
    measure: str
    unit: str
    why_not: str = ""
    events: int = 0
    parts: tuple[CostPart, ...] = ()
    not_measured: tuple[str, ...] = ()
    cost: float | None = None
    cost_low: float | None = None
    cost_high: float | None = None
    effect: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None
    icer: float | None = None
    icer_low: float | None = None
    icer_high: float | None = None
    draws: int = 0
    curve: tuple[WorthAt, ...] = ()
    stated: WorthAt | None = None
    verdict: str = ""
    sentence: str = ""
