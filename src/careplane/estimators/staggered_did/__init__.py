"""A roll-out in stages: units start at different times, and those not yet or never treated show what would have been.

Not the regression on unit and period effects (``twfe``, here for comparison only): under effects that grow with time
it uses treated units as controls and covers the truth far too seldom (Goodman-Bacon 2021, J Econometrics 225:254).
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np

from careplane.errors import Refused
from careplane.estimators._frame import Frame
from careplane.estimators._intervals import interval
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec
from careplane.estimators.staggered_did._effects import Found
from careplane.estimators.staggered_did._efficient import efficient
from careplane.estimators.staggered_did._library import callaway_santanna, imputation
from careplane.estimators.staggered_did._panel import Panel, read_panel
from careplane.estimators.staggered_did._two_way import twfe, two_stage

FEW = 6
_METHODS: Mapping[str, Callable[[Panel, Spec], Found]] = {
    "callaway_santanna": callaway_santanna,
    "imputation": imputation,
    "efficient": efficient,
    "two_stage": two_stage,
    "twfe": twfe,
}
_SAID = {
    "callaway_santanna": "Callaway & Sant'Anna",
    "imputation": "imputation (Borusyak, Jaravel & Spiess)",
    "efficient": "efficient under random timing (Roth & Sant'Anna)",
    "two_stage": "two stages (Gardner)",
    "twfe": "two-way fixed effects, CR1",
}


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(5)
    clinic, month = np.repeat(np.arange(40), 8), np.tile(np.arange(1, 9), 40)
    first = np.array([0, 3, 5, 7])[clinic % 4]
    since = np.where(first > 0, np.maximum(month - first + 1, 0), 0)
    minutes = 50 + draws.normal(0, 4, 40)[clinic] + 0.5 * month - 0.8 * since + draws.normal(0, 2, len(clinic))
    return {
        "minutes": np.round(minutes, 2).tolist(),
        "clinic": [f"c{one:02d}" for one in clinic],
        "month": month.tolist(),
        "start": first.tolist(),
    }


INFO = Info(
    name="staggered_did",
    purpose="A roll-out in stages, one row per unit and period; units not yet or never treated are the comparison.",
    keys=(
        Key("outcome", "column", "the outcome, a number", needed=True),
        Key("unit", "column", "who is followed over time", needed=True),
        Key("time", "column", "the period, a number", needed=True),
        Key("first_treated", "column", "first treated period of the unit; 0 or empty for never", needed=True),
        Key("method", "choice", "how it is estimated", "callaway_santanna", choices=tuple(_METHODS)),
        Key("control_group", "choice", "whom callaway_santanna compares with", "never", choices=("never", "notyet")),
        Key("covariates", "columns", "numbers as they are, texts as indicators", default=()),
        Key("adjustment", "choice", "how callaway_santanna uses covariates", "dr", choices=("dr", "reg", "ipw")),
        Key("cluster", "column", "where errors may be shared; by default the unit"),
        Key("effect", "column", "whose level two_stage takes away; by default the unit"),
        Key("se", "choice", "of callaway_santanna", "multiplier", choices=("multiplier", "analytic")),
        Key("replications", "integer", "draws of the multiplier bootstrap", default=10_000, least=100, most=1_000_000),
        Key("seed", "integer", "of the draws", default=0, least=0),
        Key("overall", "choice", "which average is the estimate", "simple", choices=("simple", "dynamic")),
        ALPHA,
    ),
    source=(
        "Callaway & Sant'Anna 2021, J Econometrics 225:200; Borusyak, Jaravel & Spiess 2024, Rev Econ Stud 91:3253; "
        "Roth & Sant'Anna 2023, J Polit Econ Microecon 1:669; Gardner 2021"
    ),
    example={"estimator": "staggered_did", "outcome": "minutes", "unit": "clinic", "time": "month"}
    | {"first_treated": "start", "method": "callaway_santanna", "control_group": "notyet"},
    made=_example,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The average effect on the treated.

    Raises:
        InputError: a column does not fit, a unit has two rows in a period or changes its start.
        Refused: the method would not be valid on such a panel; says which would be.
        MissingExtra: the method needs a library that is not installed.
    """
    method = spec["method"]
    more = [spec["effect"]] if "effect" in spec else []
    panel = read_panel(frame, spec, more, keep_always=method == "twfe")
    groups = len(np.unique(panel.cluster))
    if groups < FEW:
        raise Refused([f"{groups} clusters are too few for a model-based interval."], "Use exact_permutation.")
    found = _METHODS[method](panel, spec)
    chosen = found.dynamic if spec["overall"] == "dynamic" else found.simple
    if chosen is None or not (np.isfinite(chosen.value) and chosen.se > 0):
        raise Refused([f"{method} gives no {spec['overall']} average here."], "Set overall: simple, or another method.")
    df = float(groups - 1) if "cluster" in spec or method == "twfe" else inf
    if method == "efficient":  # what is left of the units once each cohort has its means
        df = float(groups - len(np.unique(panel.first)))
    ends = interval(chosen.value, chosen.se, df, spec["alpha"])
    return Result(
        method=f"staggered difference in differences, {_SAID[method]}, {spec['overall']} average",
        n=len(panel.y),
        estimate=chosen.value,
        se=chosen.se,
        ci_low=ends.low,
        ci_high=ends.high,
        df=None if df == inf else df,
        p=ends.p,
        clusters=groups,
        details=found.details(df, spec["alpha"]),
        warnings=(*found.warnings, *_warnings(panel, groups)),
        assumptions=_assumptions(method, found),
        left_out=dict(panel.frame.left_out),
    )


def _warnings(panel: Panel, groups: int) -> tuple[str, ...]:
    told = []
    treated = len(np.unique(panel.cluster[panel.treated == 1]))
    others = len(np.unique(panel.cluster[np.isinf(panel.first)]))
    if treated < FEW:
        told.append(f"{treated} clusters are ever treated; below {FEW} the interval is not to be trusted.")
    if 0 < others < FEW:
        told.append(f"{others} clusters are never treated; below {FEW} the interval is not to be trusted.")
    if not np.isin(panel.first[panel.treated == 1], panel.time).all():
        told.append("Some units start in a period that the data do not have; it counts from the next one on.")
    if not panel.balanced:
        told.append("Not each unit is there in each period; if leaving has to do with the outcome, this is biased.")
    if groups < 20:
        told.append(f"With {groups} clusters the standard error is too small on average.")
    return tuple(told)


def _assumptions(method: str, found: Found) -> tuple[Assumption, ...]:
    if method == "efficient":
        text = "Who starts when was drawn at random; the comparison before the start is in pretrend."
        held = None if not found.pretrend else bool(found.pretrend["p"] >= 0.05)
        return (Assumption(name="random timing", held=held, text=text),)
    trend = Assumption(
        name="parallel trends",
        held=None if found.pretrend is None else bool(found.pretrend["p"] >= 0.05),
        text="Before the start outcomes must have moved alike; a test that finds nothing does not prove it.",
    )
    early = Assumption(name="no anticipation", held=None, text="Nothing changes before the first treated period.")
    return (trend, early)
