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
