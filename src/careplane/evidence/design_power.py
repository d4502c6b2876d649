"""The power of a design by weeks and units, from the estimator ``power`` of the shelf and what a baseline says.

The smallest detectable effect is that whose power is 80 % (or what is asked for), found by bracketing; what
the estimator refuses (too few units or periods) is not computed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scipy import optimize

from careplane.errors import InputError
from careplane.estimators._item import Item
from careplane.records.design import Design
from careplane.records.planning import Option, PowerPoint, Rollout, Spread

POWER = 0.8
_LEAST_SD, _MOST_SD = 1e-6, 20.0
"""Between which effects one is looked for, in standard deviations."""

_ROOT: Any = optimize.brentq  # the library has no types

Keys = dict[str, Any]


def power_points(
    power: Item, rollout: Rollout, option: Option, weeks: Sequence[int], clusters: Sequence[int], alpha: float = 0.05
) -> tuple[PowerPoint, ...]:
    """What each number of weeks and units finds, and what it costs.

    Args:
        power: the estimator ``power``.
        rollout: its ``spread`` says what the outcome is like; without it nothing is computed.
    """
    return tuple(_point(power, rollout, option, week, count, alpha) for count in clusters for week in weeks)


def _point(power: Item, rollout: Rollout, option: Option, weeks: int, clusters: int, alpha: float) -> PowerPoint:
    cost = rollout.usd_per_unit_week
    return PowerPoint(
        weeks=weeks,
        clusters=clusters,
        detectable=detectable(power, rollout, option, weeks, clusters, alpha),
        usd=None if cost is None else cost * weeks * clusters,
    )


def detectable(
    power: Item, rollout: Rollout, option: Option, weeks: int, clusters: int, alpha: float = 0.05
) -> float | None:
    """The smallest effect found with 80 % power; ``None`` when there is no spread, or the design cannot tell."""
    spread, keys_of = rollout.spread, _KEYS.get(option.design)
    if spread is None or keys_of is None:
        return None
    keys = keys_of(rollout, spread, option, weeks, clusters)
    if keys is None:
        return None
    low, high = _LEAST_SD * spread.sd, _MOST_SD * spread.sd

    def lacks(effect: float) -> float:
        return POWER - _power(power, keys, effect, alpha)

    try:
        if lacks(high) > 0:
            return None
        return low if lacks(low) <= 0 else float(_ROOT(lacks, low, high, rtol=1e-9))
    except InputError:
        return None


def finds(
    power: Item, rollout: Rollout, option: Option, weeks: int, clusters: int, effect: float, alpha: float = 0.05
) -> bool:
    """Whether an effect is found with 80 % power; not where the design cannot tell."""
    spread, keys_of = rollout.spread, _KEYS.get(option.design)
    keys = None if spread is None or keys_of is None else keys_of(rollout, spread, option, weeks, clusters)
    try:
        return keys is not None and _power(power, keys, effect, alpha) >= POWER
    except InputError:
        return False


def _power(power: Item, keys: Keys, effect: float, alpha: float) -> float:
    return float(power.run({}, **{**keys, "effect": effect, "alpha": alpha}).estimate or 0.0)


def _individual(_rollout: Rollout, spread: Spread, _option: Option, weeks: int, clusters: int) -> Keys | None:
    return {"design": "individual", "sd": spread.sd, "n": max(2, int(clusters * spread.per_week * weeks / 2))}


def _cluster(_rollout: Rollout, spread: Spread, _option: Option, weeks: int, clusters: int) -> Keys | None:
    return _sized(spread, spread.per_week * weeks) | {
        "design": "cluster",
        "clusters": clusters // 2,
        "size_cv": spread.size_cv,
    }


def _wedge(rollout: Rollout, spread: Spread, _option: Option, weeks: int, clusters: int) -> Keys | None:
    steps = min(rollout.waves, clusters)
    if steps < 2:
        return None
    each = spread.per_week * weeks / (steps + 1)
    return _sized(spread, each) | {
        "design": "stepped_wedge",
        "steps": steps,
        "clusters": clusters // steps * steps,
        "cac": spread.cac,
    }


def _did(rollout: Rollout, spread: Spread, _option: Option, weeks: int, clusters: int) -> Keys | None:
    share = len(rollout.stay_without) / max(1, len(rollout.strata))
    arm = max(1, round(clusters * (min(share, 1 - share) if share else 0.5)))
    return _sized(spread, spread.per_week) | {
        "design": "did",
        "clusters": arm,
        "before": max(1, rollout.history_weeks),
        "after": weeks,
        "cac": spread.cac,
    }


def _series(rollout: Rollout, spread: Spread, option: Option, weeks: int, clusters: int) -> Keys | None:
    """The value of a week is the mean over all units that get the app."""
    controls = len(rollout.stay_without) if option.design == "controlled_its" else 0
    units = max(1, clusters - controls)
    within = spread.sd**2 * (1 - spread.icc) / spread.per_week
    apart = spread.sd**2 * spread.icc * (1 - spread.cac)
    return {
        "design": "its",
        "sd": ((within + apart) / units) ** 0.5,
        "before": max(1, rollout.history_weeks),
        "after": weeks,
        "controls": controls,
    }


def _switchback(_rollout: Rollout, spread: Spread, _option: Option, weeks: int, clusters: int) -> Keys | None:
    return {
        "design": "switchback",
        "sd": spread.sd,
        "icc": spread.icc * (1 - spread.cac),
        "block_size": max(1, round(spread.per_week)),
        "blocks": max(4, clusters * weeks),
    }


def _sized(spread: Spread, size: float) -> Keys:
    return {"sd": spread.sd, "icc": spread.icc, "cluster_size": max(1.0, size)}


_KEYS: Mapping[Design, Callable[[Rollout, Spread, Option, int, int], Keys | None]] = {
    "individually_randomised": _individual,
    "cluster_randomised": _cluster,
    "stepped_wedge": _wedge,
    "randomised_rollout": _wedge,
    "staggered_did": _did,
    "sdid": _did,
    "synthetic_control": _did,
    "interrupted_time_series": _series,
    "controlled_its": _series,
    "switchback": _switchback,
}
