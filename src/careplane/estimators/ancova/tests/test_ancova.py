"""Against statsmodels (to 1e-9), and the gain that it promises."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from careplane.errors import InputError
from careplane.estimators._frame import Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.ancova import INFO, estimate

DRAWS = np.random.default_rng(4)
ARM = np.tile([0.0, 1.0], 60)
BEFORE = DRAWS.normal(10, 3, 120)
Y = 0.9 * BEFORE + 1.5 * ARM + DRAWS.normal(size=120)


def run(**keys: Any) -> Result:
    frame = Frame({"y": Y, "arm": ARM, "before": BEFORE}, np.arange(2, 122), {})
    return estimate(frame, read_spec(INFO, {"outcome": "y", "treatment": "arm", "covariates": ["before"], **keys}))


@pytest.mark.parametrize("interacted", [True, False])
def test_as_statsmodels(interacted: bool) -> None:
    centred = BEFORE - BEFORE.mean()
    columns = [np.ones(120), ARM, centred, *([centred * ARM] if interacted else [])]
    theirs = sm.OLS(Y, np.column_stack(columns)).fit(cov_type="HC2")
    found = run(interacted=interacted)
    assert (found.estimate, found.se) == pytest.approx((theirs.params[1], theirs.bse[1]), rel=1e-9)
    assert found.df == 120 - len(columns)


def test_the_adjusted_interval_is_narrower() -> None:
    found = run()
    assert found.ci_low is not None
    assert found.ci_high is not None
    plain = Y[ARM == 1].std(ddof=1) * (2 / 60) ** 0.5 * 3.9
    assert found.ci_high - found.ci_low < plain / 2
    assert found.details["unadjusted"] == pytest.approx(Y[ARM == 1].mean() - Y[ARM == 0].mean())


def test_a_covariate_that_is_the_arm_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be told apart"):
        run(covariates=["arm"])


def test_a_constant_covariate_is_refused_by_the_value_that_it_has() -> None:
    frame = Frame({"y": Y, "arm": ARM, "site": np.full(120, 3.0)}, np.arange(2, 122), {})
    with pytest.raises(InputError, match="site: is 3 in every row"):
        estimate(frame, read_spec(INFO, {"outcome": "y", "treatment": "arm", "covariates": ["site"]}))


def test_cuped_is_welch_of_what_one_slope_leaves() -> None:
    """Deng et al. 2013: theta = cov(y, x) / var(x) over both arms; the comparison of means is HC2's, as Welch's."""
    draws = np.random.default_rng(9)
    arm = np.arange(80) % 2
    before = draws.normal(10, 3, 80)
    y = 0.7 * before - arm + draws.normal(size=80)
    columns = {"y": y, "arm": arm.astype(float), "before": before}
    frame = Frame(columns, np.arange(2, 82), {})
    asked = {"outcome": "y", "treatment": "arm", "covariates": ["before"]}
    found = estimate(frame, read_spec(INFO, {**asked, "cuped": True}))
    theta = np.cov(y, before)[0, 1] / before.var(ddof=1)
    left = y - theta * (before - before.mean())
    one, other = left[arm == 1], left[arm == 0]
    assert found.estimate == pytest.approx(one.mean() - other.mean(), rel=1e-9)
    assert found.se == pytest.approx(np.sqrt(one.var(ddof=1) / 40 + other.var(ddof=1) / 40), rel=1e-9)
    assert found.details["variance_kept"] < 0.5
