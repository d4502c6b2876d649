"""Who gets which arm when: pure draws from the seed of a plan, the same for any order in which units are listed.

Every draw is a SHA-256 of the seed and of what it is for, so a later reader computes the same with any language:
numbers are the first 8 bytes of the digest over ``seed``, then the parts, joined by the character 0x1F.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import count

from careplane.records.design import Arm, Minimisation
from careplane.records.evidence import Assignment, Plan

ARMS: tuple[Arm, Arm] = ("intervention", "control")
Levels = Mapping[str, str]


def digest(seed: int, *parts: str) -> bytes:
    """The bytes that a draw comes from."""
    return hashlib.sha256("\x1f".join((str(seed), *parts)).encode()).digest()


def uniform(seed: int, *parts: str) -> float:
    """A number from 0 up to, not including, 1."""
    return int.from_bytes(digest(seed, *parts)[:8]) / 2**64


def draw(plan: Plan) -> tuple[Assignment, ...]:
    """The arms of the listed units of a plan, by unit; none where they are allocated when they arrive."""
    if plan.enrol == "first_contact":
        return ()
    return tuple(sorted(_DRAWS.get(plan.design, _by_allocation)(plan), key=lambda one: one.unit))


def halves(plan: Plan) -> list[Assignment]:
    """Half of each stratum: its units in the order of a hash of seed, stratum and unit, the first half intervention.

    In a stratum of odd size the hash of the stratum decides which arm gets the unit that is left.
    """
    drawn = []
    for stratum, units in _strata(plan):
        treated = (len(units) + digest(plan.seed, stratum)[0] % 2) // 2
        drawn += [_given(plan, unit, ARMS[rank >= treated]) for rank, unit in enumerate(units)]
    return drawn


def block_arm(seed: int, stratum: str, sizes: Sequence[int], position: int) -> Arm:
    """The arm at a position (from 0) of a stratum's list of permuted blocks; the size of each block is drawn too."""
    begins = 0
    for block in count():
        size = sizes[int(uniform(seed, "size", stratum, str(block)) * len(sizes))]
        if position < begins + size:
            slots = sorted(range(size), key=lambda slot: digest(seed, "block", stratum, str(block), str(slot)))
            return ARMS[slots[position - begins] >= size // 2]
        begins += size
    raise AssertionError("count() does not end")


def minimised_arm(
    seed: int, rule: Minimisation, held: Sequence[tuple[Levels, Arm]], levels: Levels, position: int
) -> Arm:
    """The arm by minimisation with a biased coin, after those that are held.

    The imbalance of an arm is the sum over factors of weight times the difference of the arms among those of the same
    level, if the newcomer got that arm (Pocock & Simon 1975, range method); all who were allocated count as one more
    factor of weight 1. Arms that balance equally get the newcomer with equal probability.
    """
    imbalance = {arm: _imbalance(rule.weights, held, levels, arm) for arm in ARMS}
    u = uniform(seed, "minimise", str(position))
    if imbalance["intervention"] == imbalance["control"]:
        return ARMS[u >= 0.5]
    better, worse = sorted(ARMS, key=lambda arm: imbalance[arm])
    return better if u < rule.probability else worse


def _imbalance(weights: Mapping[str, float], held: Sequence[tuple[Levels, Arm]], levels: Levels, arm: Arm) -> float:
    step = 1 if arm == "intervention" else -1
    total: float = abs(step + sum(_sign(given) for _, given in held))
    for factor, level in levels.items():
        difference = sum(_sign(given) for others, given in held if others.get(factor) == level)
        total += weights.get(factor, 1.0) * abs(step + difference)
    return total


def _sign(arm: Arm) -> int:
    return 1 if arm == "intervention" else -1


def listed_levels(plan: Plan, unit: str) -> dict[str, str]:
    """The factors of a listed unit: its stratum, and those of the plan."""
    own = plan.minimisation.levels.get(unit, {}) if plan.minimisation else {}
    return {"stratum": plan.strata[unit], **own}


def arrival_levels(plan: Plan, place: str, site: str) -> dict[str, str]:
    """The factors of a person who arrives: the place of the first event, its stratum, and the site."""
    return {"stratum": plan.strata[place], "unit": place, "site": site}


def _blocked(plan: Plan) -> list[Assignment]:
    return [
        _given(plan, unit, block_arm(plan.seed, stratum, plan.block_sizes, rank), position=rank)
        for stratum, units in _strata(plan)
        for rank, unit in enumerate(units)
    ]


def _minimised(plan: Plan) -> list[Assignment]:
    rule = plan.minimisation or Minimisation()
    held: list[tuple[Levels, Arm]] = []
    drawn = []
    for position, unit in enumerate(sorted(plan.clusters, key=lambda unit: digest(plan.seed, "order", unit))):
        levels = listed_levels(plan, unit)
        arm = minimised_arm(plan.seed, rule, held, levels, position)
        held.append((levels, arm))
        drawn.append(_given(plan, unit, arm, position=position))
    return drawn


def _by_allocation(plan: Plan) -> list[Assignment]:
    return {"stratified": halves, "blocked": _blocked, "minimised": _minimised}[plan.allocation](plan)


def _in_waves(plan: Plan) -> list[Assignment]:
    """An order of the units that mixes the strata, cut into one group for each step, as equal as can be.

    Each unit's place is its rank within the stratum, shifted by a draw of the stratum, over the stratum's size.
    """
    place: dict[str, tuple[float, bytes]] = {}
    for stratum, units in _strata(plan):
        shift = uniform(plan.seed, "shift", stratum)
        for rank, unit in enumerate(units):
            place[unit] = ((rank + shift) / len(units), digest(plan.seed, "wave", unit))
    ordered = sorted(place, key=place.__getitem__)
    groups = len(plan.steps)
    starts = [plan.steps[number * groups // len(ordered)] for number in range(len(ordered))]
    return [_given(plan, unit, "intervention", starts=day) for unit, day in zip(ordered, starts, strict=True)]


def _switching(plan: Plan) -> list[Assignment]:
    """Periods in pairs, each with both arms in random order; a last one that is alone gets either."""
    drawn = []
    for unit in plan.clusters:
        arms: list[Arm] = []
        for period in range(0, periods(plan), 2):
            first = digest(plan.seed, "switch", unit, str(period))[0] % 2
            arms += [ARMS[first], ARMS[1 - first]]
        sequence = tuple(arms[: periods(plan)])
        drawn.append(_given(plan, unit, sequence[0], sequence=sequence))
    return drawn


def _chosen(plan: Plan) -> list[Assignment]:
    """Where chance decides nothing: the waves of the plan; without waves all begin at the start."""
    waves = plan.waves or dict.fromkeys(plan.clusters, plan.start)
    return [
        _given(plan, unit, "intervention" if unit in waves else "control", starts=waves.get(unit))
        for unit in plan.clusters
    ]


_DRAWS: Mapping[str, Callable[[Plan], list[Assignment]]] = {
    "stepped_wedge": _in_waves,
    "randomised_rollout": _in_waves,
    "switchback": _switching,
    "staggered_did": _chosen,
    "interrupted_time_series": _chosen,
    "controlled_its": _chosen,
    "synthetic_control": _chosen,
    "sdid": _chosen,
    "before_after": _chosen,
}


def periods(plan: Plan) -> int:
    """How many periods a switchback has, the last one perhaps shorter."""
    days = plan.switching.period_days if plan.switching else 1
    return -(-(plan.end - plan.start).days // days)


def _strata(plan: Plan) -> list[tuple[str, list[str]]]:
    """Each stratum with its units in random order."""
    return [
        (stratum, sorted(units, key=lambda unit, stratum=stratum: digest(plan.seed, stratum, unit)))  # type: ignore[misc]
        for stratum in sorted(set(plan.strata.values()))
        if (units := [unit for unit in plan.clusters if plan.strata[unit] == stratum])
    ]


def _given(
    plan: Plan,
    unit: str,
    arm: Arm,
    *,
    starts: date | None = None,
    sequence: tuple[Arm, ...] = (),
    position: int | None = None,
) -> Assignment:
    return Assignment(
        plan=plan.id,
        unit=unit,
        arm=arm,
        stratum=plan.strata[unit],
        starts=starts,
        sequence=sequence,
        position=position,
    )
