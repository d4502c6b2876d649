"""Against lme4, lmerTest and pbkrtest as printed (1e-4 on estimate and error, 1e-3 relative on degrees of freedom)."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from careplane.errors import InputError, Refused
from careplane.estimators._frame import Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.stepped_wedge import INFO, estimate

EVIDENCE = Path(__file__).resolve().parents[6] / "shared" / "data" / "evidence"
KEYS = {"outcome": "y", "treatment": "on", "cluster": "cluster", "time": "period"}


def run(columns: dict[str, Any], **keys: Any) -> Result:
    arrays = {name: np.array(values, dtype=np.float64) for name, values in columns.items()}
    frame = Frame(arrays, np.arange(2, len(columns["y"]) + 2), {})
    return estimate(frame, read_spec(INFO, {**KEYS, **keys}))


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    if not EVIDENCE.exists():
        pytest.skip("the shared reference data is not beside the repository")
    with gzip.open(EVIDENCE / "sw_data_example.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines))
    names = {"y": "outcome_cont", "on": "trt", "cluster": "cluster", "period": "period"}
    return {ours: [float(row[theirs]) for row in rows] for ours, theirs in names.items()}


@pytest.mark.parametrize(("model", "key"), [("hussey_hughes", "HH"), ("nested_exchangeable", "NE")])
def test_the_example_of_steppedwedge(example: dict[str, Any], model: str, key: str) -> None:
    references = json.loads((EVIDENCE / "reference.json").read_text())["references"]
    expected = next(one for one in references if one["id"] == "D8")["expected"][key]
    found = run(example, model=model, se=["KR", "satterthwaite", "model"])
    assert found.estimate == pytest.approx(expected["beta"], abs=1e-4)
    assert found.se == pytest.approx(expected["kr_se"], abs=1e-4)
    assert found.df == pytest.approx(expected["kr_df"], rel=1e-3)
    other = found.details["se"]["satterthwaite"]
    assert (other["se"], other["df"]) == pytest.approx((expected["se"], expected["satt_df"]), rel=1e-3)
    if key == "HH":
        told = found.details["variance"]
        assert (told["cluster"], told["residual"]) == pytest.approx((expected["var_cl"], expected["var_e"]), rel=1e-4)


def wedge(clusters: int = 12, periods: int = 5, size: int = 8, effect: float = 1.0, seed: int = 1) -> dict[str, Any]:
    draws = np.random.default_rng(seed)
    shape = (range(clusters), range(periods), range(size))
    cluster, period, _ = (one.ravel() for one in np.meshgrid(*shape, indexing="ij"))
    on = period > cluster % (periods - 1)
    since = np.maximum(period - cluster % (periods - 1), 0)
    level = draws.normal(0, 0.5, clusters)[cluster] + draws.normal(0, 0.3, (clusters, periods))[cluster, period]
    y = level + 0.1 * period + effect * on + 0.0 * since + draws.normal(size=len(on))
    return {"y": y.tolist(), "on": on.astype(float).tolist(), "cluster": cluster.tolist(), "period": period.tolist()}


def test_the_effect_at_each_time_is_averaged() -> None:
    found = run(wedge(seed=3), model="exposure_time")
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert found.ci_low < 1.0 < found.ci_high
    curve = found.details["by_exposure"]
    assert list(curve) == [1, 2, 3, 4]
    assert found.estimate == pytest.approx(sum(curve.values()) / 4)
    assert "by_exposure" not in run(wedge(seed=3)).details


def test_the_order_of_rows_and_the_names_of_clusters_do_not_matter() -> None:
    data = wedge()
    order = np.random.default_rng(2).permutation(len(data["y"]))
    mixed = {name: np.array(values)[order].tolist() for name, values in data.items()}
    mixed["cluster"] = [100.0 - one for one in mixed["cluster"]]
    one, other = run(data), run(mixed)
    assert (one.estimate, one.se, one.df) == pytest.approx((other.estimate, other.se, other.df), rel=1e-7)


def test_type_one_error_of_few_clusters_is_kept() -> None:
    """200 trials of twelve clusters whose level varies between periods: at most .05 and two Monte Carlo errors."""
    wrong = sum((run(wedge(effect=0.0, size=4, seed=seed)).p or 1) < 0.05 for seed in range(200))
    assert wrong / 200 <= 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5


def test_what_does_not_fit_is_told() -> None:
    data = wedge()
    back = dict(data)
    back["on"] = [1.0 - value for value in data["on"]]
    with pytest.raises(InputError, match="switches back to 0"):
        run(back)
    torn = dict(data)
    torn["on"] = [1.0 - data["on"][0], *data["on"][1:]]
    with pytest.raises(InputError, match="both 0 and 1 in one cluster"):
        run(torn)
    few = {name: [v for v, c in zip(values, data["cluster"], strict=True) if c < 4] for name, values in data.items()}
    with pytest.raises(Refused, match="4 clusters are too few"):
        run(few)
    flat = dict(data)
    flat["on"] = [float(period > 2) for period in data["period"]]
    with pytest.raises(InputError, match="cannot be told apart"):
        run(flat)
