"""What an app is worth, by purse: cash, capacity and soft time are kept apart and never added up.

Minutes that an effect saved are soft time, or capacity for the share that the schedule re-uses. Only what finance has
booked is cash. Coding intensity and visit volume are never a saving (evidence rules: a payer-cost externality).
"""

import re
from collections.abc import Collection, Sequence
from datetime import datetime

from careplane.records.evidence import Effect, Result
from careplane.records.money import CostLine, Value, ValueLine
from careplane.records.portfolio import RegisterItem
from careplane.store import Store
from careplane.value.costs import PLATFORM, costs_by_category, count_drafts, find_costs

LOADED_USD_PER_HOUR = 95.0
"""Loaded rate of the people whose time a measure counts; a default, until payroll rates are given."""
STAFF_TIME = frozenset({"message_minutes"})
"""Measures of staff time per event in the core library; a patient's wait is not one."""
NEVER_A_SAVING = frozenset({"coding_intensity", "wrvu"})
PLATFORM_SHARE = "platform share"
MODEL_CALLS = "model calls"
MODEL_USAGE = "model_usage"

_HOURS = {"h": 1.0, "hour": 1.0, "min": 1 / 60, "minute": 1 / 60, "s": 1 / 3600, "second": 1 / 3600}
_TIME_PER_EVENT = re.compile(r"(?P<time>h|hours?|min|minutes?|s|seconds?)(?:\s*(?:/|per)\s*\w+)?")


def value_of(
    store: Store,
    item: RegisterItem,
    result: Result | None,
    at: datetime,
    *,
    messages_per_year: float | None = None,
    usd_per_hour: float = LOADED_USD_PER_HOUR,
    capacity_share: float = 0.0,
    booked: Sequence[ValueLine] = (),
    staff_time: Collection[str] = STAFF_TIME,
) -> Value:
    """Costs to date and value a year of one item.

    Cost per run is (cost lines of the item + its share of the platform's + model calls) ÷ runs that reached a draft.
    The platform's lines are shared by runs. The model calls of the run record are left out when the ERP export bills
    model usage already. The reviewer's minutes are part of the measured effect, so they are not counted here again.

    Args:
        messages_per_year: events a year that the effect applies to; ``None`` values no time.
        usd_per_hour: loaded rate of the people whose time is measured.
        capacity_share: share of the minutes that the schedule re-uses, 0 to 1, as the department states.
        booked: lines that finance booked, cash or capacity.
        staff_time: the measures that count minutes of staff per event.
    """
    drafts, model_usd = count_drafts(store, item.id)
    costs = _costs(store, item.id, at, drafts, model_usd)
    total = sum(costs.values())
    lines = list(booked)
    if result is not None and messages_per_year is not None:
        for effect in result.effects:
            if effect.measure in staff_time:
                lines += time_value(item.id, effect, messages_per_year, usd_per_hour, capacity_share)
    return Value(
        item=item.id,
        cost_total=total,
        costs=costs,
        lines=tuple(lines),
        runs=drafts,
        cost_per_run=total / drafts if drafts else None,
        computed_at=at,
    )


def time_value(
    item: str, effect: Effect, events_per_year: float, usd_per_hour: float, capacity_share: float = 0.0
) -> list[ValueLine]:
    """The staff time that an effect saves in a year, in USD with the effect's interval; negative when it costs time.

    Empty for a unit that is not time, and for what is never a saving.
    """
    hours = hours_per_event(effect.unit)
    if hours is None or effect.measure in NEVER_A_SAVING:
        return []
    usd = hours * events_per_year * usd_per_hour
    basis = (
        f"{effect.estimate:+.2f} {effect.unit} (95 % CI {effect.ci_low:+.2f} to {effect.ci_high:+.2f}) x "
        f"{events_per_year:,.0f} a year x ${usd_per_hour:g} an hour; nobody has booked it"
    )
    shares = (("capacity", capacity_share), ("soft", 1 - capacity_share))
    return [
        ValueLine(
            item=item,
            purse="capacity" if purse == "capacity" else "soft",
            usd_per_year=-effect.estimate * usd * share,
            low=-effect.ci_high * usd * share,
            high=-effect.ci_low * usd * share,
            basis=basis,
            measure=effect.measure,
        )
        for purse, share in shares
        if share > 0
    ]


def hours_per_event(unit: str) -> float | None:
    """Hours in one unit of time (``min``, ``s/message``); ``None`` for any other unit."""
    found = _TIME_PER_EVENT.fullmatch(unit.strip().lower())
    if found is None:
        return None
    time = found["time"]
    return _HOURS[time if time in _HOURS else time.removesuffix("s")]


def cash_per_year(value: Value) -> float:
    """The booked cash of a year, USD: the only purse that may enter a net value."""
    return sum(line.usd_per_year for line in value.lines if line.purse == "cash")


def model_usd_per_run(value: Value) -> float | None:
    """What one more run costs: its model calls, USD; ``None`` before the first run or where none was metered."""
    spent = value.costs.get(MODEL_USAGE, value.costs.get(MODEL_CALLS))
    return None if spent is None or not value.runs else spent / value.runs


def fixed_usd(value: Value) -> float:
    """What was spent whether or not the app runs: building, training, governing, and its share of the platform, USD."""
    return sum(usd for name, usd in value.costs.items() if name not in (MODEL_USAGE, MODEL_CALLS))


def _costs(store: Store, item: str, at: datetime, drafts: int, model_usd: float) -> dict[str, float]:
    costs = costs_by_category(find_costs(store, item, at))
    shared = _platform_share(find_costs(store, PLATFORM, at), drafts, count_drafts(store)[0])
    if shared:
        costs[PLATFORM_SHARE] = shared
    if model_usd and MODEL_USAGE not in costs:
        costs[MODEL_CALLS] = model_usd
    return costs


def _platform_share(lines: Sequence[CostLine], drafts: int, all_drafts: int) -> float:
    return sum(line.usd for line in lines) * drafts / all_drafts if all_drafts else 0.0
