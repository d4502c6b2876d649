"""After the pilot: the chart's data to the evidence, the effects, costs and value, the gate and the decision."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from careplane import alignment, change, value
from careplane.console.worth import live_gate, value_now
from careplane.evidence import analyse
from careplane.records import JSON
from careplane.records.evidence import Result
from careplane.records.money import AimCell, Value
from careplane.records.portfolio import DecisionItem, Gate, Outcome
from careplane.sandbox import Drafts, true_effects
from careplane.sandbox.journey.leadership import COMMITTEE, OWNER
from careplane.sandbox.journey.scene import APP, Scene
from careplane.server.wiring import console_context
from careplane.store.lake import load_path
from careplane.workflow import find_runs

ASKED_FOR_PROOF = "req-9"
"""The request of the sandbox's users that asks for what the pilot measures."""
FOLLOW_UP_DAYS = 14
"""Days after the last message in which replies still count."""


async def bring_data(scene: Scene) -> int:
    """Load what the EHR recorded in the pilot into the evidence tables; says how many resources."""
    pulled = scene.options.out / "export"
    pulled.mkdir(parents=True, exist_ok=True)
    since = f"ge{scene.scenario.pilot_start.isoformat()}"
    for resource, parameter in (("Communication", "sent"), ("AuditEvent", "date")):
        found = await scene.platform.fhir.search(resource, {parameter: since}, limit=100_000)
        _write_ndjson(pulled / f"{resource}.ndjson", found)
    return load_path(pulled, scene.platform.home).new


def estimate(scene: Scene) -> Result:
    """Analyse the locked plan."""
    platform = scene.platform
    assert scene.plan is not None  # noqa: S101 - set by the step before
    scene.clock.move_to(end_of_pilot(scene))
    scene.result = analyse(platform.store, platform.home, scene.plan, platform.measures, platform.estimators, scene.now)
    return scene.result


def end_of_pilot(scene: Scene) -> datetime:
    """When the last replies have come in."""
    last = scene.scenario.pilot_end + timedelta(days=FOLLOW_UP_DAYS)
    return datetime(last.year, last.month, last.day, tzinfo=scene.now.tzinfo)


def truth(scene: Scene) -> dict[str, float]:
    """The sandbox's true effects, given what drafts the intervention arm was offered; for comparison only."""
    runs = [run for run in find_runs(scene.platform.store, app=APP, limit=None) if run.arm == "intervention"]
    drafts = [run.draft for run in runs if run.draft is not None]
    worst: Counter[str] = Counter()
    for draft in drafts:
        severities = {finding.severity for finding in draft.findings}
        worst["critical" if "critical" in severities else "caution" if "caution" in severities else "clean"] += 1
    shares = Drafts(
        offered=len(drafts) / len(runs) if runs else 0.0,
        caution=worst["caution"] / len(drafts) if drafts else 0.0,
        critical=worst["critical"] / len(drafts) if drafts else 0.0,
    )
    return true_effects(scene.options.dataset, shares)


def value_and_aims(scene: Scene, result: Result) -> tuple[Value, list[AimCell]]:
    """The value of the app by purse, and the Triple Aim grid of everything in production or pilot, as the pages show
    them."""
    platform = scene.platform
    measured = value_now(console_context(platform), alignment.load_item(platform.store, APP), result)
    items = [item for item in alignment.find_items(platform.store) if item.stage in alignment.ACTIVE_STAGES]
    infos = {name: measure.info for name, measure in platform.measures.items()}
    return measured, value.triple_aim(platform.store, items, infos=infos)


def decide(scene: Scene, result: Result) -> tuple[Gate, DecisionItem]:
    """Compute the gate as its page does, and let the committee decide by its stated rule."""
    store, ledger, now = scene.platform.store, scene.platform.ledger, scene.now
    gate = live_gate(console_context(scene.platform), APP, "G3")
    opened = alignment.open_decision(
        store, ledger, APP, "Take reply drafts from pilot to limited production?", COMMITTEE, now,
        requested_by=OWNER, gate="G3", options=("approve", "approve_with_contingencies", "re_review", "stop"),
        evidence=(f"/evidence/{result.plan}",),
    )  # fmt: skip
    outcome, rationale, contingencies = committee_rule(result, gate)
    decision = alignment.decide(
        store, ledger, opened.id, outcome, by=COMMITTEE, rationale=rationale, at=now, contingencies=contingencies
    )
    if outcome in ("approve", "approve_with_contingencies"):
        item = alignment.load_item(store, APP)
        alignment.move_stage(store, ledger, item, "limited_production", now, COMMITTEE, rationale)
    elif outcome == "stop":
        alignment.move_stage(store, ledger, alignment.load_item(store, APP), "stopped", now, COMMITTEE, rationale)
    return gate, decision


def answer_users(scene: Scene, result: Result) -> None:
    """Close the loop: who asked whether the drafts save time is answered with what was measured."""
    measured = " ".join(effect.sentence for effect in result.effects)
    change.answer_request(scene.platform.store, ASKED_FOR_PROOF, "done", f"We measured it. {measured}", scene.now)


def committee_rule(result: Result, gate: Gate) -> tuple[Outcome, str, tuple[str, ...]]:
    """How the sandbox's committee decides: by the verdicts first, then by what the gate still lacks.

    Harm on any measure stops; a benefit on the primary measure is approved, with every check that did not pass as a
    contingency; all else is seen again.
    """
    primary = next(effect for effect in result.effects if effect.role == "primary")
    harmed = [effect for effect in result.effects if effect.verdict == "harm"]
    open_checks = tuple(
        f"{check.name.replace('_', ' ').capitalize()}: {check.text}"
        for check in gate.checks
        if check.status not in ("pass", "waived")
    )
    if harmed:
        return "stop", f"Harm: {harmed[0].sentence}", ()
    if primary.verdict != "benefit":
        return "re_review", f"Not enough to decide on: {primary.sentence}", ()
    if open_checks:
        return "approve_with_contingencies", primary.sentence, open_checks
    return "approve", primary.sentence, ()


def _write_ndjson(path: Path, resources: Sequence[JSON]) -> None:
    with path.open("wb") as out:
        for resource in resources:
            out.write(orjson.dumps(resource) + b"\n")
