"""Drawing outputs for people to read: at random within strata of risk, more where the risk is, probabilities kept.

A stratum is what the output checks found (critical, caution, nothing) and whether the patient belongs to a group that
is seldom seen. Within a stratum every output has the same chance, so the inverse of it weighs a reading back
(Horvitz-Thompson). Every stratum gets at least two outputs, so that its variance can be told.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from careplane.errors import InputError
from careplane.records.run import Run

FLAG_WEIGHT = {"critical": 6.0, "caution": 3.0, "nothing": 1.0}
RARE_WEIGHT = 3.0
TIER_WEIGHT = {1: 1.0, 2: 2.0, 3: 4.0}
RARE_SHARE = 0.10
"""A group with less than this share of the outputs is seldom seen. All four are defaults of ours."""
SELDOM = frozenset({"race", "ethnicity", "language", "interpreter", "disability"})
"""The dimensions in which that is looked at: in enough dimensions everybody is seldom."""

Groups = Mapping[str, Mapping[str, str]]
"""The group of each patient (id without type) by dimension."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One output that was drawn."""

    run: Run
    stratum: str
    stratum_size: int
    probability: float


def strata_of(runs: Sequence[Run], groups: Groups) -> dict[str, list[Run]]:
    """The outputs by stratum of risk."""
    rare = _rare(runs, groups)
    found: dict[str, list[Run]] = {}
    for run in runs:
        flag = _flag(run)
        name = f"{flag}, seldom seen group" if run.id in rare else flag
        found.setdefault(name, []).append(run)
    return dict(sorted(found.items()))


def _flag(run: Run) -> str:
    severities = {finding.severity for finding in run.draft.findings} if run.draft else set()
    return "critical" if "critical" in severities else "caution" if "caution" in severities else "nothing"


def _rare(runs: Sequence[Run], groups: Groups) -> set[str]:
    """The runs whose patient is in a seldom seen group of any dimension."""
    rare: set[str] = set()
    for name, of_patient in groups.items():
        if name not in SELDOM:
            continue
        mine = {run.id: of_patient[who] for run in runs if (who := patient_id(run)) in of_patient}
        count = Counter(mine.values())
        rare |= {ident for ident, group in mine.items() if count[group] < RARE_SHARE * len(mine)}
    return rare


def patient_id(run: Run) -> str:
    """The id of the patient, as groups know it; empty where the run is of none."""
    return (run.event.patient or "").rpartition("/")[2]


def groups_of(run: Run, groups: Groups) -> dict[str, str]:
    """The group of a run's patient by dimension, as far as it is recorded."""
    who = patient_id(run)
    return {name: of_patient[who] for name, of_patient in groups.items() if who in of_patient}


def allocate(sizes: Mapping[str, int], weights: Mapping[str, float], n: int) -> dict[str, int]:
    """How many outputs to draw from each stratum: in proportion to size times weight, at least two, at most all.

    Raises:
        InputError: ``n`` is too small for two of each stratum.
    """
    least = {name: min(2, size) for name, size in sizes.items()}
    if n < sum(least.values()):
        text = f"must be {sum(least.values())} or more: two outputs of each of the {len(sizes)} strata of risk"
        raise InputError(text, field="size")
    given = dict(least)
    left = min(n, sum(sizes.values())) - sum(given.values())
    while left > 0:
        # the stratum that lacks most of its due; sizes and weights are few, so one at a time is quick enough
        due = {name: sizes[name] * weights[name] / (given[name] + 0.5) for name in sizes if given[name] < sizes[name]}
        given[max(sorted(due), key=lambda name: due[name])] += 1
        left -= 1
    return given


def draw(runs: Sequence[Run], groups: Groups, size: int, seed: int) -> list[Draw]:
    """Draw outputs of one app; the same seed draws the same, in a random order.

    Raises:
        InputError: there is nothing to draw from, or ``size`` is too small.
    """
    written = [run for run in runs if run.draft is not None]
    if not written:
        raise InputError("No run has an output to read yet.")
    strata = strata_of(written, groups)
    sizes = {name: len(members) for name, members in strata.items()}
    counts = allocate(sizes, {name: _weight(name) for name in strata}, size)
    random = np.random.default_rng(seed)
    drawn: list[Draw] = []
    for name, members in strata.items():
        ordered = sorted(members, key=lambda run: run.id)
        for place in random.choice(len(ordered), counts[name], replace=False):
            drawn.append(Draw(ordered[int(place)], name, sizes[name], counts[name] / sizes[name]))
    return [drawn[int(place)] for place in random.permutation(len(drawn))]


def _weight(stratum: str) -> float:
    flag, _, rare = stratum.partition(", ")
    return FLAG_WEIGHT[flag] * (RARE_WEIGHT if rare else 1.0)


def split(outputs: Mapping[str, int], tiers: Mapping[str, int], size: int) -> dict[str, int]:
    """How a number of readings is shared among apps: by outputs times the weight of the tier, at least two each.

    Raises:
        InputError: fewer than two for each app.
    """
    present = {app: count for app, count in outputs.items() if count}
    return allocate(present, {app: TIER_WEIGHT[tiers[app]] for app in present}, size)
