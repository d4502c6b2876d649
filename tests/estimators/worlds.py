"""Simulated roll-outs with known truth: the cells of the validation grid, and whether an estimator keeps its promises.

A cell is one level of each factor (clusters, rows per cluster, spread of sizes, correlation within and over time,
trend, effect, outcome, adoption, missing answers, looks) and a design. ``cells(n)`` is a balanced fraction of all
combinations: each level of each factor comes (as nearly as can be) equally often, and of many seeded draws the one is
taken in which pairs of factors are least tied. Used by the tests (24 cells) and by ``bench/grid.py`` (some 300).
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats

from careplane._shelf import load
from careplane.errors import InputError, Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._frame import Frame
from careplane.estimators._spec import Result, read_spec

LAWS: Any = stats  # the library has no types

FACTORS: Mapping[str, tuple[Any, ...]] = {
    "design": ("cluster", "stepped_wedge", "staggered", "individual", "sequential", "switchback"),
    "clusters": (4, 6, 8, 12, 24, 48),
    "size": (10, 50, 1_000),
    "cv": (0.0, 0.7),
    "icc": (0.0, 0.01, 0.05, 0.2),
    "cac": (1.0, 0.8, 0.5),
    "trend": ("flat", "linear", "seasonal", "shock"),
    "effect": ("null", "constant", "learning", "cluster_varying", "subgroup_varying"),
    "outcome": ("gaussian", "binary_2", "binary_20", "count", "cost"),
    "adoption": (0.3, 1.0),
    "missing": ("none", "mcar", "mnar"),
    "looks": (1, 5, 20, 100, 1_000),
}
PERIODS, STEPS = 5, 4
WITHIN = ("individual", "sequential", "switchback")
"""Designs that draw within the clusters at hand, so that the truth is theirs."""
MEANS = {"gaussian": 10.0, "binary_2": 0.02, "binary_20": 0.2, "count": 2.0, "cost": 10.0}
SPREAD = {"gaussian": 1.0, "binary_2": 0.14, "binary_20": 0.4, "count": sqrt(2.0), "cost": 1.0}


@dataclass(frozen=True)
class World:
    """One cell of the grid."""

    design: str
    clusters: int
    size: int
    cv: float
    icc: float
    cac: float
    trend: str
    effect: str
    outcome: str
    adoption: float
    missing: str
    looks: int

    @property
    def name(self) -> str:
        """All levels that matter to the design, readable."""
        told = [self.design, f"{self.clusters}x{self.size}", f"cv{self.cv:g}", f"icc{self.icc:g}", f"cac{self.cac:g}"]
        told += [self.trend, self.effect, self.outcome, f"adopt{self.adoption:g}", self.missing]
        return " ".join([*told, f"looks{self.looks}"] if self.design == "sequential" else told)


def cells(number: int, seed: int = 20261130, tries: int = 300) -> list[World]:
    """A balanced fraction of the grid."""
    draws = np.random.default_rng(seed)
    best, least = None, np.inf
    for _ in range(tries):
        columns = {name: draws.permutation(np.arange(number) % len(levels)) for name, levels in FACTORS.items()}
        table = np.column_stack([column - column.mean() for column in columns.values()]).astype(float)
        table /= table.std(axis=0)
        tied = np.abs(table.T @ table / number - np.eye(table.shape[1])).max()
        if tied < least:
            best, least = columns, tied
    assert best is not None
    drawn = [World(**{name: FACTORS[name][best[name][i]] for name in FACTORS}) for i in range(number)]
    return [replace(one, clusters=min(one.clusters, 12)) if one.design == "switchback" else one for one in drawn]


@dataclass(frozen=True, eq=False)
class Rows:
    """One simulated data set."""

    y: Floats
    cluster: Ints
    period: Ints
    on: Floats
    start: Floats
    truth: float
    left_out: int = 0

    def frame(self) -> Frame:
        """As an estimator reads it."""
        columns = {"y": self.y, "cluster": self.cluster, "period": self.period, "on": self.on, "start": self.start}
        numbers = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
        return Frame(numbers, np.arange(2, len(self.y) + 2), {})


def simulate(world: World, draws: np.random.Generator) -> Rows:
    """One data set; the truth is the average effect of being assigned, over users and others.

    Where rows or blocks are drawn within the clusters at hand the truth is that of these clusters; where clusters are
    drawn it is that of all that they could have been.
    """
    over_time = world.design in ("stepped_wedge", "staggered", "switchback")
    periods = _periods(world) if over_time else 1
    cluster, period = _places(world, periods, draws)
    start = _starts(world, periods, draws)
    since = period - start[cluster] + 1
    on = (since >= 1).astype(np.float64)
    if world.design == "switchback":
        on = _switched(world, periods, draws)[cluster, period]
        since = on
    if world.design in ("individual", "sequential"):
        on = draws.permutation(np.arange(len(cluster)) % 2).astype(np.float64)
        since = on
    each, uses, truth = _effects(world, cluster, since, draws)
    y, reach = _outcomes(world, cluster, period, periods, each * on * uses, draws)
    if world.design in WITHIN:
        truth = float((each * reach).mean()) * world.adoption
    if world.design == "sequential":  # people come in any order, not clinic by clinic
        order = draws.permutation(len(y))
        y, cluster, period, on = y[order], cluster[order], period[order], on[order]
    kept = _answered(world, y, draws)
    first = np.where(np.isfinite(start), start, 0.0)[cluster]
    return Rows(y[kept], cluster[kept], period[kept], on[kept], first[kept], truth, int((~kept).sum()))


def _periods(world: World) -> int:
    return 20 if world.design == "switchback" else PERIODS


def _places(world: World, periods: int, draws: np.random.Generator) -> tuple[Ints, Ints]:
    """Cluster and period of each row; periods are counted from 0 (stepped wedge, roll-out: from 1)."""
    mean = max(1.0, world.size / periods)
    per_cluster = np.full(world.clusters, mean)
    if world.cv:
        per_cluster = draws.gamma(1 / world.cv**2, mean * world.cv**2, world.clusters)
    per_cell = np.maximum(1 if periods > 1 else 2, np.round(per_cluster)).astype(np.int64)
    cluster = np.repeat(np.arange(world.clusters), per_cell * periods)
    period = np.concatenate([np.repeat(np.arange(periods), size) for size in per_cell])
    return cluster.astype(np.int64), period.astype(np.int64)


def _starts(world: World, periods: int, draws: np.random.Generator) -> Floats:
    """The first treated period of each cluster, infinite for never."""
    number = world.clusters
    if world.design == "stepped_wedge":
        return draws.permutation(np.arange(number) % STEPS + 1).astype(np.float64)
    if world.design == "staggered":
        return draws.permutation(np.array([np.inf, 2.0, 3.0])[np.arange(number) % 3])
    return np.where(draws.permutation(np.arange(number) % 2) == 1, 0.0, np.inf)


def _switched(world: World, periods: int, draws: np.random.Generator) -> Floats:
    """The state of each cluster and period of a switchback: each period is a block, half of them on."""
    return np.array([draws.permutation(np.arange(periods) % 2) for _ in range(world.clusters)]).astype(np.float64)


def _effects(world: World, cluster: Ints, since: Floats, draws: np.random.Generator) -> tuple[Floats, Any, float]:
    """The effect of using it in each row (a share, for events and counts), who uses it, and the truth over clusters."""
    size = 0.0 if world.effect == "null" else strength(world)
    each = np.full(len(cluster), size)
    truth = size * world.adoption
    if world.effect == "cluster_varying":
        each = each * draws.uniform(0.4, 1.6, world.clusters)[cluster]
    if world.effect == "subgroup_varying":
        each = each * np.where(draws.random(len(cluster)) < 0.5, 1.5, 0.5)
    if world.effect == "learning" and world.design in ("stepped_wedge", "staggered"):
        each = each * np.minimum(np.maximum(since, 0), 3) / 3
        truth *= _average_growth(world)
    uses = draws.random(len(cluster)) < world.adoption
    return each, uses, truth * (1.0 if _additive(world) else -MEANS[world.outcome])


def _average_growth(world: World) -> float:
    """What a learning effect is on average: over the times since the start (stepped wedge), or the treated cells."""
    grown = np.minimum(np.arange(1, STEPS + 1), 3) / 3
    if world.design == "stepped_wedge":
        return float(grown.mean())
    # cohorts start in periods 2 and 3 of 0..4, so times since the start are 1..3 and 1..2
    sizes = np.bincount(np.arange(world.clusters) % 3, minlength=3)[1:]
    return float((sizes[0] * grown[:3].sum() + sizes[1] * grown[:2].sum()) / (sizes[0] * 3 + sizes[1] * 2))


def _additive(world: World) -> bool:
    return world.outcome in ("gaussian", "cost")


@cache
def strength(world: World) -> float:
    """An effect that is found now and then: 2.8 rough standard errors, or at most 60 % of events."""
    rows = world.clusters * max(world.size, 2)
    inflation = 1.0
    if world.design == "cluster":
        inflation = 1 + ((1 + world.cv**2) * world.size - 1) * world.icc
    if world.design in ("stepped_wedge", "staggered", "switchback"):
        inflation = 2 * (1 + world.size / PERIODS * world.icc * (1 - world.cac))
    wanted = 2.8 * 2 * SPREAD[world.outcome] * sqrt(inflation / rows)
    return wanted if _additive(world) else min(0.6, wanted / MEANS[world.outcome])


def _outcomes(
    world: World, cluster: Ints, period: Ints, periods: int, effect: Floats, draws: np.random.Generator
) -> tuple[Floats, Floats]:
    """The outcomes, and by how much the mean of each row would move for an effect of 1."""
    level = _levels(world, periods, draws)[cluster, period]
    turn = TRENDS[world.trend](np.arange(periods) / max(1, periods - 1))[period] if periods > 1 else 0.0
    number, mean = len(cluster), MEANS[world.outcome]
    if _additive(world):
        noise = draws.normal(size=number) if world.outcome == "gaussian" else draws.gamma(1.0, 1.0, number) - 1
        y = mean + sqrt(world.icc) * level + sqrt(1 - world.icc) * noise + turn + effect
        return np.asarray(y), np.ones(number)
    share = LAWS.norm.cdf(level)
    if world.outcome == "count":
        rate = np.full(number, mean)
        if world.icc:
            shape = mean * (1 - world.icc) / world.icc
            rate = _by_place(LAWS.gamma(shape, scale=mean / shape).ppf, share)
        return draws.poisson(rate * (1 - effect) + 0.2 * (turn + 1)).astype(np.float64), -rate
    risk = np.full(number, mean)
    if world.icc:
        total = 1 / world.icc - 1
        risk = _by_place(LAWS.beta(mean * total, (1 - mean) * total).ppf, share)
    risk = np.minimum(0.98, risk)
    more = np.minimum(0.1 * mean * (turn + 1), 0.02)
    return (draws.random(number) < risk * (1 - effect) + more).astype(np.float64), -risk


def _by_place(law: Callable[[Floats], Floats], share: Floats) -> Floats:
    values, code = np.unique(share, return_inverse=True)
    return np.asarray(law(values)[code])


def _levels(world: World, periods: int, draws: np.random.Generator) -> Floats:
    """Standard normal levels of clusters and periods, tied by the autocorrelation."""
    shared = draws.normal(size=(world.clusters, 1))
    own = draws.normal(size=(world.clusters, periods))
    return np.asarray(sqrt(world.cac) * shared + sqrt(1 - world.cac) * own)


TRENDS: Mapping[str, Callable[[Floats], Floats]] = {
    "flat": lambda t: 0.0 * t,
    "linear": lambda t: t,
    "seasonal": lambda t: np.sin(2 * np.pi * t),
    "shock": lambda t: (t >= 0.5).astype(np.float64) * (t < 0.8),
}


def _answered(world: World, y: Floats, draws: np.random.Generator) -> Any:
    if world.missing == "none":
        return np.ones(len(y), dtype=bool)
    if world.missing == "mcar":
        return draws.random(len(y)) > 0.2
    return draws.random(len(y)) > np.where(y > np.median(y), 0.3, 0.1)


@dataclass(frozen=True)
class Answer:
    """What is kept of one replicate."""

    estimate: float
    se: float | None
    low: float
    high: float
    rejected: bool


def spec_of(world: World) -> tuple[str, dict[str, Any]]:
    """The estimator that the shelf would advise, and its keys."""
    both = {"outcome": "y", "treatment": "on"}
    if world.design == "cluster":
        few = world.clusters < 6
        return ("exact_permutation" if few else "cluster_itt"), {**both, "cluster": "cluster"}
    if world.design == "stepped_wedge":
        model = "exposure_time" if world.effect == "learning" else "nested_exchangeable"
        return "stepped_wedge", {**both, "cluster": "cluster", "time": "period", "model": model}
    if world.design == "staggered":
        asked = {"outcome": "y", "unit": "cluster", "time": "period", "first_treated": "start"}
        return "staggered_did", {**asked, "method": "efficient"}
    if world.design == "switchback":
        return "switchback", {**both, "unit": "cluster", "time": "period", "block": "block"} | {
            "fixed_effects": ["period"]
        }
    if world.design == "sequential" and world.looks in (5, 20):
        return "group_sequential", {"boundary": "lan_demets_obrien_fleming", "looks": world.looks}
    if world.design == "sequential" and world.looks > 1:
        return "confidence_sequence", {**both, "best_at": 500}
    return "difference_in_means", both


@cache
def _loaded(name: str) -> Any:
    return load("estimators", name)


def analyse(world: World, rows: Rows) -> Answer | None:
    """The estimate as the shelf gives it; None where it refuses."""
    name, keys = spec_of(world)
    if name == "group_sequential":
        return _looked_at(world, rows)
    module = _loaded(name)
    frame = rows.frame()
    if name in ("staggered_did", "switchback"):
        frame = _means(rows)
    try:
        found: Result = module.estimate(frame, read_spec(module.INFO, keys))
    except (Refused, InputError):
        return None
    assert found.estimate is not None
    low, high = (np.nan if one is None else one for one in (found.ci_low, found.ci_high))
    if name == "confidence_sequence":
        return Answer(found.estimate, found.se, low, high, found.details["crossed_at_row"] is not None)
    return Answer(found.estimate, found.se, low, high, bool((found.p or 0.0) < 0.05))


@cache
def _critical(looks: int) -> tuple[float, ...]:
    module = _loaded("group_sequential")
    asked = {"boundary": "lan_demets_obrien_fleming", "looks": looks}
    return tuple(module.estimate(None, read_spec(module.INFO, asked)).details["critical"])


def _looked_at(world: World, rows: Rows) -> Answer | None:
    """Welch's statistic at each look against the boundary; the interval is the repeated one of the last look."""
    if len(rows.y) < 20 * world.looks:
        return None
    y, on = rows.y, rows.on
    ends = np.round(np.arange(1, world.looks + 1) * len(y) / world.looks).astype(int) - 1
    sums = np.array([[np.cumsum((on == arm) * power)[ends] for power in (1.0 + 0 * y, y, y * y)] for arm in (1, 0)])
    count, mean = sums[:, 0], sums[:, 1] / np.maximum(sums[:, 0], 1)
    if count.min() < 3:
        return None
    variance = np.maximum(sums[:, 2] / count - mean**2, 1e-12) * count / (count - 1) / count
    se = np.sqrt(variance.sum(axis=0))
    difference, critical = mean[0] - mean[1], np.array(_critical(world.looks))
    crossed = bool((np.abs(difference / se) >= critical).any())
    half = critical[-1] * se[-1]
    return Answer(float(difference[-1]), float(se[-1]), difference[-1] - half, difference[-1] + half, crossed)


def _means(rows: Rows) -> Frame:
    """One row for each cluster and period, as a unit of a panel."""
    periods = int(rows.period.max()) + 1
    code = rows.cluster * periods + rows.period
    values, first, inverse, count = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    columns = {
        "y": np.bincount(inverse, weights=rows.y) / count,
        "cluster": rows.cluster[first].astype(float),
        "period": rows.period[first].astype(float),
        "on": rows.on[first],
        "start": rows.start[first],
        "block": values.astype(float),
    }
    return Frame(columns, np.arange(2, len(values) + 2), {})


@dataclass(frozen=True)
class Summary:
    """What the replicates of a cell show. Shares come with their Monte Carlo errors in ``error``."""

    world: str
    estimator: str
    replicates: int
    refused: int
    truth: float
    rejected: float
    coverage: float
    bias: float
    bias_error: float
    se_ratio: float | None
    error: float
    faults: tuple[str, ...]


CONSERVATIVE = {"exact_permutation", "confidence_sequence", "group_sequential", "staggered_did", "switchback"}
"""Documented to err less than 5 %: exact tests of few allocations, sequences, Neyman's variance, CR2 of few blocks."""


def run(world: World, replicates: int, seed: int) -> Summary:
    """Replicates of one cell, and which bands they miss."""
    draws = np.random.default_rng([seed, *world.name.encode()])
    found: list[Answer] = []
    truths, refused = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(replicates):
            rows = simulate(world, draws)
            answer = analyse(world, rows)
            if answer is None:
                refused += 1
            else:
                found.append(answer)
                truths.append(rows.truth)
    return _summary(world, found, truths, refused)


def _summary(world: World, found: list[Answer], truths: list[float], refused: int) -> Summary:
    name, number = spec_of(world)[0], len(found)
    if number < 20:
        return Summary(world.name, name, number, refused, 0.0, 0.0, 1.0, 0.0, 0.0, None, 1.0, ())
    truth = float(np.mean(truths))
    values = np.array([one.estimate for one in found])
    known = [(one, true) for one, true in zip(found, truths, strict=True) if np.isfinite(one.low + one.high)]
    covered = float(np.mean([one.low <= true <= one.high for one, true in known])) if known else 1.0
    spread = float((values - np.array(truths)).std(ddof=1))
    errors = [one.se for one in found if one.se is not None]
    ratio = float(np.sqrt(np.mean(np.square(errors)))) / spread if len(errors) == number and spread > 0 else None
    rejected = float(np.mean([one.rejected for one in found]))
    bias = float(np.mean(values - np.array(truths)))
    told = Summary(
        world.name,
        name,
        number,
        refused,
        truth,
        rejected,
        covered,
        bias,
        spread / sqrt(number),
        ratio,
        sqrt(0.05 * 0.95 / number),
        (),
    )
    return Summary(**{**told.__dict__, "faults": tuple(faults(world, told))})


def faults(world: World, told: Summary) -> list[str]:
    """The bands that a cell misses beyond three Monte Carlo errors.

    Type I error .04 to .06 (down to 0 where documented conservative); coverage at least .94; bias at most 2 %; standard
    errors at least .95 of the spread from twelve clusters on; power within .03 of what was predicted; for sequences and
    planned looks ever rejected at most .06 where nothing is. Where answers are missing because of the outcome the truth
    is not in the data: such cells are told, and only their null is judged.
    """
    wrong = []
    null, slack = world.effect == "null", 3 * told.error
    if null and told.rejected > 0.06 + slack:
        wrong.append(f"type I error {told.rejected:.3f}")
    if null and told.estimator not in CONSERVATIVE and told.rejected < 0.025 - slack:
        wrong.append(f"type I error {told.rejected:.3f} is needlessly low")
    if world.missing == "mnar" and not null:
        return wrong
    if told.coverage < 0.94 - slack:
        wrong.append(f"coverage {told.coverage:.3f}")
    few = world.clusters < 12 or told.estimator in CONSERVATIVE
    if not few and told.se_ratio is not None and told.se_ratio < 0.95 - 3 / sqrt(2 * told.replicates):
        wrong.append(f"standard errors are {told.se_ratio:.3f} of the spread")
    expected = predicted_power(world)
    if expected is not None and abs(told.rejected - expected) > 0.03 + 3 * sqrt(0.25 / told.replicates):
        wrong.append(f"power {told.rejected:.3f} where {expected:.3f} was predicted")
    if abs(told.bias) > max(0.02 * abs(told.truth), 3 * told.bias_error):
        wrong.append(f"bias {told.bias:.4g} of {told.truth:.4g}")
    return wrong


def predicted_power(world: World) -> float | None:
    """What the estimator ``power`` tells before the trial, where the cell is one that it is made for."""
    plain = world.effect in ("constant", "learning") and world.missing == "none" and world.cv == 0
    if world.design not in ("individual", "cluster") or not plain or world.clusters < 12:
        return None
    truth = strength(world) * world.adoption
    keys: dict[str, Any] = {"design": world.design, "effect": truth, "sd": 1.0}
    if world.outcome.startswith("binary"):
        control = MEANS[world.outcome] * 1.1
        keys = {"design": world.design, "p_control": control, "p_treated": control - MEANS[world.outcome] * truth}
    if world.outcome == "count":
        keys = {"design": world.design, "effect": 2 * truth, "sd": sqrt(2.2)}
    if world.design == "cluster":
        keys |= {"clusters": world.clusters // 2, "cluster_size": world.size, "icc": world.icc}
    else:
        keys |= {"n": world.clusters * world.size // 2}
    module = _loaded("power")
    return float(module.estimate(None, read_spec(module.INFO, keys)).estimate)
