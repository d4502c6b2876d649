"""Against the R package did as printed (points 1e-4, standard errors 5 %), did2s (5e-4), and diff-diff (1e-9)."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from careplane.errors import InputError, MissingExtra, Refused
from careplane.estimators._frame import Column, Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.staggered_did import INFO, estimate
from careplane.estimators.staggered_did._efficient import efficient
from careplane.estimators.staggered_did._panel import read_panel

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


def read(name: str, *columns: str) -> dict[str, Any]:
    with gzip.open(EVIDENCE / name, "rt") as lines:
        rows = list(csv.DictReader(lines))
    return {column: [float(row[column]) if row[column] != "NA" else np.nan for row in rows] for column in columns}


def mpdta() -> dict[str, Any]:
    return read("mpdta.csv.gz", "year", "countyreal", "lpop", "lemp", "first.treat")


WAGE = {"outcome": "lemp", "unit": "countyreal", "time": "year", "first_treated": "first.treat"}


@needs_data
def test_minimum_wage_callaway_santanna() -> None:
    expected = published("D1")
    found = run(mpdta(), **WAGE)
    assert found.estimate == pytest.approx(expected["simple"][0], abs=1e-8)
    assert found.se == pytest.approx(expected["simple"][1], rel=0.05)
    cells = {key: one["estimate"] for key, one in found.details["group_time"].items()}
    assert cells == pytest.approx(
        {key.removeprefix("pre "): value for key, value in expected["att_gt_reg_nevertreated_nocov"].items()}, abs=1e-4
    )
    for at, value in expected["event"].items():
        assert found.details["event_study"][at]["estimate"] == pytest.approx(value, abs=1e-4)
    dynamic = found.details["dynamic"]
    assert dynamic["estimate"] == pytest.approx(expected["dynamic_overall"][0], abs=1e-4)
    assert dynamic["se"] == pytest.approx(expected["dynamic_overall"][1], rel=0.05)
    plain = run(mpdta(), **WAGE, se="analytic").details["dynamic"]["se"]
    assert plain == pytest.approx(0.019965, abs=1e-6)  # of the influence function, as csdid in Stata
    assert found.details["analytic_se"]["dynamic"] == pytest.approx(plain, rel=1e-12)
    assert found.details["pretrend"]["p"] == pytest.approx(expected["pretest_p"], abs=1e-5)
    assert run(mpdta(), **WAGE, overall="dynamic").estimate == pytest.approx(dynamic["estimate"])


@needs_data
def test_minimum_wage_by_other_methods() -> None:
    expected = published("D1")
    adjusted = run(mpdta(), **WAGE, covariates=["lpop"])
    assert adjusted.estimate == pytest.approx(expected["dr_lpop_simple"][0], abs=1e-7)
    assert adjusted.se == pytest.approx(expected["dr_lpop_simple"][1], rel=0.05)
    assert run(mpdta(), **WAGE, method="imputation").estimate == pytest.approx(expected["bjs_imputation"], abs=1e-8)
    assert run(mpdta(), **WAGE, method="two_stage").estimate == pytest.approx(expected["bjs_imputation"], abs=1e-8)
    biased = run(mpdta(), **WAGE, method="twfe")
    assert biased.estimate == pytest.approx(expected["twfe"], abs=1e-8)
    assert "biased" in biased.warnings[0]


@needs_data
def test_did2s_as_printed() -> None:
    columns = read("did2s_df_het.csv.gz", "unit", "state", "g", "year", "dep_var")
    asked = {"outcome": "dep_var", "unit": "unit", "time": "year", "first_treated": "g", "cluster": "state"}
    found = run(columns, **asked, method="two_stage", effect="state")
    assert (found.estimate, found.se) == pytest.approx(published("D2")["static"], abs=5e-4)


def made(units: int = 24, seed: int = 2) -> dict[str, Any]:
    draws = np.random.default_rng(seed)
    unit, time = np.repeat(np.arange(units), 6), np.tile(np.arange(1, 7), units)
    first = np.array([0, 3, 5])[unit % 3]
    since = np.where(first > 0, np.maximum(time - first + 1, 0), 0)
    y = draws.normal(size=units)[unit] + 0.3 * time + 0.7 * since + draws.normal(0, 0.5, len(unit))
    return {
        "y": y.tolist(),
        "unit": [f"u{one:02d}" for one in unit],
        "t": time.astype(float).tolist(),
        "g": first.astype(float).tolist(),
        "clinic": [f"c{one // 2:02d}" for one in unit],
    }


KEYS = {"outcome": "y", "unit": "unit", "time": "t", "first_treated": "g"}


def test_efficient_with_b_of_one_is_callaway_santanna_against_those_not_yet_treated() -> None:
    table = made()
    spec = read_spec(INFO, KEYS)
    ours = efficient(read_panel(frame_of(table), spec), spec, beta=1.0)
    theirs = run(table, **KEYS, control_group="notyet")
    assert ours.simple.value == pytest.approx(theirs.estimate, abs=1e-9)
    for at, one in ours.events.items():
        assert one.value == pytest.approx(theirs.details["event_study"][f"{at:g}"]["estimate"], abs=1e-9)


def test_efficient_of_two_cohorts_is_the_regression_adjusted_difference() -> None:
    """With one period before and one after it is closed: b is Cov / Var, pooled by 1 / N of each arm."""
    draws = np.random.default_rng(4)
    arm = np.arange(20) % 2
    before = draws.normal(size=20)
    after = 0.4 * before + arm + draws.normal(0, 0.3, 20)
    table = {"y": np.column_stack([before, after]).ravel().tolist(), "unit": np.repeat(np.arange(20.0), 2).tolist()}
    table |= {"t": np.tile([1.0, 2.0], 20).tolist(), "g": np.repeat(np.where(arm, 2.0, 0.0), 2).tolist()}
    found = run(table, **KEYS, method="efficient")
    moments = [np.cov(before[arm == a], after[arm == a]) / 10 for a in (0, 1)]
    b = sum(one[0, 1] for one in moments) / sum(one[0, 0] for one in moments)
    rest = after - b * before
    se = float(np.sqrt(sum(rest[arm == a].var(ddof=1) / 10 for a in (0, 1))))
    assert found.details["beta"] == pytest.approx(b)
    assert (found.estimate, found.se) == pytest.approx((rest[arm == 1].mean() - rest[arm == 0].mean(), se))


def test_efficient_covers_under_random_timing_and_is_no_wider() -> None:
    truth, covered, ours, theirs = 0.0, 0, [], []
    draws = np.random.default_rng(6)
    for _ in range(400):
        unit, time = np.repeat(np.arange(60), 5), np.tile(np.arange(1.0, 6), 60)
        first = draws.permutation(np.repeat([2.0, 4.0, np.inf], 20))
        y = draws.normal(0, 2, 60)[unit] * (1 - 0.1 * time) + draws.normal(size=300)
        table = {"y": y, "unit": unit.astype(float), "t": time, "g": np.where(np.isinf(first), 0, first)[unit]}
        spec = read_spec(INFO, KEYS)
        panel = read_panel(frame_of(table), spec)
        best, plain = efficient(panel, spec).simple, efficient(panel, spec, beta=1.0).simple
        covered += abs(best.value - truth) <= 1.96 * best.se
        ours.append(best.value)
        theirs.append(plain.value)
    assert covered / 400 == pytest.approx(0.945, abs=0.025)
    assert np.std(ours) < np.std(theirs)


def test_two_stage_agrees_with_diff_diff() -> None:
    import pandas as pd
    from diff_diff import TwoStageDiD

    table = made()
    ours = run(table, **KEYS, method="two_stage")
    theirs = TwoStageDiD().fit(pd.DataFrame(table), "y", "unit", "t", "g")
    assert ours.estimate == pytest.approx(theirs.overall_att, abs=1e-9)
    assert ours.se == pytest.approx(theirs.overall_se, rel=0.05)  # theirs takes G / (G - 1)


def test_a_hole_in_the_panel() -> None:
    table = {name: values[:-1] for name, values in made().items()}
    assert any("Not each unit" in one for one in run(table, **KEYS, method="imputation").warnings)
    for method in ("efficient", "twfe"):
        with pytest.raises(Refused, match="unit u23 has 5 of 6"):
            run(table, **KEYS, method=method)


def test_a_hole_is_told_in_keys_that_are_known_here() -> None:
    columns = made()
    found = run({name: list(values[1:]) for name, values in columns.items()}, **KEYS, method="callaway_santanna")
    assert any("Unbalanced panel" in one for one in found.warnings)
    assert not any("allow_unbalanced_panel" in one for one in found.warnings)


def test_a_start_between_periods_is_told() -> None:
    table = made()
    table["g"] = [g + 0.5 if g else 0.0 for g in table["g"]]
    assert any("period that the data do not have" in one for one in run(table, **KEYS).warnings)


def test_units_treated_from_the_start_are_counted() -> None:
    table = made()
    table["g"] = [1.0 if unit == "u01" else g for unit, g in zip(table["unit"], table["g"], strict=True)]
    assert run(table, **KEYS).left_out == {"the unit is treated in every period": 6}


TWFE_OF_SIZE = {"method": "twfe", "covariates": ["size"]}


@pytest.mark.parametrize(
    ("change", "keys", "error", "told"),
    [
        ({"t": [1.0, *made()["t"][:-1]]}, {}, InputError, "line 3 repeats"),
        ({"g": [0.0, 3.0, *made()["g"][2:]]}, {}, InputError, r"changes within unit u00 \(line 3\)"),
        ({"g": [0.0] * 144}, {}, Refused, "No unit is treated"),
        ({"g": [3.0] * 144}, {}, Refused, "All units are treated first in the same"),
        ({"g": [3.0 if g == 0 else g for g in made()["g"]]}, {}, Refused, "never treated.*notyet"),
        ({"g": ["a"] * 144}, {}, InputError, "holds text"),
        ({"y": [2.0] * 144}, {}, InputError, "is 2 in every row"),
        (
            {"size": [int(u[1:]) / 7 for u in made()["unit"]]},
            TWFE_OF_SIZE,
            InputError,
            "^size: does not change.*callaway_santanna",
        ),
        ({"y": [np.inf, *made()["y"][1:]]}, {}, InputError, r"not finite \(line 2\)"),
        ({}, {"method": "efficient", "cluster": "clinic"}, Refused, "Average to the clusters"),
        ({"clinic": ["a"] * 72 + ["b"] * 72}, {"cluster": "clinic"}, Refused, "2 clusters are too few"),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], keys: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        run(made() | change, **KEYS, **keys)


def test_without_the_library_the_way_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diff_diff", None)
    with pytest.raises(MissingExtra, match="--extra evidence"):
        run(made(), **KEYS)


@pytest.mark.slow
def test_the_hash_seed_changes_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "careplane", "estimate"]
    subprocess.run([*words, "--example", "staggered_did", "--out", str(tmp_path)], check=True, capture_output=True)
    asked = [*words, str(tmp_path / "staggered_did.yaml"), "--json"]
    started = [
        subprocess.Popen(asked, stdout=subprocess.PIPE, env={"PYTHONHASHSEED": str(seed), "OPENBLAS_NUM_THREADS": "1"})
        for seed in range(6)
    ]
    told = [one.communicate(timeout=120)[0] for one in started]
    assert len(set(told)) == 1
    assert b'"estimate"' in told[0]
