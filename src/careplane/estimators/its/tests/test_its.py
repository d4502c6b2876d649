"""Against R's glm on the Sicilian smoking ban as published (1e-5), and statsmodels (1e-8)."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from careplane.errors import InputError, Refused
from careplane.estimators._frame import Column, Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.its import INFO, estimate

EVIDENCE = Path(__file__).resolve().parents[6] / "shared" / "data" / "evidence"
needs_data = pytest.mark.skipif(not EVIDENCE.exists(), reason="the shared reference data is not beside the repository")


def run(columns: dict[str, Any], **keys: Any) -> Result:
    arrays: dict[str, Column] = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in columns.items()
    }
    frame = Frame(arrays, np.arange(2, len(next(iter(arrays.values()))) + 2), {})
    return estimate(frame, read_spec(INFO, keys))


@needs_data
def test_sicilian_smoking_ban() -> None:
    references = json.loads((EVIDENCE / "reference.json").read_text())["references"]
    expected = next(one for one in references if one["id"] == "D4")["expected"]
    with gzip.open(EVIDENCE / "sicily_smoking_ban.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines))
    columns = {name: [float(row[name]) for row in rows] for name in ("aces", "time", "smokban", "stdpop")}
    asked: dict[str, Any] = {"outcome": "aces", "time": "time", "treatment": "smokban", "offset": "stdpop"}

    def ratio(found: Result) -> list[float]:
        assert found.details["ratio"]["estimate"] == found.estimate
        return [float(one) for one in (found.estimate, found.ci_low, found.ci_high) if one is not None]

    plain = run(columns, **asked, family="poisson")
    assert ratio(plain) == pytest.approx(expected["poisson_RR"], abs=1e-5)
    assert any("quasipoisson" in one for one in plain.warnings)
    wide = run(columns, **asked, family="quasipoisson")
    assert ratio(wide) == pytest.approx(expected["quasi_RR"], abs=1e-5)
    assert wide.details["dispersion"] == pytest.approx(expected["dispersion_quasi"], abs=1e-5)
    seasonal = run(columns, **asked, family="quasipoisson", harmonics=2, period=12)
    assert ratio(seasonal) == pytest.approx(expected["seasonal_RR"], abs=1e-5)
    assert seasonal.details["dispersion"] == pytest.approx(expected["seasonal_dispersion"], abs=1e-5)


def made(control: bool = False) -> dict[str, Any]:
    draws = np.random.default_rng(3)
    time = np.tile(np.arange(1.0, 41), 1 + control)
    other = np.repeat([0.0, 1.0], 40)[: len(time)]
    after = (time > 24).astype(float)
    noise = draws.normal(size=len(time)) + 0.5 * np.roll(draws.normal(size=len(time)), 1)
    y = 30 + 0.2 * time - 3 * after * (1 - other) - 1 * after + 2 * other + noise
    columns = {"y": y, "t": time, "after": after, "other": other, "count": draws.poisson(np.maximum(y, 1))}
    return {name: values.tolist() for name, values in columns.items()}


KEYS: dict[str, Any] = {"outcome": "y", "time": "t", "treatment": "after"}


@pytest.mark.parametrize("lags", [None, 0, 5])
def test_gaussian_as_statsmodels(lags: int | None) -> None:
    table = made()
    found = run(table, **KEYS, change="level_and_slope", lags=lags)
    t, after = np.array(table["t"]), np.array(table["after"])
    x = np.column_stack([np.ones(40), after, after * (t - 25), t])
    theirs = sm.OLS(np.array(table["y"]), x).fit(
        cov_type="HAC", cov_kwds={"maxlags": 3 if lags is None else lags, "use_correction": True}
    )
    level, slope = found.details["effects"]["level"], found.details["effects"]["slope"]
    assert (level["estimate"], slope["estimate"]) == pytest.approx(tuple(theirs.params[1:3]), rel=1e-8)
    assert (level["se"], slope["se"]) == pytest.approx(tuple(theirs.bse[1:3]), rel=1e-8)


def test_a_control_series_takes_what_both_share_away() -> None:
    table = made(control=True)
    found = run(table, **KEYS, control="other", se="classical")
    t, after, own = (np.array(table[name]) for name in ("t", "after", "other"))
    own = 1 - own
    x = np.column_stack([np.ones(80), after * own, after, t, own, own * t])
    theirs = sm.OLS(np.array(table["y"]), x).fit()
    assert (found.estimate, found.se) == pytest.approx((theirs.params[1], theirs.bse[1]), rel=1e-8)
    assert found.df == 74


def test_counts_as_statsmodels() -> None:
    table = made()
    found = run(table, **(KEYS | {"outcome": "count"}), family="poisson", change="slope", scale="log")
    t, after = np.array(table["t"]), np.array(table["after"])
    x = np.column_stack([np.ones(40), after * (t - 25), t])
    theirs = sm.GLM(np.array(table["count"]), x, family=sm.families.Poisson()).fit(tol=1e-12)
    assert (found.estimate, found.se) == pytest.approx((theirs.params[1], theirs.bse[1]), rel=1e-7)


@pytest.mark.parametrize(
    ("change", "keys", "error", "told"),
    [
        ({"after": [0.0] * 24 + [1.0] * 6 + [0.0] * 10}, {}, InputError, r"is 0 again in line 32"),
        ({"after": [0.0] * 38 + [1.0] * 2}, {}, Refused, "38 periods before and 2 after"),
        ({"after": [0.0] * 40}, {}, Refused, "40 periods before and 0 after"),
        ({"t": [1.0, *made()["t"][:-1]]}, {}, InputError, "line 3 repeats"),
        ({}, {"offset": "t"}, InputError, "is for counts"),
        ({}, {"family": "poisson"}, InputError, "must be a count"),
        ({"count": [0.0] * 40}, {"family": "poisson", "outcome": "count"}, InputError, "is 0 in every row"),
        ({"count": [0.0] * 24 + [2.0] * 16}, {"family": "poisson", "outcome": "count"}, InputError, "no event before"),
        ({}, {"family": "poisson", "outcome": "count", "offset": "other"}, InputError, "must be above 0"),
        ({}, {"harmonics": 3, "period": 4}, InputError, "need a period above 6"),
        ({}, {"control": "other"}, InputError, "must be 1 in the rows"),
        ({}, {"covariates": ["after"]}, InputError, "cannot be told apart"),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], keys: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        run(made() | change, **(KEYS | keys))


def test_a_missing_period_is_counted_and_told() -> None:
    table = made()
    table["y"][9] = np.nan
    found = run(table, **KEYS)
    assert found.left_out == {"y is missing": 1}
    assert any("not evenly spaced" in one for one in found.warnings)


def test_negative_binomial_as_statsmodels() -> None:
    """Extra variance and coefficients by joint maximum likelihood (1e-4), errors as the GLM with that variance."""
    draws = np.random.default_rng(8)
    time = np.arange(1.0, 73)
    after = (time > 40).astype(float)
    mean = np.exp(3.2 + 0.004 * time - 0.25 * after)
    y = draws.poisson(mean * draws.gamma(6, 1 / 6, 72)).astype(float)
    columns = {"y": y.tolist(), "t": time.tolist(), "after": after.tolist()}
    asked: dict[str, Any] = {"outcome": "y", "time": "t", "treatment": "after", "family": "negative_binomial"}
    found = run(columns, **asked, scale="log")
    x = np.column_stack([np.ones(72), after, time - time.mean()])
    theirs = sm.NegativeBinomial(y, x).fit(disp=0, maxiter=500, gtol=1e-10)
    assert found.details["extra_variance"] == pytest.approx(theirs.params[-1], rel=1e-4)
    assert found.estimate == pytest.approx(theirs.params[1], abs=1e-5)
    glm = sm.GLM(y, x, family=sm.families.NegativeBinomial(alpha=found.details["extra_variance"])).fit(tol=1e-12)
    assert (found.estimate, found.se) == pytest.approx((glm.params[1], glm.bse[1]), rel=1e-6)


def test_counts_no_wilder_than_poisson_have_no_extra_variance() -> None:
    time = np.arange(1.0, 41)
    y = np.round(np.exp(3 + 0.01 * time))
    columns = {"y": y.tolist(), "t": time.tolist(), "after": (time > 20).astype(float).tolist()}
    asked: dict[str, Any] = {"outcome": "y", "time": "t", "treatment": "after"}
    wide, plain = (run(columns, **asked, family=name) for name in ("negative_binomial", "poisson"))
    assert wide.details["extra_variance"] < 1e-5
    assert wide.estimate == pytest.approx(plain.estimate, rel=1e-4)
