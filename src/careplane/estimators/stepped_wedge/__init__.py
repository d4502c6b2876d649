"""The stepped wedge: clusters that begin one step after the other, in an order that was drawn.

``hussey_hughes`` has a period effect and a cluster that is the same in all periods (2007, Contemp Clin Trials 28:182);
``nested_exchangeable`` lets a cluster vary from period to period (Hooper et al. 2016, Stat Med 35:4718), which guards
the error where it does; ``exposure_time`` gives each time since the start an effect of its own and averages them
(Kenny et al. 2022, Stat Med 41:4311), which is right where the effect grows or wanes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from careplane.errors import InputError, Refused
from careplane.estimators import Floats, Ints
from careplane.estimators._frame import Frame
from careplane.estimators._intervals import interval
from careplane.estimators._linear import Design, check_rank, finite, indicators
from careplane.estimators._mixed import INFERENCES, NAMED, Block, Fit, cells, reml, told
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec

MODELS = ("hussey_hughes", "nested_exchangeable", "exposure_time")
MIN_CLUSTERS = 6


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(12)
    clinic, period, row = (one.ravel() for one in np.meshgrid(range(12), range(5), range(20), indexing="ij"))
    arm = (period > clinic % 4).astype(int)
    level = draws.normal(0, 0.8, 12)[clinic] + draws.normal(0, 0.4, (12, 5))[clinic, period]
    hours = 20 + level + 0.2 * period - 1.0 * arm + draws.normal(0, 3, len(row))
    return {
        "hours": np.round(hours, 2).tolist(),
        "on": arm.tolist(),
        "clinic": [f"c{one:02d}" for one in clinic],
        "month": period.tolist(),
    }


INFO = Info(
    name="stepped_wedge",
    purpose="Clusters that cross over to the intervention one step after the other: a mixed model of rows.",
    keys=(
        Key("outcome", "column", "the outcome, a number", needed=True),
        Key("treatment", "column", "1 where the cluster has begun in that period, else 0", needed=True),
        Key("cluster", "column", "the unit that was randomised", needed=True),
        Key("time", "column", "the period", needed=True),
        Key("model", "choice", "what varies", "nested_exchangeable", choices=MODELS),
        Key("se", "choices", "inference; the first is the estimate's", default=("KR",), choices=tuple(INFERENCES)),
        ALPHA,
    ),
    source="Hussey & Hughes 2007; Hooper et al. 2016, Stat Med 35:4718; Kenward & Roger 1997, Biometrics 53:983",
    example={"estimator": "stepped_wedge", "outcome": "hours", "treatment": "on", "cluster": "clinic"}
    | {"time": "month", "model": "nested_exchangeable", "se": ["KR", "satterthwaite"]},
    made=_example,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The effect of the intervention; for ``exposure_time`` the average over the times since the start.

    Raises:
        InputError: a column does not fit, a cluster switches back, or the effect cannot be told apart from time.
        Refused: fewer than six clusters.
    """
    used = frame.complete([spec[name] for name in ("outcome", "treatment", "cluster", "time")])
    y, arm = finite(used, spec["outcome"]), used.binary(spec["treatment"])
    cluster, names = used.labels(spec["cluster"])
    if len(names) < MIN_CLUSTERS:
        raise Refused([f"{len(names)} clusters are too few for a mixed model."], "Use exact_permutation.")
    _check_time(used, spec["time"])
    exposure = _exposure(used, spec, arm, cluster)
    built, contrast = _design(used, spec, arm, exposure)
    check_rank(built, [spec["treatment"]])
    period = used.labels(spec["time"])[0]
    fit = _fit(y, built.x, cluster, period, nested=spec["model"] != "hussey_hughes")
    found = {name: INFERENCES[name](fit, contrast) for name in spec["se"]}
    first = found[spec["se"][0]]
    ends = interval(first.value, first.se, first.df, spec["alpha"])
    return Result(
        method=f"stepped wedge, {spec['model'].replace('_', ' ')}, {NAMED[spec['se'][0]]}",
        n=len(y),
        estimate=first.value,
        se=first.se,
        ci_low=ends.low,
        ci_high=ends.high,
        df=None if np.isinf(first.df) else first.df,
        p=ends.p,
        clusters=len(names),
        details={
            "se": {name: told(one) for name, one in found.items()},
            **_variances(fit),
            **_curve(fit, spec, exposure),
        },
        warnings=_warnings(fit, spec),
        assumptions=(
            Assumption(name="the order of the clusters was drawn", held=None, text="Time and start are not confused."),
            Assumption(name="no cluster switches back", held=True, text="Checked row by row."),
        ),
        left_out=dict(used.left_out),
    )


def _check_time(used: Frame, name: str) -> None:
    """Periods are numbers, or texts in the order of the alphabet (such as 2026-03), never both."""
    column = used.column(name)
    if column.dtype == np.float64:
        used.finite(name)
        return
    digits = np.array([str(value).replace(".", "", 1).lstrip("-").isdigit() for value in column])
    if digits.any():
        raise InputError(f"holds numbers and text (line {used.line[int(np.argmin(digits))]}); use one kind", field=name)


def _exposure(used: Frame, spec: Spec, arm: Floats, cluster: Ints) -> Ints:
    """Periods since the start, 1 in the first with the intervention; 0 before."""
    period, times = used.labels(spec["time"])
    table = np.full((int(cluster.max()) + 1, len(times)), -1)
    for code, when, on, line in zip(cluster, period, arm.astype(int), used.line, strict=True):
        if table[code, when] == 1 - on:
            raise InputError(f"is both 0 and 1 in one cluster and period (line {line})", field=spec["treatment"])
        table[code, when] = on
    order = _in_time(times)
    for code, row in enumerate(table[:, order]):
        seen = row[row >= 0]
        if (np.diff(seen) < 0).any():
            raise InputError(
                f"switches back to 0 in cluster {used.labels(spec['cluster'])[1][code]}; a stepped wedge does not",
                field=spec["treatment"],
            )
    rank = np.argsort(order)
    start = np.array([np.argmax(row == 1) if (row == 1).any() else len(times) for row in table[:, order]])
    since: Ints = np.maximum(rank[period] - start[cluster] + 1, 0).astype(np.int64)
    return since


def _in_time(times: Sequence[str]) -> Ints:
    """The order of the periods: as numbers where all are, else as text."""
    try:
        return np.argsort(np.array([float(time) for time in times]), kind="stable").astype(np.int64)
    except ValueError:
        return np.arange(len(times))


def _design(used: Frame, spec: Spec, arm: Floats, exposure: Ints) -> tuple[Design, Floats]:
    periods = [column for _, column in indicators(used, spec["time"])]
    if spec["model"] != "exposure_time":
        x = np.column_stack([np.ones(len(used)), arm, *periods])
        names = ("(intercept)", spec["treatment"], *(f"period {i + 2}" for i in range(len(periods))))
        return Design(x, names), np.eye(x.shape[1])[1]
    levels = np.unique(exposure[exposure > 0])
    if not len(levels):
        raise InputError("is 0 in every row", field=spec["treatment"])
    effects = [(exposure == level).astype(np.float64) for level in levels]
    x = np.column_stack([np.ones(len(used)), *effects, *periods])
    names = (
        "(intercept)",
        *(f"{level} periods on" for level in levels),
        *(f"period {i + 2}" for i in range(len(periods))),
    )
    contrast = np.zeros(x.shape[1])
    contrast[1 : 1 + len(levels)] = 1 / len(levels)
    return Design(x, names), contrast


def _fit(y: Floats, x: Floats, cluster: Ints, period: Ints, *, nested: bool) -> Fit:
    places, mean, design, count, more, within = cells(y, x, cluster, period[:, None].astype(np.float64))
    blocks = []
    for rows in places:
        same = np.ones((len(rows), len(rows)))
        when = more[rows, 0]
        parts = (same, (when[:, None] == when).astype(np.float64)) if nested else (same,)
        blocks.append(Block(mean[rows], design[rows], count[rows], parts))
    return reml(blocks, within)


def _variances(fit: Fit) -> dict[str, Any]:
    residual, cluster, *periods = (float(value) for value in fit.theta)
    total = residual + cluster + sum(periods)
    shared = cluster + sum(periods)
    return {
        "variance": {"residual": residual, "cluster": cluster, "cluster_period": periods[0] if periods else None},
        "icc": shared / total,
        "cac": cluster / shared if periods and shared > 0 else None,
    }


def _curve(fit: Fit, spec: Spec, exposure: Ints) -> dict[str, Any]:
    """The effect at each time since the start, where the model has one for each."""
    if spec["model"] != "exposure_time":
        return {}
    levels = np.unique(exposure[exposure > 0])
    return {"by_exposure": {int(level): float(fit.beta[1 + i]) for i, level in enumerate(levels)}}


def _warnings(fit: Fit, spec: Spec) -> tuple[str, ...]:
    told = []
    if len(fit.active) < len(fit.theta):
        told.append("A variance between clusters is estimated as zero; the interval takes it as known to be.")
    if spec["model"] == "hussey_hughes":
        told.append("Where clusters vary from period to period Hussey-Hughes errs too often; use nested_exchangeable.")
    return tuple(told)
