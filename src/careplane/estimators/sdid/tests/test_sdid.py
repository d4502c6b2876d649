"""Against the package synthdid on Proposition 99 as published (points 1e-3, placebo errors 30 %), and SciPy's SLSQP."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from careplane.errors import InputError, Refused
from careplane.estimators._frame import Column, Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators._synthetic import example_panel
from careplane.estimators.sdid import INFO, estimate

EVIDENCE = Path(__file__).resolve().parents[6] / "shared" / "data" / "evidence"
needs_data = pytest.mark.skipif(not EVIDENCE.exists(), reason="the shared reference data is not beside the repository")
KEYS: dict[str, Any] = {"outcome": "calls", "unit": "clinic", "time": "month", "treatment": "after"}


def run(columns: Any, **keys: Any) -> Result:
    arrays: dict[str, Column] = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in columns.items()
    }
    frame = Frame(arrays, np.arange(2, len(next(iter(arrays.values()))) + 2), {})
    return estimate(frame, read_spec(INFO, keys))


def proposition_99(**keys: Any) -> tuple[Result, dict[str, Any]]:
    references = json.loads((EVIDENCE / "reference.json").read_text())["references"]
    with gzip.open(EVIDENCE / "california_prop99.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    columns: dict[str, Any] = {"clinic": [row["State"] for row in rows]}
    for name, theirs in (("month", "Year"), ("calls", "PacksPerCapita"), ("after", "treated")):
        columns[name] = [float(row[theirs]) for row in rows]
    return run(columns, **KEYS, **keys), next(one for one in references if one["id"] == "D3")["expected"]


@needs_data
def test_proposition_99() -> None:
    found, expected = proposition_99(se="none")
    assert found.estimate == pytest.approx(expected["sdid"], abs=1e-3)
    weights = found.details["time_weights"]
    assert weights == pytest.approx(expected["lambda_top"], abs=1e-3)
    assert found.se is None


@needs_data
@pytest.mark.slow
def test_proposition_99_placebo() -> None:
    found, expected = proposition_99(replications=100, seed=0)
    assert found.se == pytest.approx(expected["published_se"]["sdid"], rel=0.3)


def test_weights_are_the_optimum_and_the_seed_decides() -> None:
    table = example_panel()
    found = run(table, **KEYS, replications=20, seed=4)
    assert found == run(table, **KEYS, replications=20, seed=4)
    assert found.estimate == pytest.approx(-6, abs=3 * (found.se or 0))
    y = np.array(table["calls"]).reshape(16, 12)
    controls, goal = y[1:, :9].T, y[0, :9]
    spread = np.diff(y[1:, :9], axis=1).std(ddof=1)
    zeta = 3**0.25 * spread

    def loss(weights: Any) -> float:
        error = controls @ weights - goal
        return float(zeta**2 * weights @ weights + ((error - error.mean()) ** 2).mean())

    simplex = {"type": "eq", "fun": lambda weights: weights.sum() - 1}
    search: Any = minimize  # the library has no types
    best = search(loss, np.full(15, 1 / 15), bounds=[(0, 1)] * 15, constraints=[simplex], options={"ftol": 1e-12})
    ours = np.array([found.details["unit_weights"].get(f"c{i:02d}", 0.0) for i in range(1, 16)])
    assert ours == pytest.approx(best.x, abs=2e-3)


def changed(column: str, place: int, value: Any) -> dict[str, Any]:
    table = {name: list(values) for name, values in example_panel().items()}
    table[column][place] = value
    return table


@pytest.mark.parametrize(
    ("table", "error", "told"),
    [
        (changed("after", 11, 0), InputError, r"switches back to 0 for c00 \(line 13\)"),
        (changed("after", 23, 1), Refused, "Units start at different times.*staggered_did"),
        ({**example_panel(), "calls": [3.0] * 192}, InputError, "is 3 in every row"),
        (changed("month", 1, 1), InputError, "line 3 repeats"),
        (changed("calls", 5, float("nan")), Refused, "c00 has 11 of 12"),
        ({**example_panel(), "after": [0] * 192}, Refused, "No unit is treated"),
        ({**example_panel(), "after": [int(i % 12 > 8) for i in range(192)]}, Refused, "0 units that are never"),
        ({**example_panel(), "after": [int(i < 12) for i in range(192)]}, Refused, "0 periods before"),
        ({**example_panel(), "after": [int(i // 12 < 9 and i % 12 > 8) for i in range(192)]}, Refused, "Placebos need"),
    ],
)
def test_what_does_not_fit(table: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        run(table, **KEYS)
