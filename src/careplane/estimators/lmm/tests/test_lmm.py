"""Against lme4, lmerTest and pbkrtest as printed (1e-4), and statsmodels (1e-5)."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from careplane.errors import InputError, Refused
from careplane.estimators._frame import Frame
from careplane.estimators._mixed import Block, Within, kenward_roger, reml
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.lmm import INFO, estimate

EVIDENCE = Path(__file__).resolve().parents[6] / "shared" / "data" / "evidence"
needs_data = pytest.mark.skipif(not EVIDENCE.exists(), reason="the shared reference data is not beside the repository")


def run(columns: dict[str, Any], **keys: Any) -> Result:
    arrays = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in columns.items()
    }
    frame = Frame(arrays, np.arange(2, len(next(iter(arrays.values()))) + 2), {})
    return estimate(frame, read_spec(INFO, keys))


def published(name: str) -> Any:
    references = json.loads((EVIDENCE / "reference.json").read_text())["references"]
    return next(one for one in references if one["id"] == "D7")["expected"][name]


def rows(name: str) -> list[dict[str, str]]:
    with gzip.open(EVIDENCE / name, "rt") as lines:
        return list(csv.DictReader(lines))


@needs_data
def test_the_sleep_study_with_a_random_slope() -> None:
    table = rows("sleepstudy.csv.gz")
    columns: dict[str, Any] = {name: [float(row[name]) for row in table] for name in ("Reaction", "Days")}
    columns["Subject"] = [row["Subject"] for row in table]
    asked = {"outcome": "Reaction", "treatment": "Days", "cluster": "Subject", "random_slopes": ["Days"]}
    found = run(columns, **asked, se=["KR", "satterthwaite"])
    expected = published("sleep")
    assert found.estimate == pytest.approx(expected["days"], abs=1e-4)
    assert (found.se, found.df) == pytest.approx((expected["se"], expected["kr_df"]), abs=1e-4)
    assert found.details["se"]["satterthwaite"]["df"] == pytest.approx(expected["satt_df"], abs=1e-3)


@needs_data
def test_the_beets_of_halekoh_and_hojsgaard() -> None:
    """The harvest is tested between whole plots: F is t squared, with 2 degrees of freedom."""
    table = rows("beets.csv.gz")
    columns: dict[str, Any] = {name: [row[name] for row in table] for name in ("harvest", "block", "sow")}
    columns["sugpct"] = [float(row["sugpct"]) for row in table]
    columns["plot"] = [f"{row['block']} {row['harvest']}" for row in table]
    found = run(columns, outcome="sugpct", treatment="harvest", cluster="plot", covariates=["sow", "block"])
    expected = published("beets")
    assert found.estimate is not None
    assert found.se is not None
    assert (found.estimate / found.se) ** 2 == pytest.approx(expected["harvest_F"], rel=1e-3)
    assert (found.df, found.p) == pytest.approx((expected["ddf"], expected["p"]), rel=1e-3)


def table(seed: int = 1) -> dict[str, Any]:
    draws = np.random.default_rng(seed)
    code = np.repeat(np.arange(10), 9)
    x = draws.normal(size=90)
    y = draws.normal(0, 1, 10)[code] + 0.5 * (code % 2) + 0.3 * x + draws.normal(size=90)
    return {"y": y.tolist(), "arm": (code % 2).astype(float).tolist(), "x": x.tolist(), "c": [f"c{i}" for i in code]}


def test_as_statsmodels() -> None:
    data = table()
    found = run(data, outcome="y", treatment="arm", cluster="c", covariates=["x"], se=["model"])
    x = sm.add_constant(np.column_stack([data["arm"], data["x"]]))
    theirs = sm.MixedLM(np.array(data["y"]), x, groups=data["c"]).fit(reml=True)
    assert found.estimate == pytest.approx(theirs.fe_params[1], abs=1e-5)
    assert found.se == pytest.approx(theirs.bse_fe[1], rel=1e-4)
    assert found.details["variance"]["cluster"] == pytest.approx(float(theirs.cov_re[0, 0]), rel=1e-3)


def test_collapsing_rows_changes_nothing() -> None:
    data = table()
    few = run(data, outcome="y", treatment="arm", cluster="c")
    y, x = np.array(data["y"]), np.column_stack([np.ones(90), data["arm"]])
    places = np.split(np.arange(90), 10)
    blocks = [Block(y[rows], x[rows], np.ones(9), (np.ones((9, 9)),)) for rows in places]
    apart = kenward_roger(reml(blocks, Within(0.0, 0.0)), np.array([0.0, 1.0]))
    assert (few.estimate, few.se, few.df) == pytest.approx((apart.value, apart.se, apart.df), rel=1e-7)
    assert few.df == pytest.approx(8, rel=1e-6)


def test_no_variance_between_clusters_is_said() -> None:
    draws = np.random.default_rng(0)
    code = np.repeat(np.arange(8), 6)
    base = np.tile(draws.normal(size=6), 8)
    found = run(
        {"y": base.tolist(), "arm": (code % 2).astype(float).tolist(), "c": code.astype(str).tolist()},
        outcome="y",
        treatment="arm",
        cluster="c",
    )
    assert "estimated as zero" in found.warnings[0]


def test_what_does_not_fit() -> None:
    data = table()
    with pytest.raises(Refused, match="2 clusters tell nothing"):
        run({name: values[:18] for name, values in data.items()}, outcome="y", treatment="arm", cluster="c")
    with pytest.raises(InputError, match="cannot be told apart"):
        run(data, outcome="y", treatment="arm", cluster="c", covariates=["arm"])
    with pytest.raises(InputError, match="does not vary"):
        run({**data, "y": data["arm"]}, outcome="y", treatment="arm", cluster="c")
