"""Non-response weights against worked examples and an independent logistic regression."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from careplane.errors import InputError, Refused
from careplane.evidence.nonresponse import cell_weights, propensity_weights, weighted_mean


def people(*cells: tuple[str, int, int]) -> tuple[np.ndarray, list[str]]:
    """Who answered and the cell of each, from (cell, asked, answered)."""
    said = np.concatenate([np.arange(asked) < answers for _, asked, answers in cells])
    return said, [name for name, asked, _ in cells for _ in range(asked)]


def test_a_worked_example_of_weighting_classes() -> None:
    """Asked 100 young people of whom 20 answered, 100 old of whom 60: weights 5 and 5/3, which is 100/20 and 100/60.
    With 30 % of the young and 60 % of the old content, the raw figure is 42/80 = .525, the weighted one .45."""
    said, cells = people(("young", 100, 20), ("old", 100, 60))
    found = cell_weights(said, cells)
    assert found.rate == 80 / 200
    assert set(np.round(found.weights[said], 12)) == {5.0, round(5 / 3, 12)}
    assert found.weights.sum() == pytest.approx(200)
    content = np.full(200, np.nan)
    content[:20] = np.arange(20) < 6
    content[100:160] = np.arange(60) < 36
    assert np.nanmean(content) == pytest.approx(0.525)
    assert weighted_mean(content, found.weights)[0] == pytest.approx(0.45)
    assert found.effective == pytest.approx(200**2 / (20 * 25 + 60 * 25 / 9))
    assert found.design_effect == pytest.approx(80 / 60)


def test_a_cell_with_few_answers_is_joined_with_the_next_smallest() -> None:
    said, cells = people(("a", 50, 2), ("b", 50, 8), ("c", 50, 40))
    weights = cell_weights(said, cells).weights
    assert set(np.round(weights[said], 12)) == {10.0, 1.25}  # a and b: 100 asked, 10 answered


def test_equal_response_gives_equal_weights() -> None:
    said, cells = people(("a", 40, 10), ("b", 80, 20))
    found = cell_weights(said, cells)
    assert np.allclose(found.weights[said], 4.0)
    assert found.design_effect == pytest.approx(1.0)


def test_propensities_are_those_of_a_logistic_regression() -> None:
    draw = np.random.default_rng(7)
    x = np.column_stack([draw.normal(60, 15, 800), draw.random(800) < 0.3]).astype(float)
    said = draw.random(800) < 1 / (1 + np.exp(-(-3 + 0.04 * x[:, 0] - 0.7 * x[:, 1])))
    design = np.column_stack([np.ones(800), x[:, 0] / 10, x[:, 1]])

    def minus_likelihood(beta: np.ndarray) -> float:
        eta = design @ beta
        return float(np.logaddexp(0, eta).sum() - eta[said].sum())

    minimise: Any = minimize
    beta = minimise(minus_likelihood, np.zeros(3), method="BFGS", options={"gtol": 1e-8}).x
    expected = np.where(said, 1 + np.exp(-(design @ beta)), 0)
    found = propensity_weights(said, x, limit=None)
    assert np.allclose(found.weights, expected * 800 / expected.sum(), rtol=1e-5)


def test_propensities_of_one_class_are_the_weights_of_its_cells() -> None:
    said, cells = people(("young", 100, 20), ("old", 100, 60))
    old = np.array([[float(cell == "old")] for cell in cells])
    assert np.allclose(propensity_weights(said, old).weights, cell_weights(said, cells).weights)


def test_weighting_takes_away_the_bias_of_answers_missing_at_random() -> None:
    draw = np.random.default_rng(11)
    age = draw.normal(50, 15, 20_000)
    content = (draw.random(20_000) < 1 / (1 + np.exp(-(age - 50) / 15))).astype(float)
    said = draw.random(20_000) < 1 / (1 + np.exp(-(age - 60) / 10))
    seen = np.where(said, content, np.nan)
    raw = np.nanmean(seen)
    mean, error = weighted_mean(seen, propensity_weights(said, age[:, None], limit=None).weights)
    assert raw - content.mean() > 0.1
    assert abs(mean - content.mean()) < 3 * error


def test_large_weights_are_cut_and_counted() -> None:
    said, cells = people(("rare", 400, 10), ("usual", 400, 360))
    rare = np.array([[float(cell == "rare")] for cell in cells])
    found = propensity_weights(said, rare, limit=5.0)
    assert found.trimmed == 10
    assert found.weights[said].max() == pytest.approx(5 * np.median(found.weights[said]))
    assert found.weights.sum() == pytest.approx(800)


def test_what_cannot_be_weighted_is_refused() -> None:
    with pytest.raises(InputError, match="nobody was asked"):
        cell_weights(np.array([], dtype=bool), [])
    with pytest.raises(InputError, match="one class for each"):
        cell_weights(np.ones(10, dtype=bool), ["a"])
    with pytest.raises(Refused, match="3 of 10 people answered"):
        cell_weights(np.arange(10) < 3, ["a"] * 10)
    half = np.arange(200) < 100
    with pytest.raises(Refused, match="tell exactly who answered"):
        propensity_weights(half, half.astype(float)[:, None])
    with pytest.raises(InputError, match="says the same of everybody"):
        propensity_weights(half, np.ones((200, 1)))
    with pytest.raises(InputError, match="finite"):
        propensity_weights(half, np.full((200, 1), np.nan))
    with pytest.raises(Refused, match="too few for 3 covariates"):
        propensity_weights(np.arange(100) < 20, np.random.default_rng(1).random((100, 3)))
    assert np.allclose(propensity_weights(np.ones(30, dtype=bool), np.arange(30.0)[:, None]).weights, 1.0)
