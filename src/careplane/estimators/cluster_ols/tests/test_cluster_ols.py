"""Against clubSandwich and AER as printed (tolerances beside), and statsmodels (to 1e-9)."""

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
from careplane.estimators.cluster_ols import INFO, estimate

EVIDENCE = Path(__file__).resolve().parents[6] / "shared" / "data" / "evidence"
needs_data = pytest.mark.skipif(not EVIDENCE.exists(), reason="the shared reference data is not beside the repository")


def frame_of(columns: dict[str, Any]) -> Frame:
    arrays: dict[str, Column] = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in columns.items()
    }
    return Frame(arrays, np.arange(2, len(next(iter(arrays.values()))) + 2), {})


def run(columns: dict[str, Any], **keys: Any) -> Result:
    return estimate(frame_of(columns), read_spec(INFO, keys))


def published(name: str) -> dict[str, Any]:
    references = json.loads((EVIDENCE / "reference.json").read_text())["references"]
    found: dict[str, Any] = next(one for one in references if one["id"] == name)["expected"]
    return found


def rows(name: str) -> list[dict[str, str]]:
    with gzip.open(EVIDENCE / name, "rt") as lines:
        return list(csv.DictReader(lines))


@needs_data
def test_minimum_legal_drinking_age() -> None:
    """Pustejovsky & Tipton 2018 by clubSandwich, unweighted and weighted by population: 1e-6 of the printed digits."""
    deaths = [row for row in rows("mortality_rates_mlda.csv.gz") if row["cause"] == "Motor Vehicle"]
    deaths = [row for row in deaths if int(row["year"]) <= 1983 and row["beertaxa"] not in ("", "NA")]
    columns = {
        name: [float(row[name]) for row in deaths] for name in ("year", "state", "pop", "legal", "beertaxa", "mrate")
    }
    asked = {"outcome": "mrate", "treatment": "legal", "covariates": ["beertaxa"], "cluster": "state"}
    asked |= {"fixed_effects": ["state", "year"], "se": ["CR2", "CR1"]}
    expected = published("D6")
    plain = run(columns, **asked)
    assert plain.estimate == pytest.approx(expected["unweighted"]["beta"], rel=1e-6)
    assert (plain.se, plain.df) == pytest.approx(
        (expected["unweighted"]["CR2_se"], expected["unweighted"]["df"]), rel=1e-6
    )
    assert plain.p == pytest.approx(expected["unweighted"]["p"], rel=1e-5)
    assert plain.details["se"]["CR1"]["se"] == pytest.approx(expected["unweighted"]["CR1_se"], abs=5e-3)
    assert plain.details["se"]["CR1"]["p"] == pytest.approx(expected["unweighted"]["CR1_p"], abs=5e-6)
    weighted = run(columns, **asked, weights="pop")
    wanted = expected["weighted_pop"]
    assert weighted.estimate == pytest.approx(wanted["beta"], rel=1e-6)
    assert (weighted.se, weighted.df, weighted.p) == pytest.approx(
        (wanted["CR2_se"], wanted["df"], wanted["p"]), rel=1e-5
    )


@needs_data
def test_tennessee_star() -> None:
    """Stock & Watson Table 13.1 by AER: 1e-4."""
    kept = [row for row in rows("star_kindergarten.csv.gz") if "NA" not in (row["readk"], row["mathk"], row["stark"])]
    columns: dict[str, Any] = {
        "score": [float(row["readk"]) + float(row["mathk"]) for row in kept],
        "small": [float(row["stark"] == "small") for row in kept],
        "aide": [float(row["stark"] == "regular+aide") for row in kept],
        "experience": [float(row["experiencek"]) if row["experiencek"] != "NA" else np.nan for row in kept],
        "school": [row["schoolidk"] for row in kept],
    }
    expected = published("D5")
    asked = {"outcome": "score", "treatment": "small", "covariates": ["aide"], "se": ["HC1"]}
    small = run(columns, **asked)
    assert small.n == expected["n"]
    assert (small.estimate, small.se) == pytest.approx(expected["small"], abs=1e-4)
    aide = run(columns, **(asked | {"treatment": "aide", "covariates": ["small"]}))
    assert (aide.estimate, aide.se) == pytest.approx(expected["aide"], abs=1e-4)
    older = run(columns, **(asked | {"covariates": ["aide", "experience"]}))
    assert (older.estimate, older.se) == pytest.approx(expected["small_exper"], abs=1e-4)
    schools = run(columns, **(asked | {"covariates": ["aide", "experience"], "fixed_effects": ["school"]}))
    assert (schools.estimate, schools.se) == pytest.approx(expected["small_exper_schoolFE_HC1"], abs=1e-4)
    clustered = run(columns, **(asked | {"fixed_effects": ["school"], "cluster": "school", "se": ["CR2"]}))
    value, se, df = expected["small_schoolFE_CR2"]
    assert clustered.estimate == pytest.approx(value, abs=1e-4)
    assert (clustered.se, clustered.df) == pytest.approx((se, df), abs=5e-2)


DRAWS = np.random.default_rng(8)
CODE = np.repeat(np.arange(10), 12)
TABLE: dict[str, Any] = {
    "y": (DRAWS.normal(size=10)[CODE] + 0.4 * (CODE % 2) + DRAWS.normal(size=120)).tolist(),
    "arm": (CODE % 2).astype(float).tolist(),
    "x": DRAWS.normal(size=120).tolist(),
    "kind": [("a", "b", "c")[i % 3] for i in range(120)],
    "clinic": [f"c{i}" for i in CODE],
    "w": DRAWS.uniform(0.5, 2, 120).tolist(),
}


@pytest.mark.parametrize("kind", ["classical", "HC0", "HC1", "HC2", "HC3", "CR0", "CR1S"])
def test_as_statsmodels(kind: str) -> None:
    found = run(TABLE, outcome="y", treatment="arm", covariates=["x", "kind"], cluster="clinic", se=[kind])
    kinds = np.array(TABLE["kind"])
    x = sm.add_constant(np.column_stack([TABLE["arm"], TABLE["x"], kinds == "b", kinds == "c"]).astype(float))
    names = {"classical": "nonrobust", "CR0": "cluster", "CR1S": "cluster"}
    more = {"groups": CODE, "use_correction": kind == "CR1S"} if kind.startswith("CR") else {}
    theirs = sm.OLS(np.array(TABLE["y"]), x).fit(cov_type=names.get(kind, kind), cov_kwds=more or None)
    assert (found.estimate, found.se) == pytest.approx((theirs.params[1], theirs.bse[1]), rel=1e-9)


def test_weights_are_those_of_weighted_least_squares() -> None:
    found = run(TABLE, outcome="y", treatment="x", weights="w", se=["HC1"])
    theirs = sm.WLS(np.array(TABLE["y"]), sm.add_constant(np.array(TABLE["x"])), weights=np.array(TABLE["w"]))
    fitted = theirs.fit(cov_type="HC1")
    assert (found.estimate, found.se) == pytest.approx((fitted.params[1], fitted.bse[1]), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "keys", "told", "field"),
    [
        ({"arm": [1.0] * 120}, {}, "is 1 in every row", "arm"),
        ({"x": TABLE["arm"]}, {"covariates": ["x"]}, "cannot be told apart", None),
        ({}, {"weights": "x"}, "must be above 0", "x"),
        ({"y": ["a"] * 120}, {}, "holds text", "y"),
        ({}, {"covariates": ["nix"]}, "no such column", "nix"),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], keys: dict[str, Any], told: str, field: str | None) -> None:
    with pytest.raises(InputError, match=told) as caught:
        run(TABLE | change, outcome="y", treatment="arm", cluster="clinic", **keys)
    assert field is None or caught.value.field == field


def test_too_few_clusters_are_refused_with_the_way_out() -> None:
    few = {name: values[:48] for name, values in TABLE.items()}
    with pytest.raises(Refused, match="4 clusters are too few") as caught:
        run(few, outcome="y", treatment="arm", cluster="clinic")
    assert "exact_permutation" in str(caught.value)
    with pytest.raises(Refused, match="variance of clusters"):
        run(TABLE, outcome="y", treatment="arm", se=["CR2"])
