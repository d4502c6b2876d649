"""The Triple Aim grid: each cell holds a measured effect with its interval and grade, or says "not measured"."""

from collections.abc import Mapping, Sequence
from typing import get_args

from careplane.records.evidence import Effect, EquityRow, MeasureInfo, Plan, Result
from careplane.records.money import Aim, AimCell
from careplane.records.portfolio import RegisterItem
from careplane.store import Store, find
from careplane.store.tables import plans
from careplane.store.tables import results as results_table

AIMS: tuple[Aim, ...] = get_args(Aim)
AIM_OF_TOPIC: Mapping[str, Aim] = {
    "patient experience": "patient_experience",
    "patient_experience": "patient_experience",
    "outcome": "population_health",
    "population": "population_health",
    "population_health": "population_health",
    "provider": "provider_experience",
    "provider experience": "provider_experience",
    "provider_experience": "provider_experience",
    "equity": "equity",
}
"""The aims of the measure library by cell. Process, safety and cost per event fill no cell of the grid."""
AIM_OF_MEASURE: Mapping[str, Aim] = {
    "msg_turnaround": "patient_experience",
    "message_minutes": "provider_experience",
    "pmpm_cost": "per_capita_cost",
}
"""The aim of core measures, for callers that have no measure library at hand."""


def triple_aim(
    store: Store,
    items: Sequence[RegisterItem],
    results: Mapping[str, Result] | None = None,
    infos: Mapping[str, MeasureInfo] | None = None,
) -> list[AimCell]:
    """Five cells for each item.

    Args:
        results: by item id; by default the newest result of each app in the store.
        infos: the measure library, which says what aim a measure serves.
    """
    found = newest_results(store) if results is None else results
    library = infos or {}
    return [_cell(item.id, aim, found.get(item.id), library) for item in items for aim in AIMS]


def newest_results(store: Store) -> dict[str, Result]:
    """By app, the newest result of any of its plans."""
    with store.read() as connection:
        app_of = {plan.id: plan.app for plan in find(connection, plans, Plan)}
        every = find(connection, results_table, Result, order_by=(results_table.c.computed_at,))
    return {app_of[result.plan]: result for result in every if result.plan in app_of}


def _cell(item: str, aim: Aim, result: Result | None, infos: Mapping[str, MeasureInfo]) -> AimCell:
    if result is not None and aim == "equity":
        return _equity_cell(item, result)
    serving = [effect for effect in result.effects if _aim(effect.measure, infos) == aim] if result else []
    if not serving:
        return AimCell(item=item, aim=aim, status="not_measured", text="not measured")
    return _effect_cell(item, aim, min(serving, key=lambda effect: effect.role != "primary"))


def _effect_cell(item: str, aim: Aim, effect: Effect) -> AimCell:
    return AimCell(
        item=item,
        aim=aim,
        status="measured",
        text=effect.sentence,
        measure=effect.measure,
        estimate=effect.estimate,
        ci_low=effect.ci_low,
        ci_high=effect.ci_high,
        unit=effect.unit,
        n=effect.n,
        grade=effect.grade,
    )


def _equity_cell(item: str, result: Result) -> AimCell:
    """The group that benefits least from the first primary effect, of those large enough to show."""
    primary = next((effect for effect in result.effects if effect.role == "primary"), None)
    rows = [row for row in result.equity if primary and row.measure == primary.measure and row.estimate is not None]
    if primary is None or not rows:
        return AimCell(item=item, aim="equity", status="not_measured", text="not measured")
    sign = 1 if primary.direction == "lower" else -1
    worst = max(rows, key=lambda row: sign * _estimate(row))
    text = f"Least benefit of {len(rows)} groups: {worst.dimension} {worst.group}."
    return AimCell(
        item=item,
        aim="equity",
        status="measured",
        text=text,
        measure=primary.measure,
        estimate=worst.estimate,
        ci_low=worst.ci_low,
        ci_high=worst.ci_high,
        unit=primary.unit,
        n=worst.n,
        grade=primary.grade,
    )


def _estimate(row: EquityRow) -> float:
    return row.estimate if row.estimate is not None else 0.0


def _aim(measure: str, infos: Mapping[str, MeasureInfo]) -> Aim | None:
    """A cost per event is no per-capita cost: that cell takes a cost per member per month only."""
    info = infos.get(measure)
    if info is None:
        return AIM_OF_MEASURE.get(measure)
    if info.aim in ("cost", "per_capita_cost"):
        return "per_capita_cost" if "PMPM" in info.unit else None
    return AIM_OF_TOPIC.get(info.aim)
