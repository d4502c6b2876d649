"""Against Newcombe's published table (score and hybrid intervals, 5e-5), brute force, and SciPy's t-tests (1e-9)."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_ind

from careplane.errors import InputError, Refused
from careplane.estimators._frame import Column, Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.non_inferiority import INFO, estimate, restricted

COUNTS = [(171, 200, 168, 200), (56, 70, 48, 80), (9, 10, 3, 10), (10, 10, 9, 11), (0, 20, 3, 25), (20, 20, 30, 30)]


def of_counts(counts: tuple[int, int, int, int], **keys: Any) -> Result:
    a, m, b, n = counts
    summary = {"intervention": {"n": m, "events": a}, "control": {"n": n, "events": b}}
    return estimate(None, read_spec(INFO, {"summary": summary, "kind": "event", "margin": 0.1} | keys))


def run(columns: dict[str, Any], **keys: Any) -> Result:
    arrays: dict[str, Column] = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in columns.items()
    }
    frame = Frame(arrays, np.arange(2, len(next(iter(arrays.values()))) + 2), {})
    return estimate(frame, read_spec(INFO, {"outcome": "y", "treatment": "arm", "margin": 1.0} | keys))


def test_the_score_interval_as_newcombe_prints_it() -> None:
    """1998, Table II, method 5 (Mee's, the score without a correction): 56/70 - 48/80 and 9/10 - 3/10."""
    first, second = of_counts(COUNTS[1]), of_counts(COUNTS[2])
    assert (first.ci_low, first.ci_high) == pytest.approx((0.0533, 0.3377), abs=5e-5)
    assert (second.ci_low, second.ci_high) == pytest.approx((0.1821, 0.8370), abs=5e-5)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("difference", [-0.1, 0.0, 0.2])
def test_restricted_risks_have_the_highest_likelihood(counts: tuple[int, int, int, int], difference: float) -> None:
    a, m, b, n = counts
    q = np.linspace(max(0.0, -difference), min(1.0, 1 - difference), 200_001)
    p = q + difference
    parts = ((a, p), (m - a, 1 - p), (b, q), (n - b, 1 - q))
    likelihood = sum(k * np.log(np.maximum(share, 1e-300)) for k, share in parts if k)
    best = int(np.argmax(likelihood))
    assert restricted(counts, difference) == pytest.approx((p[best], q[best]), abs=2e-5)


@pytest.mark.parametrize("counts", COUNTS)
def test_the_test_and_the_interval_agree(counts: tuple[int, int, int, int]) -> None:
    found = of_counts(counts)
    assert found.ci_low is not None
    assert found.ci_low <= (found.estimate or 0) + 1e-9
    assert ((found.p or 0) < 0.025) == found.details["non_inferior"]


def test_newcombe_as_published() -> None:
    """1998, Table II, method 10: 56/70 - 48/80 is .0524 to .3339; 9/10 - 3/10 is .1705 to .8090."""
    first, second = of_counts(COUNTS[1], method="newcombe"), of_counts(COUNTS[2], method="newcombe")
    assert (first.ci_low, first.ci_high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert (second.ci_low, second.ci_high) == pytest.approx((0.1705, 0.8090), abs=5e-5)


def test_means_as_welch_against_the_margin() -> None:
    draws = np.random.default_rng(3)
    arm = np.repeat([0.0, 1.0], 40)
    y = draws.normal(10 - 0.2 * arm, 2)
    found = run({"y": y.tolist(), "arm": arm.tolist()})
    theirs = ttest_ind(y[arm == 1] + 1.0, y[arm == 0], equal_var=False, alternative="greater")
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert found.details["non_inferior"] is bool(theirs.pvalue < 0.025)
    turned = run({"y": (-y).tolist(), "arm": arm.tolist()}, better="lower")
    assert (turned.p, turned.ci_high) == pytest.approx((found.p, -(found.ci_low or 0)), rel=1e-9)


def test_what_does_not_fit() -> None:
    table = {"y": [1.0, 2.0, 3.0, 4.0] * 4, "arm": [0.0, 0.0, 1.0, 1.0] * 4, "c": ["a", "b", "c", "d"] * 4}
    with pytest.raises(Refused, match=r"4 clusters.*exact_permutation"):
        run(table, cluster="c")
    with pytest.raises(InputError, match="below 1"):
        of_counts(COUNTS[0], margin=2)
    with pytest.raises(InputError, match="margin: is needed"):
        read_spec(INFO, {"outcome": "y", "treatment": "arm"})
