"""Against the package synthdid on Proposition 99 as published (point 1e-3), and a panel whose weights are known."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from careplane.estimators._frame import Column, Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.synthetic_control import INFO, estimate

EVIDENCE = Path(__file__).resolve().parents[6] / "shared" / "data" / "evidence"
needs_data = pytest.mark.skipif(not EVIDENCE.exists(), reason="the shared reference data is not beside the repository")
KEYS: dict[str, Any] = {"outcome": "y", "unit": "unit", "time": "t", "treatment": "after", "se": "none"}


def run(columns: Any, **keys: Any) -> Result:
    arrays: dict[str, Column] = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in columns.items()
    }
    frame = Frame(arrays, np.arange(2, len(next(iter(arrays.values()))) + 2), {})
    return estimate(frame, read_spec(INFO, keys))


@needs_data
def test_proposition_99() -> None:
    references = json.loads((EVIDENCE / "reference.json").read_text())["references"]
    with gzip.open(EVIDENCE / "california_prop99.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    columns: dict[str, Any] = {"unit": [row["State"] for row in rows]}
    for name, theirs in (("t", "Year"), ("y", "PacksPerCapita"), ("after", "treated")):
        columns[name] = [float(row[theirs]) for row in rows]
    found = run(columns, **KEYS)
    expected = next(one for one in references if one["id"] == "D3")["expected"]
    assert found.estimate == pytest.approx(expected["sc"], abs=1e-3)
    assert found.details["unit_weights"]["Utah"] == pytest.approx(0.396, abs=1e-3)


def made(shift: float = 0.0) -> dict[str, Any]:
    """Unit a is 0.3 b + 0.7 c, and 5 above that from period 9 on."""
    draws = np.random.default_rng(2)
    others = draws.normal(20, 4, (11, 12))
    own = 0.3 * others[0] + 0.7 * others[1] + shift + 5 * (np.arange(12) >= 8)
    y = np.vstack([own, others])
    return {
        "y": y.ravel().tolist(),
        "unit": [name for name in "abcdefghijkl" for _ in range(12)],
        "t": [float(t) for _ in range(12) for t in range(1, 13)],
        "after": [float(name == "a" and t > 8) for name in "abcdefghijkl" for t in range(1, 13)],
    }


def test_known_weights_are_found() -> None:
    found = run(made(), **KEYS)
    assert found.estimate == pytest.approx(5, abs=1e-2)
    assert found.details["unit_weights"]["c"] == pytest.approx(0.7, abs=2e-2)


def test_a_unit_beyond_the_controls_is_told() -> None:
    found = run(made(shift=40), **KEYS)
    assert any("do not follow the treated" in one for one in found.warnings)
    assert found.assumptions[0].held is False


def test_placebos_give_an_interval() -> None:
    found = run(made(), **(KEYS | {"se": "placebo"}), replications=20, seed=1)
    assert found.se is not None
    assert found.ci_low is not None
    assert found.ci_low < 5 < (found.ci_high or 0)
