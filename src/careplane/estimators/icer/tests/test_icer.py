"""Against BCEA's vaccine example (to 1e-6 relative), and what a ratio may not say."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from careplane.errors import InputError
from careplane.estimators._frame import Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.icer import INFO, estimate

EVIDENCE = Path(__file__).resolve().parents[6] / "shared" / "data" / "evidence"
COLUMNS = {"effects": ["e0", "e1"], "costs": ["c0", "c1"]}


def run(draws: dict[str, list[float]], **keys: object) -> Result:
    frame = Frame({name: np.array(values) for name, values in draws.items()}, np.arange(2, len(draws["e0"]) + 2), {})
    return estimate(frame, read_spec(INFO, {**COLUMNS, **keys}))


@pytest.mark.skipif(not EVIDENCE.exists(), reason="the shared reference data is not beside the repository")
def test_the_influenza_vaccine_of_bcea() -> None:
    with gzip.open(EVIDENCE / "bcea_vaccine_psa.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines))
    references = json.loads((EVIDENCE / "reference.json").read_text())["references"]
    expected = next(one for one in references if one["id"] == "D13")["expected"]
    thresholds = [10_000, 20_000, 20_100, 25_000, 30_000, 50_000]
    found = run(
        {name: [float(row[name]) for row in rows] for name in ("e0", "e1", "c0", "c1")},
        thresholds=thresholds,
        highest=50_000,
    )
    assert found.estimate == pytest.approx(expected["ICER"], rel=1e-6)
    assert found.details["effect_difference"] == pytest.approx(expected["dE"], rel=1e-6)
    assert found.details["cost_difference"] == pytest.approx(expected["dC"], rel=1e-6)
    assert found.details["break_even"] == expected["k_star"]
    for key, name in (("EIB", "net_benefit"), ("CEAC", "acceptability"), ("EVPI", "evpi")):
        for threshold, value in expected[key].items():
            assert found.details["thresholds"][threshold][name] == pytest.approx(value, rel=1e-6), (key, threshold)


def test_a_ratio_without_an_effect_is_warned_about() -> None:
    draws = {"e0": [1.0, 1.1, 1.2], "e1": [0.9, 1.0, 1.1], "c0": [5.0, 5.0, 5.0], "c1": [9.0, 8.0, 9.5]}
    found = run(draws)
    assert found.details["quadrant"].startswith("dominated")
    assert "no price of an effect" in found.warnings[0]
    assert (found.ci_low, found.details["break_even"]) == (None, None)


def test_columns_come_in_pairs() -> None:
    with pytest.raises(InputError, match="two columns") as caught:
        run({"e0": [1.0], "e1": [1.0], "c0": [1.0], "c1": [1.0]}, effects=["e0"])
    assert caught.value.field == "effects"
