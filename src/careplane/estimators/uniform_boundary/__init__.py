"""A boundary in numbers: how far a running sum may go by some time, before it says that something is wrong.

``confidence_sequence`` applies one to a table; this gives the curve itself, for a monitor that keeps its own sum.
"""

from collections.abc import Callable, Mapping
from math import isfinite

from careplane.errors import InputError
from careplane.estimators import _boundaries as curves
from careplane.estimators._frame import Frame
from careplane.estimators._spec import ALPHA, Info, Key, Result, Spec

_SAID: Mapping[str, str] = {
    "normal_mixture": "normal mixture, two-sided, of a sub-Gaussian sum",
    "normal_mixture_one_sided": "normal mixture, one-sided, of a sub-Gaussian sum",
    "gamma_exponential": "gamma-exponential mixture, one-sided, of a sub-exponential sum",
    "gamma_poisson": "gamma-Poisson mixture, one-sided, of a sub-Poisson sum",
    "beta_binomial": "beta-binomial mixture, two-sided, of a bounded sum",
    "beta_binomial_one_sided": "beta-binomial mixture, one-sided, of a bounded sum",
    "stitching": "polynomial stitching, one-sided",
    "double_stitching": "double stitching, for all quantiles at once",
    "empirical_process": "law of the iterated logarithm of an empirical distribution",
}

INFO = Info(
    name="uniform_boundary",
    purpose="How far a running sum may go, valid at every time at once: the curves of always-valid monitoring.",
    keys=(
        Key("boundary", "choice", "which curve", needed=True, choices=tuple(_SAID)),
        Key("v", "number", "intrinsic time: the sum of variances so far; rows, for quantiles", needed=True, least=1e-9),
        Key("best_at", "number", "the time at which the curve is to be lowest", default=100, least=1e-9),
        Key("best_alpha", "number", "the error that it is tuned for; by default alpha", least=1e-9, most=0.49),
        Key("c", "number", "scale of the increments (gamma mixtures, stitching)", default=1.0, least=-1e6, most=1e6),
        Key("g", "number", "increments are at least -g (beta-binomial)", default=0.5, least=1e-6, most=1e6),
        Key("h", "number", "increments are at most h (beta-binomial)", default=0.5, least=1e-6, most=1e6),
        Key("v_min", "number", "the time from which stitching and empirical_process hold", default=1.0, least=1e-9),
        Key("s", "number", "how fast the error is spent over epochs (stitching)", default=1.4, least=1.001, most=50),
        Key("eta", "number", "ratio of epochs (stitching)", default=2.0, least=1.001, most=1e6),
        Key("quantile", "number", "which share of a distribution (double_stitching)", default=0.5, least=1e-6, most=1),
        Key("delta", "number", "how fine the grid of quantiles is (double_stitching)", default=0.5, least=1e-6),
        Key("a", "number", "leading constant, above 0.71 (empirical_process)", default=0.85, least=0.7072, most=100),
        ALPHA,
    ),
    source="Howard, Ramdas, McAuliffe & Sekhon 2021, Ann Stat 49:1055; Howard & Ramdas 2022, Bernoulli 28:1704",
    example={"estimator": "uniform_boundary", "boundary": "gamma_exponential", "v": 100, "best_at": 100, "c": 2},
)


def estimate(_frame: Frame | None, spec: Spec) -> Result:
    """The height of the curve at the time ``v``.

    Raises:
        InputError: a value does not fit the curve.
    """
    if spec["quantile"] >= 1:
        raise InputError("must be below 1", field="quantile")
    if spec["boundary"].startswith("gamma") and spec["c"] <= 0:
        raise InputError("must be above 0", field="c")
    height = _CURVES[spec["boundary"]](spec)
    if not isfinite(height):
        raise InputError(f"lies before v_min, from which on {spec['boundary']} holds", field="v")
    return Result(
        method=f"uniform boundary, {_SAID[spec['boundary']]}",
        n=0,
        estimate=height,
        details={"v": spec["v"], "rho": _rho(spec, 1 if "one_sided" in spec["boundary"] else 2)}
        if "mixture" in spec["boundary"]
        else {"v": spec["v"]},
    )


def _rho(spec: Spec, sides: int) -> float:
    """The tuning; that of a one-sided curve is a two-sided one's for twice the error."""
    return curves.best_rho(spec["best_at"], (spec["best_alpha"] or min(spec["alpha"], 0.49)) * (3 - sides))


def _beta(spec: Spec, sides: int) -> float:
    limits = (spec["g"], spec["h"])
    return curves.beta_binomial_bound(spec["v"], spec["alpha"], _rho(spec, sides), limits, one_sided=sides == 1)


_CURVES: Mapping[str, Callable[[Spec], float]] = {
    "normal_mixture": lambda k: float(curves.normal_mixture_bound(k["v"], k["alpha"], _rho(k, 2))),
    "normal_mixture_one_sided": lambda k: curves.one_sided_normal_mixture_bound(k["v"], k["alpha"], _rho(k, 1)),
    "gamma_exponential": lambda k: curves.gamma_exponential_bound(k["v"], k["alpha"], _rho(k, 1), k["c"]),
    "gamma_poisson": lambda k: curves.gamma_poisson_bound(k["v"], k["alpha"], _rho(k, 1), k["c"]),
    "beta_binomial": lambda k: _beta(k, 2),
    "beta_binomial_one_sided": lambda k: _beta(k, 1),
    "stitching": lambda k: curves.stitching_bound(k["v"], k["alpha"], k["v_min"], k["c"], k["s"], k["eta"]),
    "double_stitching": lambda k: curves.double_stitching_bound(
        k["quantile"], k["v"], k["alpha"], k["best_at"], k["delta"], k["s"], k["eta"]
    ),
    "empirical_process": lambda k: curves.empirical_process_bound(k["v"], k["alpha"], k["v_min"], k["a"]),
}
