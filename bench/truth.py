"""Whether the evidence engine finds what is true, where the truth is known: intervals, and what a committee would do.

Run ``python bench/truth.py [--seeds 100] [--programmes 100]``; the goals are stated for 500 of each. Everything is
generated and analysed in one process, without servers or files: the sandbox's own patients, messages and behaviour
model give the potential outcomes, the arms are those that the platform draws from the seed of the plan, and the
analysis is the one that ``careplane plan analyse`` runs, on rows in place of a lake.

*Coverage*: by seed of the sandbox, whether the 95 % interval of each measure holds the true intention-to-treat effect
(goal: in 94 % of 500 seeds or more). *Programmes*: simulated pilots of 24 clinics planned for 80 % power, of an app
that harms (goal: wrongly scaled in 2.5 % or fewer), of one that is worth it (wrongly stopped in 20 % or fewer), and of
one that helps most but harms a group by as much as the design finds (caught in 90 % or more).
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import sqrt
from pathlib import Path

import msgspec
import numpy as np

from _machine import record
from careplane._shelf import items, load
from careplane.estimators._item import Item, item
from careplane.evidence.allocation import draw
from careplane.evidence.analysis import compute
from careplane.evidence.rows import Extract, Rows
from careplane.evidence.study import Study
from careplane.evidence.uses import uses_of
from careplane.records.evidence import Assignment, Plan, PlannedMeasure, Result
from careplane.sandbox import Drafts, true_effects
from careplane.sandbox.behaviour import Outcomes, Parameters, outcomes, p_used
from careplane.sandbox.messages import Message, messages
from careplane.sandbox.people import people
from careplane.sandbox.scenario import Scenario
from careplane.sandbox.staffing import organise
from careplane.sandbox.truth import Truth

SHARES = Drafts(offered=0.97, caution=0.2, critical=0.03)
AFTER = datetime(2027, 6, 1, tzinfo=UTC)
MEASURES = {name: load("measures", name).MEASURE for name in ("msg_turnaround", "message_minutes")}
METHODS = ("cluster_itt", "exact_permutation", "cluster_ols", "lmm", "gee")
ITEMS: dict[str, Item] = {name: item(load("estimators", name)) for name in items("estimators") if name in METHODS}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--programmes", type=int, default=100)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    asked = parser.parse_args()
    started = time.perf_counter()
    found = {
        "seeds": asked.seeds,
        "programmes": asked.programmes,
        **coverage(range(asked.first, asked.first + asked.seeds)),
    }
    found |= programmes(asked.programmes, asked.first)
    record("truth", {**found, "seconds": round(time.perf_counter() - started, 1)})


# Coverage over the seeds of the sandbox


def coverage(seeds: Sequence[int]) -> dict[str, float]:
    """The share of seeds in which the interval of each measure holds the truth, and the mean error of the estimate."""
    held: dict[str, list[bool]] = {name: [] for name in MEASURES}
    error: dict[str, list[float]] = {name: [] for name in MEASURES}
    for seed in seeds:
        result, truth = one_seed(seed)
        for effect in result.effects:
            held[effect.measure].append(effect.ci_low <= truth[effect.measure] <= effect.ci_high)
            error[effect.measure].append(effect.estimate - truth[effect.measure])
    if not seeds:
        return {}
    told: dict[str, float] = {}
    for name in MEASURES:
        told[f"coverage_{name}"] = round(float(np.mean(held[name])), 4)
        told[f"bias_{name}"] = round(float(np.mean(error[name])), 4)
        told[f"bias_mc_se_{name}"] = round(float(np.std(error[name]) / sqrt(len(seeds))), 4)
    told["coverage"] = round(float(np.mean([one for name in MEASURES for one in held[name]])), 4)
    return told


def one_seed(seed: int) -> tuple[Result, dict[str, float]]:
    """The result of the demo's pilot at a seed, and the true effects."""
    scenario = Scenario(seed)
    organisation = organise(scenario)
    written = messages(scenario, organisation, people(scenario, organisation), {})
    rules = Parameters()
    potential = [_outcomes(scenario, rules, message) for message in written]
    plan = _plan(scenario, {unit.id: unit.site for unit in organisation.clinics})
    assigned = draw(plan)
    seen = _observed(seed, rules, written, potential, {one.unit for one in assigned if one.arm == "intervention"})
    result = compute(_study(plan, assigned, seen, {}))
    with tempfile.TemporaryDirectory() as folder:
        truth = Truth(note="", seed=seed, parameters=rules, messages=tuple(potential))
        (Path(folder) / "truth.json").write_bytes(msgspec.json.encode(truth))
        return result, true_effects(Path(folder), SHARES)


def _outcomes(scenario: Scenario, rules: Parameters, message: Message) -> Outcomes:
    patient = message.patient
    return outcomes(
        scenario.seed, rules, message=message.id, unit=patient.clinic.id, site=patient.clinic.site,
        clinician=patient.clinician, language=patient.language, race=patient.race[1], topic=message.topic,
        pilot=message.sent >= scenario.now,
    )  # fmt: skip


def _plan(scenario: Scenario, units: dict[str, str]) -> Plan:
    measures = (
        PlannedMeasure(id="msg_turnaround", role="primary", unit="h", direction="lower", mcid=1.0),
        PlannedMeasure(id="message_minutes", role="balancing", unit="min", direction="lower", mcid=0.5),
    )
    return made_plan(measures, units, scenario.seed, (scenario.start, scenario.pilot_start, scenario.pilot_end))


def made_plan(
    measures: tuple[PlannedMeasure, ...], units: dict[str, str], seed: int, days: tuple[date, date, date]
) -> Plan:
    """A locked cluster-randomised plan; ``days`` are the first of the baseline, of the pilot, and the end."""
    return Plan(
        id="bench", app="portal_reply", version=1, question="", design="cluster_randomised", unit="clinic",
        clusters=tuple(sorted(units)), strata=units, measures=measures, equity=("group",), baseline_start=days[0],
        start=days[1], end=days[2], seed=seed, alpha=0.05, analysis="", decision_rule="", power="",
        hash="0" * 64, locked_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def _observed(
    seed: int, rules: Parameters, written: Sequence[Message], potential: Sequence[Outcomes], treated: set[str]
) -> dict[str, Rows]:
    """What the record shows: the outcome with the draft where there was one, and what became of it."""
    rng = np.random.default_rng([seed, 7])
    qualities = SHARES.mix()
    names = [quality for quality, _share in qualities]
    odds = np.array([share for _quality, share in qualities])
    hours, minutes = [], []
    for row in potential:
        quality = rng.choice([*names, "none"], p=[*odds, max(0.0, 1 - odds.sum())])
        roll = rng.random()
        if not row.pilot or row.unit not in treated or quality == "none":
            y, m = row.y0_hours, row.minutes0
        else:
            used = p_used(row, rules, quality)
            y, m = (
                (row.y1_used_hours, row.minutes_used)
                if roll < used
                else (row.y1_unused_hours, row.minutes_unused)
                if roll < row.p_opened
                else (row.y0_hours, row.minutes0)
            )
        hours.append(y)
        minutes.append(m)
    at = np.array([int(message.sent.replace(tzinfo=UTC).timestamp()) for message in written])
    texts = [
        np.array(column, dtype=object)
        for column in (
            [row.message for row in potential],
            [row.unit for row in potential],
            [message.patient.id for message in written],
            [row.clinician for row in potential],
        )
    ]
    ones = np.ones(len(at))
    return {
        "msg_turnaround": Rows(texts[0], texts[1], texts[2], texts[3], at, np.array(hours), ones),
        "message_minutes": Rows(texts[0], texts[1], texts[2], texts[3], at, np.array(minutes), ones),
    }


def _study(plan: Plan, assigned: tuple[Assignment, ...], rows: dict[str, Rows], groups: dict[str, str]) -> Study:
    planned = {one.id: MEASURES[one.id] for one in plan.measures}
    data = Extract({name: rows[name] for name in planned}, {"group": groups})
    return Study(plan, assigned, planned, ITEMS, data, uses_of([]), AFTER, (), "0" * 64)


# Programmes: what a committee would do


@dataclass(frozen=True, slots=True)
class World:
    """A kind of app: its true effect in hours (lower is better) in most patients and in a fifth of them."""

    effect: float
    in_group: float


CLINICS, PER_CLINIC, ICC, SD = 24, 60, 0.05, 4.0
MCID = 0.9
PLANNED = 1.99
"""The difference found with 80 % power by 24 clinics of 60 rows (ICC .05, SD 4, t on 22 df), without the baseline."""
WORLDS = {
    "harmful": World(+1.0, +1.0),
    "worth_it": World(-PLANNED, -PLANNED),
    "harms_a_group": World(-PLANNED, +3.0),
}


def programmes(count: int, first: int) -> dict[str, float]:
    """How often each kind of app would be scaled or stopped, and how often harm to a group is seen."""
    if not count:
        return {}
    verdicts: dict[str, list[Result]] = {
        name: [one_programme(world, first + number) for number in range(count)] for name, world in WORLDS.items()
    }
    share = {
        "harmful_wrongly_scaled": [_scaled(one) for one in verdicts["harmful"]],
        "worth_it_wrongly_stopped": [_stopped(one) for one in verdicts["worth_it"]],
        "worth_it_called_benefit": [one.effects[0].verdict == "benefit" for one in verdicts["worth_it"]],
        "group_harm_caught": [any(w.harmed for w in one.worst) for one in verdicts["harms_a_group"]],
    }
    return {name: round(float(np.mean(held)), 4) for name, held in share.items()}


def _scaled(result: Result) -> bool:
    return result.effects[0].verdict == "benefit" and not any(one.harmed for one in result.worst)


def _stopped(result: Result) -> bool:
    return result.effects[0].verdict in ("no worthwhile effect", "harm") or any(one.harmed for one in result.worst)


def one_programme(world: World, seed: int) -> Result:
    """One pilot of 24 clinics in two strata, a baseline as long, a fifth of the patients in the group."""
    rng = np.random.default_rng([seed, round(100 * world.effect) % 1000, round(100 * world.in_group) % 1000])
    start = date(2026, 3, 2)
    units = {f"c{n:02}": f"s{n % 2}" for n in range(CLINICS)}
    measure = PlannedMeasure(id="msg_turnaround", role="primary", unit="h", direction="lower", mcid=MCID)
    days = (start - timedelta(days=84), start, start + timedelta(days=84))
    plan = made_plan((measure,), units, seed, days)
    assigned = draw(plan)
    clinic = np.repeat(np.arange(CLINICS), 2 * PER_CLINIC)
    pilot = np.tile(np.arange(2 * PER_CLINIC) >= PER_CLINIC, CLINICS)
    patient = rng.integers(0, 2000, len(clinic))
    inside = patient % 5 == 0
    treated = np.array([one.arm == "intervention" for one in assigned])[clinic] & pilot
    level = (
        rng.normal(0, SD * sqrt(ICC / 2), CLINICS)[clinic]
        + rng.normal(0, SD * sqrt(ICC / 2), (CLINICS, 2))[clinic, pilot.astype(int)]
    )
    value = 10 + level + rng.normal(0, SD * sqrt(1 - ICC), len(clinic))
    value += treated * np.where(inside, world.in_group, world.effect)
    midnight = int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp())
    at = midnight + np.where(pilot, 1, -1) * rng.integers(1, 84 * 86400 - 1, len(clinic))
    names = [one.unit for one in assigned]
    texts = [
        np.array([f"k{n:05}" for n in range(len(clinic))], dtype=object),
        np.array([names[n] for n in clinic], dtype=object),
        np.array([f"p{n}" for n in patient], dtype=object),
        np.array(["" for _ in clinic], dtype=object),
    ]
    groups = {f"p{n}": "inside" if n % 5 == 0 else "others" for n in np.unique(patient)}
    rows = Rows(texts[0], texts[1], texts[2], texts[3], at, value, np.ones(len(at)))
    return compute(_study(plan, assigned, {"msg_turnaround": rows}, groups))


if __name__ == "__main__":
    main()
