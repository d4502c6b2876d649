"""Against SciPy's t-tests (to 1e-12) and published figures."""

import numpy as np
import pytest
from scipy import stats

from careplane.errors import InputError, Refused
from careplane.estimators._frame import Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.difference_in_means import INFO, estimate


def run(y: list[float], arm: list[float], **keys: object) -> Result:
    columns = {"y": np.array(y, np.float64), "arm": np.array(arm, np.float64)}
    frame = Frame(columns, np.arange(2, len(y) + 2), {})
    return estimate(frame, read_spec(INFO, {"outcome": "y", "treatment": "arm", **keys}))


DRAWS = np.random.default_rng(5)
Y = DRAWS.normal(size=50).tolist()
ARM = ([0.0] * 20) + [1.0] * 30


@pytest.mark.parametrize("variance", ["welch", "pooled"])
def test_as_scipy(variance: str) -> None:
    found = run(Y, ARM, variance=variance, alpha=0.1)
    told = stats.ttest_ind(Y[20:], Y[:20], equal_var=variance == "pooled")
    ends = told.confidence_interval(0.9)
    assert found.p == pytest.approx(told.pvalue, rel=1e-12)
    assert (found.ci_low, found.ci_high, found.df) == pytest.approx((ends.low, ends.high, told.df), rel=1e-12)


def test_rows_without_a_value_are_counted_and_named() -> None:
    found = run([1.0, np.nan, 2.0, 4.0, 5.0, 3.0], [0, 0, 0, 1, 1, np.nan])
    assert (found.n, found.left_out) == (4, {"y is missing": 1, "arm is missing": 1})


def test_what_does_not_fit_is_told_by_column_and_line() -> None:
    with pytest.raises(InputError, match=r"0 or 1 \(line 4\)") as caught:
        run([1, 2, 3, 4], [0, 1, 2, 1])
    assert caught.value.field == "arm"
    with pytest.raises(InputError, match="3 and 1 rows"):
        run([1, 2, 3, 4], [1, 1, 1, 0])
    with pytest.raises(InputError, match=r"not finite \(line 3\)"):
        run([1, np.inf, 3, 4], [1, 1, 0, 0])
    with pytest.raises(Refused, match="does not vary"):
        run([1, 1, 2, 2], [1, 1, 0, 0])
