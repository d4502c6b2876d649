"""Against statsmodels (to 1e-6), SciPy, and Newcombe's published table."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from careplane.errors import InputError
from careplane.estimators._frame import Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.proportions import INFO, estimate


def run(a: int, m: int, b: int, n: int, measure: str = "risk_difference", alpha: float = 0.05) -> Result:
    event = [1.0] * a + [0.0] * (m - a) + [1.0] * b + [0.0] * (n - b)
    columns = {"y": np.array(event), "arm": np.repeat([1.0, 0.0], [m, n])}
    spec = {"outcome": "y", "treatment": "arm", "measure": measure, "alpha": alpha}
    return estimate(Frame(columns, np.arange(2, m + n + 2), {}), read_spec(INFO, spec))


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [((56, 70, 48, 80), 0.0524, 0.3339), ((9, 10, 3, 10), 0.1705, 0.8090), ((10, 10, 0, 20), 0.6791, 1.0)],
)
def test_newcombe_1998_table_ii(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    found = run(*counts)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("counts", [(9, 80, 17, 80), (1, 30, 5, 45), (40, 41, 33, 50)])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_as_statsmodels(counts: tuple[int, int, int, int], alpha: float) -> None:
    low, high = confint_proportions_2indep(*counts, method="newcomb", compare="diff", alpha=alpha)
    found = run(*counts, alpha=alpha)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=1e-9)
    low, high = confint_proportions_2indep(*counts, method="score", compare="ratio", alpha=alpha, correction=False)
    found = run(*counts, "risk_ratio", alpha)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), rel=1e-6)
    low, high = confint_proportions_2indep(*counts, method="logit", compare="odds-ratio", alpha=alpha)
    found = run(*counts, "odds_ratio", alpha)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), rel=1e-9)


@pytest.mark.parametrize("counts", [(9, 80, 17, 80), (1, 30, 5, 45), (40, 41, 33, 50), (30, 30, 5, 45)])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_katz_as_statsmodels(counts: tuple[int, int, int, int], alpha: float) -> None:
    event = np.repeat([1.0, 0.0, 1.0, 0.0], (counts[0], counts[1] - counts[0], counts[2], counts[3] - counts[2]))
    arm = np.repeat([1.0, 0.0], [counts[1], counts[3]])
    spec = {"outcome": "y", "treatment": "arm", "measure": "risk_ratio", "ratio_interval": "katz", "alpha": alpha}
    found = estimate(Frame({"y": event, "arm": arm}, np.arange(2, len(arm) + 2), {}), read_spec(INFO, spec))
    low, high = confint_proportions_2indep(*counts, method="log", compare="ratio", alpha=alpha, correction=False)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), rel=1e-9)
    assert "Katz" in found.method
    told = run(*counts, alpha=alpha).details["risk_ratio_katz"]
    assert (told["ci_low"], told["ci_high"]) == (found.ci_low, found.ci_high)


def test_katz_of_an_empty_cell_says_what_holds_there() -> None:
    summary = {"intervention": {"n": 20, "events": 0}, "control": {"n": 25, "events": 6}}
    keys = {"summary": summary, "measure": "risk_ratio", "ratio_interval": "katz"}
    found = estimate(None, read_spec(INFO, keys))
    assert (found.estimate, found.ci_low, found.ci_high) == (0.0, None, None)
    assert "koopman" in found.warnings[0]


def test_fisher_is_scipy_s() -> None:
    assert run(1, 12, 7, 11).p == pytest.approx(stats.fisher_exact([[1, 11], [7, 4]]).pvalue, rel=1e-12)


def test_empty_cells_have_intervals_and_no_ratio_that_cannot_be_told() -> None:
    none = run(0, 20, 0, 25, "risk_ratio")
    assert (none.estimate, none.ci_high, none.warnings) == (
        None,
        None,
        ("Nobody had the event, so the ratios cannot be told.",),
    )
    zero = run(0, 20, 6, 25, "risk_ratio")
    assert (zero.estimate, zero.ci_low) == (0.0, 0.0)
    assert 0 < (zero.ci_high or 0) < 1
    endless = run(6, 20, 0, 25, "risk_ratio")
    assert (endless.estimate, endless.ci_high) == (None, None)
    assert (endless.ci_low or 0) > 1
    assert run(20, 20, 25, 25).estimate == 0
    assert run(0, 20, 6, 25, "odds_ratio").ci_low == 0


def test_what_is_no_event_is_refused() -> None:
    frame = Frame({"y": np.array([0.0, 2.0]), "arm": np.array([0.0, 1.0])}, np.array([2, 3]), {})
    with pytest.raises(InputError, match=r"0 or 1 \(line 3\)"):
        estimate(frame, read_spec(INFO, {"outcome": "y", "treatment": "arm"}))
    one = Frame({"y": np.array([0.0, 1.0]), "arm": np.array([1.0, 1.0])}, np.array([2, 3]), {})
    with pytest.raises(InputError, match="one arm only"):
        estimate(one, read_spec(INFO, {"outcome": "y", "treatment": "arm"}))
