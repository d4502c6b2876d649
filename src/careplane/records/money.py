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
