"""Against R's geepack as computed on a stepped wedge (1e-4), and statsmodels (1e-7)."""

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
from careplane.estimators.gee import INFO, estimate

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
@pytest.mark.parametrize(
    ("outcome", "family", "name"),
    [("outcome_cont", "gaussian", "gee_exch_identity"), ("outcome_bin", "binomial", "gee_logit")],
)
def test_stepped_wedge_as_geepack(outcome: str, family: str, name: str) -> None:
    references = json.loads((EVIDENCE / "reference.json").read_text())["references"]
    expected = next(one for one in references if one["id"] == "D8")["expected"][name]
    with gzip.open(EVIDENCE / "sw_data_example.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines))
    columns = {column: [float(row[column]) for row in rows] for column in ("cluster", "period", "trt", outcome)}
    asked = {"outcome": outcome, "treatment": "trt", "cluster": "cluster", "fixed_effects": ["period"]}
    found = run(columns, **asked, family=family, se="robust")
    assert (found.estimate, found.se) == pytest.approx(expected, abs=1e-4)
    assert "fewer than 40" in found.warnings[0]


DRAWS = np.random.default_rng(5)
CODE = np.repeat(np.arange(12), DRAWS.integers(5, 15, 12))
ARM = (CODE % 2).astype(float)
LATENT = DRAWS.normal(0, 0.6, 12)[CODE] + 0.5 * ARM + DRAWS.normal(size=len(CODE))
TABLE: dict[str, Any] = {
    "y": LATENT.tolist(),
    "event": (LATENT > 0.2).astype(float).tolist(),
    "count": DRAWS.poisson(np.exp(0.4 * LATENT)).tolist(),
    "arm": ARM.tolist(),
    "clinic": [f"c{one:02d}" for one in CODE],
}
KEYS = {"treatment": "arm", "cluster": "clinic"}


@pytest.mark.parametrize(("outcome", "family"), [("y", "gaussian"), ("event", "binomial"), ("count", "poisson")])
@pytest.mark.parametrize("correlation", ["exchangeable", "independence"])
def test_as_statsmodels(outcome: str, family: str, correlation: str) -> None:
    found = run(TABLE, outcome=outcome, family=family, correlation=correlation, **KEYS)
    families = {
        "gaussian": sm.families.Gaussian(),
        "binomial": sm.families.Binomial(),
        "poisson": sm.families.Poisson(),
    }
    working = {"exchangeable": sm.cov_struct.Exchangeable(), "independence": sm.cov_struct.Independence()}[correlation]
    model = sm.GEE(
        np.array(TABLE[outcome]), sm.add_constant(ARM), groups=CODE, family=families[family], cov_struct=working
    )
    theirs = model.fit(maxiter=300, ctol=1e-11, ddof_scale=0)
    assert found.estimate == pytest.approx(theirs.params[1], rel=1e-6)
    assert found.details["se"]["robust"]["se"] == pytest.approx(theirs.bse[1], rel=1e-6)
    reduced = model.fit(maxiter=300, ctol=1e-11, ddof_scale=0, cov_type="bias_reduced")
    assert found.se == pytest.approx(reduced.bse[1], rel=1e-5)


FAMILIES = {"gaussian": sm.families.Gaussian(), "binomial": sm.families.Binomial(), "poisson": sm.families.Poisson()}
OUTCOMES = {"gaussian": "y", "binomial": "event", "poisson": "count"}
WAVES = 5
PERSON = np.repeat(np.arange(30), WAVES)
WAVE = np.tile(np.arange(1, WAVES + 1), 30).astype(float)
DRIFT = np.cumsum(DRAWS.normal(size=(30, WAVES)), axis=1).ravel() + 0.3 * (PERSON % 2)
PANEL: dict[str, Any] = {
    "y": DRIFT.tolist(),
    "event": (DRIFT > 0.1).astype(float).tolist(),
    "count": DRAWS.poisson(np.exp(0.4 * DRIFT)).tolist(),
    "arm": (PERSON % 2).astype(float).tolist(),
    "clinic": PERSON.astype(float).tolist(),
    "wave": WAVE.tolist(),
    "days": DRAWS.integers(5, 40, len(PERSON)).tolist(),
    "weight": (1 + PERSON % 3).astype(float).tolist(),
}


def theirs(table: dict[str, Any], family: str, working: Any, **keys: Any) -> tuple[float, float, float]:
    x = sm.add_constant(np.array(table["arm"]))
    model = sm.GEE(
        np.array(table[OUTCOMES[family]]), x, groups=np.array(table["clinic"]), family=FAMILIES[family],
        cov_struct=working, **keys,
    )  # fmt: skip
    found = model.fit(maxiter=400, ctol=1e-11, ddof_scale=0)
    rho = working.dep_params if isinstance(working, sm.cov_struct.Autoregressive) else np.nan
    return float(found.params[1]), float(found.bse[1]), float(rho)


@pytest.mark.parametrize("family", OUTCOMES)
def test_ar1_as_statsmodels(family: str) -> None:
    expected = theirs(PANEL, family, sm.cov_struct.Autoregressive(grid=True))
    mixed = DRAWS.permutation(len(PERSON))
    table = {name: [values[i] for i in mixed] for name, values in PANEL.items()}
    found = run(table, outcome=OUTCOMES[family], family=family, correlation="ar1", time="wave", se="robust", **KEYS)
    assert (found.estimate, found.se, found.details["correlation"]) == pytest.approx(expected, rel=1e-6)
    in_order = run(PANEL, outcome=OUTCOMES[family], family=family, correlation="ar1", se="robust", **KEYS)
    assert in_order.estimate == pytest.approx(found.estimate, rel=1e-9)
    assert "in the order of the file" in in_order.warnings[-1]


def test_ar1_with_missed_periods_solves_the_equations_with_matrices() -> None:
    kept = np.flatnonzero(DRAWS.random(len(PERSON)) > 0.25)
    table = {name: [values[i] for i in kept] for name, values in PANEL.items()}
    weights = DRAWS.uniform(0.5, 2, len(kept))
    table["weight"] = weights.tolist()
    keys = {"outcome": "y", "correlation": "ar1", "time": "wave", "weights": "weight", "se": "robust"}
    found = run(table, **keys, **KEYS)
    rho, person, wave = found.details["correlation"], PERSON[kept], WAVE[kept]
    x, y = np.column_stack([np.ones(len(kept)), table["arm"]]), np.array(table["y"])
    root = np.sqrt(weights)
    inside = (person[:, None] == person) * rho ** np.abs(wave[:, None] - wave)
    inverse = root[:, None] * np.linalg.inv(inside) * root
    beta = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ y)
    assert found.estimate == pytest.approx(beta[1], rel=1e-8)
    scores = np.array([x[person == i].T @ (inverse @ (y - x @ beta))[person == i] for i in np.unique(person)])
    bread = np.linalg.inv(x.T @ inverse @ x)
    assert found.se == pytest.approx((bread @ scores.T @ scores @ bread)[1, 1] ** 0.5, rel=1e-8)
    assert "independence" in " ".join(found.warnings)


@pytest.mark.parametrize("family", OUTCOMES)
def test_weights_as_statsmodels_and_as_clusters_counted_twice(family: str) -> None:
    keys: dict[str, Any] = {"outcome": OUTCOMES[family], "family": family, "weights": "weight", "se": "robust", **KEYS}
    uneven = PANEL | {"weight": DRAWS.uniform(0.5, 2, len(PERSON)).tolist()}
    found = run(uneven, correlation="independence", **keys)
    expected = theirs(uneven, family, sm.cov_struct.Independence(), weights=np.array(uneven["weight"]))
    assert (found.estimate, found.se) == pytest.approx(expected[:2], rel=1e-6)
    times = [(i, k) for i in range(len(PERSON)) for k in range(int(PANEL["weight"][i]))]
    copied = {name: [values[i] for i, _ in times] for name, values in PANEL.items()}
    copied["clinic"] = [PANEL["clinic"][i] + 100 * k for i, k in times]
    for correlation, working in (
        ("exchangeable", sm.cov_struct.Exchangeable()),
        ("ar1", sm.cov_struct.Autoregressive(grid=True)),
    ):
        found = run(PANEL, correlation=correlation, **keys)
        assert found.estimate == pytest.approx(theirs(copied, family, working)[0], rel=1e-6)


def test_counts_out_of_days_as_statsmodels() -> None:
    expected = theirs(PANEL, "poisson", sm.cov_struct.Exchangeable(), offset=np.log(PANEL["days"]))
    found = run(PANEL, outcome="count", family="poisson", offset="days", se="robust", **KEYS)
    assert (found.estimate, found.se) == pytest.approx(expected[:2], rel=1e-6)


@pytest.mark.parametrize(
    ("change", "keys", "error", "told"),
    [
        ({}, {"time": "wave"}, InputError, "is for correlation: ar1"),
        (
            {"wave": [1.5, *PANEL["wave"][1:]]},
            {"correlation": "ar1", "time": "wave"},
            InputError,
            r"whole number .line 2",
        ),
        ({"wave": [1.0] * len(PERSON)}, {"correlation": "ar1", "time": "wave"}, InputError, "line 3 repeats"),
        ({"wave": (2 * WAVE).tolist()}, {"correlation": "ar1", "time": "wave"}, Refused, "follow each other"),
        ({"weight": [0.0, *PANEL["weight"][1:]]}, {"weights": "weight"}, InputError, r"above 0 .line 2"),
        ({}, {"offset": "days"}, InputError, "is for counts"),
    ],
)
def test_what_does_not_fit_a_panel(
    change: dict[str, Any], keys: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        run(PANEL | change, **({"outcome": "y"} | KEYS | keys))


@pytest.mark.parametrize(
    ("change", "keys", "error", "told"),
    [
        ({"clinic": [f"c{one % 4}" for one in CODE]}, {}, Refused, "4 clusters are too few.*exact_permutation"),
        ({"arm": [1.0] * len(CODE)}, {}, InputError, "is 1 in every row"),
        ({"event": ARM.tolist()}, {"outcome": "event", "family": "binomial"}, Refused, "do not settle.*proportions"),
        ({}, {"family": "binomial"}, InputError, "must be 0 or 1"),
        ({}, {"family": "poisson"}, InputError, "must be a count"),
        ({"y": [np.inf, *TABLE["y"][1:]]}, {}, InputError, r"not finite \(line 2\)"),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], keys: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        run(TABLE | change, **({"outcome": "y"} | KEYS | keys))
