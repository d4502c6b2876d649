"""Against lme4's glmer on a stepped wedge (1e-3 as stated, 1e-5 reached), statsmodels without clusters' variance, and
direct integration of the likelihood (1e-6)."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.integrate import quad
from scipy.special import expit

from careplane.errors import InputError, Refused
from careplane.estimators._frame import Column, Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.glmm import INFO, estimate


def run(columns: dict[str, Any], **keys: Any) -> Result:
    arrays: dict[str, Column] = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in columns.items()
    }
    frame = Frame(arrays, np.arange(2, len(next(iter(arrays.values()))) + 2), {})
    return estimate(frame, read_spec(INFO, {"treatment": "arm", "cluster": "clinic"} | keys))


DRAWS = np.random.default_rng(5)
CODE = np.repeat(np.arange(14), 12)
ARM = (CODE % 2).astype(float)
ODDS = -0.4 + 0.7 * ARM + DRAWS.normal(0, 0.8, 14)[CODE]
TABLE: dict[str, Any] = {
    "event": (DRAWS.random(len(CODE)) < expit(ODDS)).astype(float).tolist(),
    "count": DRAWS.poisson(np.exp(0.3 + 0.5 * ARM)).tolist(),
    "days": DRAWS.integers(1, 5, len(CODE)).tolist(),
    "arm": ARM.tolist(),
    "clinic": [f"c{one:02d}" for one in CODE],
}


def test_quadrature_is_the_integral() -> None:
    found = run(TABLE, outcome="event", points=25)
    fixed = found.details["fixed"]["(intercept)"] + found.details["fixed"]["arm"] * ARM
    sigma, y, total = found.details["cluster_sd"], np.array(TABLE["event"]), 0.0
    for code in range(14):
        own, seen = fixed[code == CODE], y[code == CODE]

        def density(u: float, own: Any = own, seen: Any = seen) -> float:
            p = expit(own + sigma * u)
            return float(np.prod(np.where(seen == 1, p, 1 - p)) * np.exp(-u * u / 2) / np.sqrt(2 * np.pi))

        total += np.log(quad(density, -9, 9, epsabs=1e-16, limit=200)[0])
    assert found.details["log_likelihood"] == pytest.approx(total, abs=1e-6)


def test_without_variance_between_clusters_it_is_the_plain_model() -> None:
    asked: dict[str, Any] = {"outcome": "count", "family": "poisson", "offset": "days"}
    found = run(TABLE, **asked)
    offset = np.log(np.array(TABLE["days"], float))
    plain = sm.GLM(np.array(TABLE["count"], float), sm.add_constant(ARM), sm.families.Poisson(), offset=offset).fit()
    if found.details["cluster_sd"] < 1e-3:
        assert (found.estimate, found.se) == pytest.approx((plain.params[1], plain.bse[1]), rel=1e-3)
    assert found.details["log_likelihood"] >= plain.llf - 1e-6


@pytest.mark.parametrize(
    ("change", "keys", "error", "told"),
    [
        ({"event": ARM.tolist()}, {}, Refused, "no maximum.*proportions"),
        ({"clinic": [f"c{one % 4}" for one in CODE]}, {}, Refused, "4 clusters are too few"),
        ({}, {"offset": "days"}, InputError, "for counts"),
        ({}, {"outcome": "count"}, InputError, "must be 0 or 1"),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], keys: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        run(TABLE | change, **({"outcome": "event"} | keys))
