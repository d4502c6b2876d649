"""``summary.json``: the journey in one machine-readable page (documented in ``docs/reference/summary.md``)."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from careplane.alignment import count_items
from careplane.ledger import verify
from careplane.records import JSON
from careplane.records.evidence import Effect, EquityRow, Plan, Result
from careplane.records.money import AimCell, Value
from careplane.records.portfolio import DecisionItem, Gate, Signals
from careplane.records.run import Run
from careplane.sandbox.journey.scene import Scene
from careplane.value import fixed_usd, model_usd_per_run
from careplane.workflow import find_runs


def summarise(
    scene: Scene,
    *,
    result: Result,
    truth: Mapping[str, float],
    signals: Signals,
    gate: Gate,
    decision: DecisionItem,
    value: Value,
    cells: Sequence[AimCell],
) -> JSON:
    """The summary as JSON; every figure is read from what the modules computed.

    ``truth`` holds the sandbox's true effect by measure: known because the data are synthetic, and compared here only.
    """
    platform = scene.platform
    runs = find_runs(platform.store, limit=None)
    assert scene.plan is not None  # noqa: S101 - set by the step before
    return {
        "seed": scene.options.seed,
        "synthetic": True,
        "model": platform.settings.text("model"),
        "register": {
            "apps": count_items(platform.store),
            "running": sum(count_items(platform.store, stage=stage) for stage in ("pilot", "limited_production")),
        },
        "runs": _runs(runs),
        "plan": _plan(scene.plan),
        "effects": [_effect(effect, truth.get(effect.measure)) for effect in result.effects],
        "equity": [_equity(row) for row in result.equity],
        "uptake": msgspec.to_builtins(result.uptake),
        **_beside(result),
        "signals": {
            **{signal.id.lower(): _rounded(signal.value) for signal in signals.signals},
            "index": _rounded(signals.index),
        },
        "gate": _gate(gate),
        "decision": {
            "question": decision.question,
            "outcome": decision.outcome,
            "rationale": decision.rationale,
            "contingencies": list(decision.contingencies),
            "due_on": decision.due_on.isoformat(),
        },
        "value": _value(value),
        "triple_aim": [msgspec.to_builtins(cell) for cell in cells],
        "ledger": _ledger(scene),
    }


def _runs(runs: Sequence[Run]) -> JSON:
    status = Counter(run.status for run in runs)
    by_app = Counter(run.app for run in runs)
    return {
        "total": len(runs),
        **{name: status[name] for name in ("accepted", "edited", "rejected", "refused", "failed")},
        "not_reviewed": status["draft"],
        "by_app": dict(sorted(by_app.items())),
    }


def _plan(plan: Plan) -> JSON:
    assert plan.locked_at is not None  # noqa: S101 - an analysis is of a locked plan
    return {
        "id": plan.id,
        "hash": plan.hash,
        "locked_at": plan.locked_at.isoformat(),
        "design": plan.design,
        "clusters": len(plan.clusters),
    }


def _effect(effect: Effect, truth: float | None) -> JSON:
    fields = ("measure", "role", "unit", "n", "clusters", "method", "verdict", "grade", "sentence", "comparison")
    numbers = ("estimate", "ci_low", "ci_high", "p_value", "mcid", "mean_intervention", "mean_control")
    return {
        **{name: getattr(effect, name) for name in fields},
        **{name: _rounded(getattr(effect, name), 6) for name in numbers},
        "truth": _rounded(truth, 6),
        "interval_covers_truth": None if truth is None else effect.ci_low <= truth <= effect.ci_high,
    }


def _beside(result: Result) -> JSON:
    """What stands beside the effects: the worst groups, access, dose, power reached, and where the looks stand."""
    primary = next(effect for effect in result.effects if effect.role == "primary")
    look = primary.look
    return {
        "worst_groups": [{**msgspec.to_builtins(one), "bound": _rounded(one.bound, 6)} for one in result.worst],
        "access": [_digits(msgspec.to_builtins(row)) for row in result.access],
        "dose": [_digits(msgspec.to_builtins(row)) for row in result.dose],
        "power_reached": primary.reached,
        "monitor": None if look is None else _digits(msgspec.to_builtins(look)),
        "assumptions": [msgspec.to_builtins(one) for one in primary.assumptions],
        "data_hash": result.data_hash,
    }


def _digits(shown: JSON) -> JSON:
    return {name: _rounded(value, 6) if isinstance(value, float) else value for name, value in shown.items()}


def _equity(row: EquityRow) -> JSON:
    shown: JSON = msgspec.to_builtins(row)
    return _digits(shown)


def _gate(gate: Gate) -> JSON:
    return {
        "gate": gate.gate,
        "title": gate.title,
        "passed": gate.passed,
        "checks": [{"name": check.name, "status": check.status, "text": check.text} for check in gate.checks],
    }


def _value(value: Value) -> JSON:
    """Each purse on its own, never added up; ``None`` is "not measured"."""
    purses: JSON = {"cash": None, "capacity": None, "soft": None}
    for line in value.lines:
        purses[line.purse] = _rounded((purses[line.purse] or 0.0) + line.usd_per_year, 2)
    return {
        **purses,
        "cost_per_run": _rounded(value.cost_per_run, 4),
        "fixed_cost": _rounded(fixed_usd(value), 2),
        "model_cost_per_run": _rounded(model_usd_per_run(value), 4),
        "runs": value.runs,
        "cost_total": _rounded(value.cost_total, 2),
        "currency": "USD",
        "lines": [msgspec.to_builtins(line) for line in value.lines],
    }


def _ledger(scene: Scene) -> JSON:
    head = verify(scene.platform.home / "ledger")
    return {"records": head.seq, "head": head.hash, "verified": True}


def _rounded(number: float | None, digits: int = 1) -> float | None:
    return None if number is None else round(number, digits)
