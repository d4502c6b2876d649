"""What an improvement costs: by hand, against BCEA's vaccine example, and what is refused or not measured."""

import csv
import gzip
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from careplane._shelf import load
from careplane.estimators._item import item
from careplane.records.app import CostDriver
from careplane.records.erp import Rate
from careplane.records.evidence import Effect, Plan, PlannedMeasure, Result, Uptake
from careplane.records.money import CostLine, Effectiveness
from careplane.records.people import Person
from careplane.records.run import Event, Permit, Review, Run
from careplane.store import Store, save, stamp
from careplane.store.tables import erp_records, people, runs
from careplane.value import effectiveness, import_costs
from careplane.value.effectiveness import from_parts, weigh
from careplane.value.event_costs import Part, event_costs

ICER = item(load("estimators", "icer"))
START, END = date(2026, 3, 2), date(2026, 3, 30)
AT = datetime(2026, 4, 10, tzinfo=UTC)
PLAN = Plan(
    id="p", app="a", version=1, question="?", design="cluster_randomised", unit="clinic", clusters=("u1", "u2"),
    strata={"u1": "s", "u2": "s"},
    measures=(PlannedMeasure(id="msg_turnaround", role="primary", unit="h", direction="lower", mcid=1.0),),
    equity=("language",), baseline_start=START - timedelta(days=28), start=START, end=END, seed=7, alpha=0.05,
    analysis="", decision_rule="", power="",
)  # fmt: skip
EFFECT = Effect(
    plan="p", measure="msg_turnaround", role="primary", unit="h", direction="lower", estimate=-2.0, ci_low=-2.4,
    ci_high=-1.6, p_value=0.001, n=20, clusters=12, method="CR2", verdict="benefit", sentence="", grade="A", mcid=1.0,
    mean_intervention=2.0, mean_control=4.0, n_intervention=10, n_control=10, df=8.0, se=0.2,
)  # fmt: skip


def found_of(effect: Effect = EFFECT, eligible: int = 10) -> Result:
    uptake = Uptake(
        plan="p", eligible=eligible, offered=4, used=4, accepted=4, edited=0, rejected=0, refused=0, share=0.4,
        ci_low=0.2, ci_high=0.6,
    )  # fmt: skip
    return Result(
        plan="p", plan_hash="h", effects=(effect,), equity=(), uptake=uptake, missing={}, computed_at=AT,
        data_hash="d", code_version="1",
    )  # fmt: skip


def run(store: Store, n: int, arm: str = "intervention", cost: float = 0.5, by: str = "Practitioner/p1") -> None:
    at = datetime(2026, 3, 3, 9, tzinfo=UTC)
    event = Event(id=f"e{n}", app="a", kind="k", at=at)
    review = Review(action="accept", by=by, at=at, seconds=36.0)
    made = Run(
        id=f"r{n}", app="a", app_version="1.0.0", app_hash="h", event=event, status="accepted", plan="p", arm=arm,
        permit=Permit(allowed=True, reasons=()), created_at=at, review=review,
    )  # fmt: skip
    row = {"event": event.id, "status": "accepted", "at": stamp(at), "cost_usd": cost, "plan": "p", "arm": arm}
    with store.write() as connection:
        save(connection, runs, made, id=made.id, app="a", **row)


def posted(ident: str, usd: float, item_id: str = "a", category: str = "licence", on: date = START) -> CostLine:
    return CostLine(id=ident, item=item_id, category=category, usd=usd, on=on, cost_centre="1", source="costs.csv:2")


def price(store: Store, result: Result, usd: float | None = None, *drivers: CostDriver) -> Effectiveness:
    return effectiveness(store, PLAN, result, ICER, drivers, usd)


def test_cost_of_an_event_by_hand(store: Store) -> None:
    import_costs(
        store, [posted("1", 40), posted("credit", -10), posted("p", 30, "platform"), posted("late", 999, on=END)]
    )
    with store.write() as connection:
        rate = Rate(job="nurse", per_hour=Decimal(100), source="rates.csv:2")
        save(connection, erp_records, rate, kind="rate", id="nurse", on="2026-01-01", file="rates.csv")
        nurse = Person(id="Practitioner/p1", name="P", job="nurse", unit="u1", site="s", department="d")
        save(connection, people, nurse, id=nurse.id, unit="u1", job="nurse")
    for n, by in enumerate(["Practitioner/p1", "Practitioner/p1", "Practitioner/p1", "Practitioner/p2"]):
        run(store, n, by=by)
    run(store, 9, arm="control", cost=100.0)
    parts, missing = event_costs(store, PLAN, found_of(), [CostDriver(name="x", usd=9, per="once")])
    assert {part.name: round(part.usd, 6) for part in parts} == {
        "Licence": 3.0,
        "Platform share": 3.0,
        "Review time": 0.3,
    }
    assert any("1 of 4 reviews" in one for one in missing), "the job of one person is not known"
    assert any(one.startswith("Model calls: none") for one in missing), "no call of these runs has a price"


def test_two_points_without_spread_are_a_division(store: Store) -> None:
    effect = replace(EFFECT, se=1e-9, df=None)
    found = from_parts(PLAN, effect, 10, [Part("licence", 3.0, "booked")], [], ICER, 2.0, draws=100)
    assert found.icer == pytest.approx(1.5)
    assert found.icer_low == pytest.approx(1.5)
    assert found.icer_high == pytest.approx(1.5)
    assert found.stated is not None
    assert found.stated.net_benefit == pytest.approx(2 * 2.0 - 3.0)
    assert found.stated.acceptability == 1.0
    assert found.stated.evpi == pytest.approx(0.0)
    assert found.verdict.startswith("Worth what it costs at the stated $2 per h")
    dear = from_parts(PLAN, effect, 10, [Part("licence", 3.0, "booked")], [], ICER, 1.0, draws=100)
    assert dear.verdict.startswith("Not worth")


def test_draws_have_the_stated_means_and_spreads() -> None:
    rng = np.random.default_rng(1)
    gamma = Part("calls", 0.2, "", se=0.05).draw(rng, 200_000)
    assert (gamma.mean(), gamma.std()) == (pytest.approx(0.2, rel=0.01), pytest.approx(0.05, rel=0.01))
    pert = Part("once", 6.0, "", assumed=True).draw(rng, 200_000)
    assert pert.mean() == pytest.approx((3 + 4 * 6 + 12) / 6, rel=0.01)
    assert 3 <= pert.min() < pert.max() <= 12
    assert set(Part("booked", -1.0, "").draw(rng, 3)) == {-1.0}


def test_without_a_stated_price_there_is_a_curve_and_no_verdict(store: Store) -> None:
    import_costs(store, [posted("1", 40)])
    for n in range(4):
        run(store, n)
    found = price(store, found_of())
    assert (found.verdict, found.stated) == ("", None)
    assert found.icer == pytest.approx(found.cost / found.effect if found.cost and found.effect else None)
    shares = [one.acceptability for one in found.curve]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == pytest.approx(1.0, abs=0.01)
    assert any("platform" in one.lower() for one in found.not_measured)
    assert price(store, found_of()) == found, "the draws follow the seed of the plan"


def test_an_uncertain_improvement_has_no_upper_price(store: Store) -> None:
    import_costs(store, [posted("1", 40)])
    found = price(store, found_of(replace(EFFECT, se=1.5)), 2.0)
    assert found.icer_low is not None
    assert found.icer_high is None
    assert "no upper end" in found.sentence
    assert found.verdict.startswith("Not settled")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"estimate": 0.5}, "did not improve"),
        ({"se": None}, "no standard error"),
        ({"direction": "context"}, "no direction"),
    ],
)
def test_what_cannot_be_priced_says_why(store: Store, changes: dict[str, Any], why: str) -> None:
    import_costs(store, [posted("1", 40)])
    found = price(store, found_of(replace(EFFECT, **changes)))
    assert why in found.why_not
    assert found.icer is None


def test_no_cost_is_not_measured_and_assumptions_are_marked(store: Store) -> None:
    assert "no cost of this app" in price(store, found_of()).why_not
    drivers = (CostDriver(name="Integration", usd=60, per="once"), CostDriver(name="Help", usd=9, per="hour"))
    found = price(store, found_of(), None, *drivers)
    [part] = found.parts
    assert (part.name, part.assumed) == ("Integration", True)
    assert 3 <= part.low < 6 < part.high <= 12
    assert "Help: hours are not recorded." in found.not_measured


def test_minutes_of_staff_are_not_counted_twice(store: Store) -> None:
    import_costs(store, [posted("1", 40)])
    found = price(store, found_of(replace(EFFECT, measure="message_minutes", unit="min")))
    assert any("counts them already" in one for one in found.not_measured)


def test_the_influenza_vaccine_of_bcea(shared: Path) -> None:
    with gzip.open(shared / "data/evidence/bcea_vaccine_psa.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines))
    references = json.loads((shared / "data/evidence/reference.json").read_text())["references"]
    expected = next(one for one in references if one["id"] == "D13")["expected"]
    e0, e1, c0, c1 = (np.array([float(row[name]) for row in rows]) for name in ("e0", "e1", "c0", "c1"))
    asked = sorted({float(one) for key in ("EIB", "CEAC", "EVPI") for one in expected[key]})
    ratio, curve = weigh(ICER, e1 - e0, c1 - c0, asked, 0.05)
    assert ratio == pytest.approx(expected["ICER"], rel=1e-6)
    for key, name in (("EIB", "net_benefit"), ("CEAC", "acceptability"), ("EVPI", "evpi")):
        for threshold, value in expected[key].items():
            assert getattr(curve[float(threshold)], name) == pytest.approx(value, rel=1e-6), (key, threshold)
