"""An interrupted time series: segmented regression of one series before and after a change, with or without a control.

The effect is the step in level at the first period after (or the change of slope), beside a linear trend and seasons.
Counts are modelled with a log link; ``quasipoisson`` scales the variance by Pearson's dispersion and uses Student's t
as R's ``summary.glm`` does for tests, but the normal quantile for the interval, as ``confint.default`` does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp, inf
from typing import Any

import numpy as np

from careplane.errors import InputError
from careplane.estimators import Floats
from careplane.estimators._frame import Frame
from careplane.estimators._intervals import interval
from careplane.estimators._linear import finite
from careplane.estimators._spec import ALPHA, Assumption, Info, Key, Result, Spec
from careplane.estimators.its._fit import Fit, gaussian, negative_binomial, poisson, usual_lags
from careplane.estimators.its._series import Series, read_series

_WIDE = 1.5
FAMILIES = ("gaussian", "poisson", "quasipoisson", "negative_binomial")


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(11)
    month = np.arange(1, 61)
    after, beds = (month > 36).astype(int), np.round(400 + 0.5 * month, 0)
    mean = beds * np.exp(-1.5 + 0.002 * month + 0.1 * np.sin(2 * np.pi * month / 12) - 0.15 * after)
    return {"falls": draws.poisson(mean).tolist(), "month": month.tolist()} | {
        "after": after.tolist(),
        "beds": beds.tolist(),
    }


INFO = Info(
    name="its",
    purpose="An interrupted time series, one row per period (and series): a step or a change of slope.",
    keys=(
        Key("outcome", "column", "the outcome, a number or a count", needed=True),
        Key("time", "column", "the number of the period", needed=True),
        Key("treatment", "column", "1 from the change on, 0 before, in each series", needed=True),
        Key("family", "choice", "the outcome's", "gaussian", choices=FAMILIES),
        Key("offset", "column", "what a count is out of, such as persons; its logarithm is taken"),
        Key("change", "choice", "what may change", "level", choices=("level", "slope", "level_and_slope")),
        Key("scale", "choice", "of counts: the ratio, or its logarithm", "ratio", choices=("ratio", "log")),
        Key("harmonics", "integer", "pairs of sine and cosine for seasons", default=0, least=0, most=12),
        Key("period", "number", "periods in a round of seasons", default=12, least=2),
        Key("covariates", "columns", "numbers as they are, texts as indicators", default=()),
        Key("control", "column", "1 in the rows of a control series, 0 in the others"),
        Key("se", "choice", "gaussian: its variance", "newey_west", choices=("newey_west", "classical")),
        Key("lags", "integer", "of newey_west; by default 4 (n / 100)^(2/9)", least=0, most=1000),
        ALPHA,
    ),
    source="Lopez Bernal, Cummins & Gasparrini 2017, Int J Epidemiol 46:348; Newey & West 1987, Econometrica 55:703",
    example={"estimator": "its", "outcome": "falls", "time": "month", "treatment": "after", "family": "quasipoisson"}
    | {"offset": "beds", "harmonics": 1, "period": 12},
    made=_example,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The change; of counts the ratio (whose standard error is of the logarithm, so it stands in the details).

    Raises:
        InputError: a column does not fit, or the treatment switches back.
        Refused: too few periods, or a count model that does not settle.
    """
    if spec["harmonics"] * 2 >= spec["period"]:
        raise InputError(f"{spec['harmonics']} pairs need a period above {spec['harmonics'] * 2}", field="harmonics")
    series = read_series(frame, spec)
    counts = spec["family"] != "gaussian"
    fit = _counts(series, spec) if counts else _numbers(series, spec)
    n, p = series.built.x.shape
    df = inf if spec["family"] in ("poisson", "negative_binomial") else float(n - p)
    effects = {name: _effect(fit, at, df, spec, counts) for name, at in series.asked.items()}
    first = next(iter(effects.values()))
    correlation = _correlation(series, fit, counts)
    details: dict[str, Any] = {"effects": effects, "lag_one_correlation": correlation}
    if counts:
        details |= {"ratio": first["ratio"], "dispersion": fit.dispersion}
        details |= {"extra_variance": fit.extra} if spec["family"] == "negative_binomial" else {}
    ratio = counts and spec["scale"] == "ratio"
    shown = first["ratio"] if ratio else first
    return Result(
        method=_method(spec, series),
        n=n,
        estimate=shown["estimate"],
        se=None if ratio else first["se"],
        ci_low=shown["ci_low"],
        ci_high=shown["ci_high"],
        df=None if df == inf else df,
        p=first["p"],
        details=details,
        warnings=_warnings(series, spec, fit, correlation),
        assumptions=_assumptions(spec, n, correlation),
        left_out=dict(series.frame.left_out),
    )


def _numbers(series: Series, spec: Spec) -> Fit:
    if "offset" in spec:
        raise InputError("is for counts; set family to poisson or quasipoisson, or divide the outcome", field="offset")
    lags = None if spec["se"] == "classical" else spec["lags"]
    if lags is None and spec["se"] == "newey_west":
        lags = usual_lags(len(series.y))
    return gaussian(series.y, series.built.x, series.control, lags)


def _counts(series: Series, spec: Spec) -> Fit:
    y, lines = series.y, series.frame.line
    wrong = (y < 0) | (y != np.round(y))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(f"must be a count (line {lines[at]} holds {y[at]:g})", field=spec["outcome"])
    offset = np.zeros(len(y))
    if "offset" in spec:
        out_of = finite(series.frame, spec["offset"])
        if (out_of <= 0).any():
            raise InputError(f"must be above 0 (line {lines[int(np.argmin(out_of))]})", field=spec["offset"])
        offset = np.log(out_of)
    for part, name in ((0, "before"), (1, "after")):
        if not y[series.after == part].any():
            raise InputError(f"counts no event {name} the change, so no ratio can be told", field=spec["outcome"])
    if spec["family"] == "negative_binomial":
        return negative_binomial(y, series.built.x, offset)
    fit = poisson(y, series.built.x, offset)
    if spec["family"] == "quasipoisson" and fit.dispersion is not None:
        return replace(fit, cov=fit.cov * fit.dispersion)
    return fit


def _effect(fit: Fit, at: int, df: float, spec: Spec, counts: bool) -> dict[str, Any]:
    value, se = float(fit.beta[at]), float(fit.cov[at, at]) ** 0.5
    ends, test = interval(value, se, inf if counts else df, spec["alpha"]), interval(value, se, df, spec["alpha"])
    told: dict[str, Any] = {"estimate": value, "se": se, "ci_low": ends.low, "ci_high": ends.high, "p": test.p}
    if counts:
        told["ratio"] = {"estimate": exp(value), "ci_low": exp(ends.low), "ci_high": exp(ends.high)}
    return told


def _correlation(series: Series, fit: Fit, counts: bool) -> float:
    """Of each residual (Pearson's for counts) with the one before, over the series."""
    residual: Floats = (series.y - fit.fitted) / (np.sqrt(fit.fitted * (1 + fit.extra * fit.fitted)) if counts else 1.0)
    pairs = series.control[1:] == series.control[:-1]
    total = float((residual**2).sum())
    return float((residual[1:] * residual[:-1])[pairs].sum()) / total if total > 0 else 0.0


def _method(spec: Spec, series: Series) -> str:
    kind = {"gaussian": f"least squares, {spec['se']}"}.get(spec["family"], f"{spec['family']}, log link")
    beside = ", against a control series" if "control" in spec else ""
    return f"interrupted time series, {next(iter(series.asked))} change, {kind}{beside}"


def _warnings(series: Series, spec: Spec, fit: Fit, correlation: float) -> tuple[str, ...]:
    told = []
    if spec["family"] == "poisson" and fit.dispersion is not None and fit.dispersion > _WIDE:
        told.append(f"Counts vary {fit.dispersion:.1f} times as much as Poisson's; use family: quasipoisson.")
    if abs(correlation) > 2 / len(series.y) ** 0.5 and (spec["family"] != "gaussian" or spec["se"] == "classical"):
        told.append(f"Neighbouring errors correlate by {correlation:.2f}, which the standard error does not allow for.")
    steps = np.diff(np.unique(series.time))
    if np.ptp(steps) > 1e-9 * steps.max():
        told.append("The periods are not evenly spaced; check that none is missing.")
    fewest = min(int((series.after == part).sum()) for part in (0, 1))
    if fewest < 8:
        told.append(f"One side has {fewest} periods; below 8 a trend is hard to tell.")
    if "control" not in spec:
        told.append("Without a control series whatever else changed at the same time counts as the effect.")
    return tuple(told)


def _assumptions(spec: Spec, n: int, correlation: float) -> tuple[Assumption, ...]:
    trend = "The trend before would have gone on, as in the control series." if "control" in spec else ""
    return (
        Assumption(name="the trend goes on", held=None, text=trend or "The trend before would have gone on."),
        Assumption(
            name="errors of neighbours do not correlate",
            held=bool(abs(correlation) <= 2 / n**0.5),
            text=f"Their correlation is {correlation:.2f}; newey_west allows for it.",
        ),
    )
