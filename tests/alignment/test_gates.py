"""Gates are computed from evidence; what is not measured does not pass; a waiver expires by itself."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from careplane.alignment import GATES, gate, import_items, sign_forecast, waive
from careplane.change import Score, ThreeQuestions
from careplane.errors import InputError, NotFound
from careplane.ledger import Ledger
from careplane.records.evidence import Effect, Result, Uptake
from careplane.records.portfolio import Gate
from careplane.store import Store

from .items import TODAY, row

AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
LIKED = ThreeQuestions(
    app="a", n=60, asked=80, response_rate=0.75, scores=(Score(question="like", top2=0.7, low=0.575, high=0.8, mean=4),)
)


def effect(role: str, **changes: Any) -> Effect:
    values: dict[str, Any] = {
        "plan": "a-1", "measure": "msg_turnaround", "unit": "h", "direction": "lower", "estimate": -2.0,
        "ci_low": -3.0, "ci_high": -1.0, "p_value": 0.01, "n": 900, "clusters": 12, "method": "CR2",
        "verdict": "benefit", "sentence": "Shorter.", "grade": "A", "mcid": 0.5, "mean_intervention": 8.0,
        "mean_control": 10.0, "n_intervention": 450, "n_control": 450,
    }  # fmt: skip
    return Effect(role=role, **{**values, **changes})


def result(*effects: Effect) -> Result:
    uptake = Uptake(
        plan="a-1", eligible=450, offered=440, used=180, accepted=100, edited=80, rejected=60, refused=10,
        share=0.4, ci_low=0.35, ci_high=0.45,
    )  # fmt: skip
    return Result(
        plan="a-1", plan_hash="h", effects=effects, equity=(), uptake=uptake, missing={}, computed_at=AT,
        data_hash="d", code_version="1",
    )  # fmt: skip


GOOD = result(effect("primary"), effect("balancing", measure="message_minutes", verdict="inconclusive"))


def statuses(found: Gate) -> dict[str, str]:
    return {check.name: check.status for check in found.checks}


@pytest.fixture
def ready(store: Store, ledger: Ledger) -> Store:
    import_items(store, [row("a", adoption_plan=("training", "support"))])
    sign_forecast(store, ledger, "a", 100_000, "CFO", AT)
    return store


def test_g3_passes_on_evidence(ready: Store) -> None:
    found = gate(ready, "a", "G3", TODAY, result=GOOD, questions=LIKED, trained_share=0.95)
    assert found.passed, statuses(found)
    assert found.decides == "fast-track pair"
    assert found.checks[0].text == "Shorter. n = 900, grade A."


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("primary_effect", {"result": result(effect("primary", verdict="inconclusive"), effect("balancing"))}),
        ("no_balancing_breach", {"result": result(effect("primary"), effect("balancing", verdict="harm"))}),
        ("trained", {"trained_share": 0.89}),
        ("use_as_planned", {"use_target": 0.5}),
        ("three_questions", {"questions": replace(LIKED, scores=(), withheld="Withheld: fewer than 11.")}),
    ],
)
def test_g3_fails_on_each_check_alone(ready: Store, check: str, changes: dict[str, Any]) -> None:
    given: dict[str, Any] = {"result": GOOD, "questions": LIKED, "trained_share": 0.95, **changes}
    found = statuses(gate(ready, "a", "G3", TODAY, **given))
    assert [name for name, status in found.items() if status != "pass"] == [check]


def test_what_is_not_measured_does_not_pass(store: Store) -> None:
    import_items(store, [row("a")])
    found = gate(store, "a", "G3", TODAY)
    assert not found.passed
    assert statuses(found)["primary_effect"] == "not_measured"


def test_a_waiver_holds_until_it_expires(ready: Store, ledger: Ledger) -> None:
    waive(ready, ledger, "a", "trained", "CMO", "Night staff follow in July.", date(2026, 7, 1), AT)
    held = gate(ready, "a", "G3", date(2026, 7, 1), result=GOOD, questions=LIKED, trained_share=0.5)
    assert statuses(held)["trained"] == "waived"
    assert held.passed
    lapsed = gate(ready, "a", "G3", date(2026, 7, 2), result=GOOD, questions=LIKED, trained_share=0.5)
    assert statuses(lapsed)["trained"] == "fail"
    with pytest.raises(InputError):
        waive(ready, ledger, "a", "trained", "CMO", "Old.", date(2026, 5, 1), AT)


def test_a_waiver_never_hides_a_pass(ready: Store, ledger: Ledger) -> None:
    waive(ready, ledger, "a", "trained", "CMO", "Just in case.", date(2026, 7, 1), AT)
    found = gate(ready, "a", "G3", TODAY, result=GOOD, questions=LIKED, trained_share=1.0)
    assert statuses(found)["trained"] == "pass"


@pytest.mark.parametrize(("tier", "status"), [(2, "pass"), (3, "fail")])
def test_g4_asks_more_of_tier_3(store: Store, tier: int, status: str) -> None:
    import_items(store, [row("a", tier=tier)])
    weak = result(effect("primary", ci_high=-0.2))
    assert statuses(gate(store, "a", "G4", TODAY, result=weak))["primary_interval"] == status


@pytest.mark.parametrize("name", sorted(GATES))
def test_every_gate_answers(ready: Store, name: str) -> None:
    assert gate(ready, "a", name, TODAY).checks


def test_an_unknown_gate_names_the_gates(ready: Store) -> None:
    with pytest.raises(NotFound, match="G0, G1"):
        gate(ready, "a", "G9", TODAY)


def test_a_before_after_figure_never_passes_a_scale_gate_even_waived(ready: Store, ledger: Ledger) -> None:
    waive(ready, ledger, "a", "design_grade", "CMO", "We are sure.", date(2026, 7, 1), AT)
    uncontrolled = result(effect("primary", grade="D"), effect("balancing"))
    held = gate(ready, "a", "G4", TODAY, result=uncontrolled)
    assert statuses(held)["design_grade"] == "fail"
    assert "No waiver holds for this." in next(one.text for one in held.checks if one.name == "design_grade")
    assert statuses(gate(ready, "a", "G4", TODAY, result=result(effect("primary", grade="C"))))["design_grade"] in (
        "waived",
        "pass",
    )


def test_a_plan_that_asks_for_not_worse_passes_on_not_worse(ready: Store) -> None:
    level = {"hypothesis": "non_inferiority", "verdict": "no worthwhile effect", "ci_low": -0.2, "ci_high": 0.3}
    for held, status in ((True, "pass"), (False, "fail")):
        found = gate(ready, "a", "G3", TODAY, result=result(effect("primary", not_worse=held, **level)))
        assert statuses(found)["primary_effect"] == status
