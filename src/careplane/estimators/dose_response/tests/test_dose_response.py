"""Against statsmodels: least squares (1e-9), two-stage least squares (1e-9), and Wald's ratio by hand."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.sandbox.regression.gmm import IV2SLS

from careplane.errors import InputError, Refused
from careplane.estimators._frame import Column, Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.dose_response import INFO, estimate


def run(columns: dict[str, Any], **keys: Any) -> Result:
    arrays: dict[str, Column] = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in columns.items()
    }
    frame = Frame(arrays, np.arange(2, len(next(iter(arrays.values()))) + 2), {})
    return estimate(frame, read_spec(INFO, {"outcome": "y", "dose": "d"} | keys))


DRAWS = np.random.default_rng(4)
ARM, EAGER = np.repeat([0.0, 1.0], 150), DRAWS.normal(size=300)
DOSE = np.where(ARM == 1, DRAWS.poisson(np.exp(1 + 0.5 * EAGER)), 0).astype(float)
Y = 5 - 0.2 * DOSE + 1.0 * EAGER + DRAWS.normal(size=300)
X = DRAWS.normal(size=300)
TABLE: dict[str, Any] = {"y": Y.tolist(), "d": DOSE.tolist(), "arm": ARM.tolist(), "x": X.tolist()} | {
    "c": [f"c{i % 12}" for i in range(300)]
}


def test_linear_as_least_squares_and_always_warned_about() -> None:
    found = run(TABLE, covariates=["x"])
    theirs = sm.OLS(Y, sm.add_constant(np.column_stack([X, DOSE]))).fit(cov_type="HC2")
    assert (found.estimate, found.se) == pytest.approx((theirs.params[2], theirs.bse[2]), rel=1e-9)
    for method in ("linear", "instrument"):
        assert "not randomised" in run(TABLE, method=method, treatment="arm").warnings[0]


def test_the_instrument_as_two_stage_least_squares() -> None:
    found = run(TABLE, method="instrument", treatment="arm", covariates=["x"])
    x, z = sm.add_constant(np.column_stack([X, DOSE])), sm.add_constant(np.column_stack([X, ARM]))
    theirs = IV2SLS(Y, x, z).fit()
    assert found.estimate == pytest.approx(theirs.params[2], rel=1e-9)
    assert found.se == pytest.approx(theirs.bse[2], rel=0.15)
    assert (found.estimate or 0) == pytest.approx(-0.2, abs=4 * (found.se or 0))
    plain = run(TABLE, method="instrument", treatment="arm")
    by_hand = (Y[ARM == 1].mean() - Y[ARM == 0].mean()) / DOSE[ARM == 1].mean()
    assert plain.estimate == pytest.approx(by_hand, rel=1e-9)
    left = Y - by_hand * DOSE
    spread = np.sqrt(left[ARM == 1].var(ddof=1) / 150 + left[ARM == 0].var(ddof=1) / 150) / DOSE[ARM == 1].mean()
    assert plain.se == pytest.approx(spread, rel=1e-9)


def test_categories_are_differences_of_means() -> None:
    told = run(TABLE, method="categories", cuts=[1, 4]).details["categories"]
    assert list(told) == ["below 1", "from 1", "from 4"]
    assert told["from 4"]["difference"] == pytest.approx(Y[DOSE >= 4].mean() - Y[DOSE < 1].mean(), rel=1e-9)
    assert sum(one["n"] for one in told.values()) == 300


@pytest.mark.parametrize(
    ("change", "keys", "error", "told"),
    [
        ({}, {"method": "instrument"}, InputError, "treatment: is needed"),
        ({}, {"method": "categories"}, InputError, "cuts: must name"),
        ({}, {"method": "categories", "cuts": [1, 5000]}, InputError, "without a row"),
        ({"d": [1.0] * 300}, {}, InputError, "is 1 in every row"),
        ({"d": (np.arange(300.0) % 7).tolist()}, {"method": "instrument", "treatment": "arm"}, Refused, "hardly moves"),
        ({"c": [f"c{i % 3}" for i in range(300)]}, {"cluster": "c"}, Refused, "3 clusters"),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], keys: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        run(TABLE | change, **keys)
