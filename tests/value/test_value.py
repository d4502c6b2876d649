"""Costs, purses and the Triple Aim grid."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from careplane.records.evidence import Effect, EquityRow, Result, Uptake
from careplane.records.money import CostLine, ValueLine
from careplane.records.portfolio import RegisterItem
from careplane.records.run import Event, Permit, Run
from careplane.store import Store, save, stamp
from careplane.store.tables import runs
from careplane.value import (
    cash_per_year,
    double_claims,
    fixed_usd,
    import_costs,
    model_usd_per_run,
    triple_aim,
    value_of,
)

AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
ITEM = RegisterItem(
    id="a", title="A", kind="platform_app", stage="pilot", tier=2, area="clinical", owner=None, sponsor=None, goals=(),
    departments=("Cardiology",), sites=(), task="", stage_since=AT.date(), registered_at=AT.date(),
)  # fmt: skip


def line(ident: str, usd: float, item: str = "a", category: str = "training", day: int = 1) -> CostLine:
    return CostLine(
        id=ident, item=item, category=category, usd=usd, on=date(2026, 6, day), cost_centre="1", source="costs.csv:2"
    )


def run(store: Store, n: int, app: str = "a", status: str = "accepted", cost: float = 0.5) -> None:
    event = Event(id=f"e{n}", app=app, kind="k", at=AT)
    made = Run(
        id=f"r{n}", app=app, app_version="1.0.0", app_hash="h", event=event, status=status,  # type: ignore[arg-type]
        permit=Permit(allowed=True, reasons=()), created_at=AT,
    )  # fmt: skip
    with store.write() as connection:
        save(connection, runs, made, id=made.id, app=app, event=event.id, status=status, at=stamp(AT), cost_usd=cost)


def effect(measure: str, unit: str, role: str = "primary", **changes: Any) -> Effect:
    values: dict[str, Any] = {
        "plan": "p", "direction": "lower", "estimate": -2.0, "ci_low": -3.0, "ci_high": -1.0, "p_value": 0.01,
        "n": 900, "clusters": 12, "method": "CR2", "verdict": "benefit", "sentence": "Shorter.", "grade": "A",
        "mcid": 0.5, "mean_intervention": 8.0, "mean_control": 10.0, "n_intervention": 450, "n_control": 450,
    }  # fmt: skip
    return Effect(measure=measure, unit=unit, role=role, **{**values, **changes})


def result(*effects: Effect, equity: tuple[EquityRow, ...] = ()) -> Result:
    uptake = Uptake(
        plan="p", eligible=1, offered=1, used=1, accepted=1, edited=0, rejected=0, refused=0, share=1, ci_low=0,
        ci_high=1,
    )  # fmt: skip
    return Result(
        plan="p", plan_hash="h", effects=effects, equity=equity, uptake=uptake, missing={}, computed_at=AT,
        data_hash="d", code_version="1",
    )  # fmt: skip


def test_import_is_idempotent_by_line(store: Store) -> None:
    assert import_costs(store, [line("1", 100), line("1", 100), line("2", -20.5)]) == 2
    assert import_costs(store, [line("1", 999)]) == 0
    assert value_of(store, ITEM, None, AT).costs == {"training": 79.5}


def test_cost_per_run_by_hand(store: Store) -> None:
    import_costs(store, [line("1", 100), line("2", 90, item="platform"), line("late", 7, day=2)])
    for n, (app, status) in enumerate([("a", "accepted"), ("a", "draft"), ("a", "refused"), ("b", "edited")]):
        run(store, n, app, status)
    value = value_of(store, ITEM, None, AT)
    assert value.runs == 2
    assert value.costs == pytest.approx({"training": 100, "platform share": 60, "model calls": 1.5})
    assert value.cost_per_run == pytest.approx(161.5 / 2)


def test_model_usage_is_not_counted_twice(store: Store) -> None:
    import_costs(store, [line("1", 10, category="model_usage")])
    run(store, 1)
    assert value_of(store, ITEM, None, AT).costs == {"model_usage": 10}


def test_nothing_ran_is_not_measured(store: Store) -> None:
    assert value_of(store, ITEM, None, AT).cost_per_run is None


def test_minutes_are_soft_or_capacity_and_never_cash(store: Store) -> None:
    found = result(effect("message_minutes", "min"), effect("msg_turnaround", "h"), effect("coding_intensity", "min"))
    value = value_of(
        store, ITEM, found, AT, messages_per_year=6000, usd_per_hour=60, capacity_share=0.25,
        staff_time={"message_minutes", "coding_intensity"},
    )  # fmt: skip
    assert [(one.purse, one.usd_per_year, one.low, one.high) for one in value.lines] == [
        ("capacity", 3000, 1500, 4500),
        ("soft", 9000, 4500, 13500),
    ]
    assert cash_per_year(value) == 0


def test_an_effect_that_costs_time_is_negative_value(store: Store) -> None:
    worse = result(effect("message_minutes", "min", estimate=1.0, ci_low=-0.5, ci_high=2.5))
    [one] = value_of(store, ITEM, worse, AT, messages_per_year=6000, usd_per_hour=60).lines
    assert (one.usd_per_year, one.low, one.high) == (-6000, -15000, 3000)


def test_only_what_finance_booked_is_cash(store: Store) -> None:
    booked = ValueLine(
        item="a", purse="cash", usd_per_year=5000, low=5000, high=5000, basis="Contract ended", measure="licence"
    )
    assert cash_per_year(value_of(store, ITEM, None, AT, booked=[booked])) == 5000


def test_the_same_minutes_are_claimed_once() -> None:
    lines = [
        ValueLine(item=item, purse="soft", usd_per_year=usd, low=0, high=usd, basis="", measure="message_minutes")
        for item, usd in (("a", 9000.0), ("b", 4000.0), ("c", 100.0))
    ]
    [found] = double_claims(lines, {"a": ["Cardiology", "ED"], "b": ["Cardiology"], "c": ["Surgery"]})
    assert (found.first, found.second, found.overstated, found.departments) == ("a", "b", 4000, ("Cardiology",))


def test_the_grid_says_not_measured(store: Store) -> None:
    assert {cell.text for cell in triple_aim(store, [ITEM])} == {"not measured"}


def test_the_grid_is_filled_by_effects(store: Store) -> None:
    def group(name: str, estimate: float | None) -> EquityRow:
        return EquityRow(
            plan="p", measure="msg_turnaround", dimension="language", group=name, n=100, estimate=estimate, ci_low=-3,
            ci_high=0.5,
        )  # fmt: skip

    found = result(
        effect("msg_turnaround", "h"),
        effect("message_minutes", "min", "balancing"),
        equity=(group("English", -2.5), group("Spanish", -0.4), group("Somali", None)),
    )
    cells = {cell.aim: cell for cell in triple_aim(store, [ITEM], {"a": found})}
    assert cells["patient_experience"].estimate == -2
    assert cells["provider_experience"].measure == "message_minutes"
    assert (cells["equity"].estimate, cells["equity"].status) == (-0.4, "measured")
    assert "Spanish" in cells["equity"].text
    assert cells["population_health"].status == "not_measured"
    assert cells["per_capita_cost"].status == "not_measured"


def test_cost_of_one_more_run_is_its_model_calls_only(store: Store) -> None:
    import_costs(store, [line("1", 79.5), line("2", 3.0, category="model_usage")])
    assert model_usd_per_run(value_of(store, ITEM, None, AT)) is None, "no run yet"
    run(store, 1)
    run(store, 2)
    value = value_of(store, ITEM, None, AT)
    assert model_usd_per_run(value) == pytest.approx(1.5)
    assert fixed_usd(value) == pytest.approx(79.5)
