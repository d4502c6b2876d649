"""Against the figures that confseq's own tests print (to 1e-5), and simulated sums that are watched all the time."""

from typing import Any

import numpy as np
import pytest

from careplane.errors import InputError
from careplane.estimators._spec import read_spec
from careplane.estimators.uniform_boundary import INFO, estimate


def height(**keys: Any) -> float:
    found = estimate(None, read_spec(INFO, {"v": 100, "best_at": 100} | keys)).estimate
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("keys", "printed"),
    [
        ({"boundary": "normal_mixture"}, 30.35209),
        ({"boundary": "normal_mixture_one_sided"}, 27.66071),
        ({"boundary": "gamma_exponential", "c": 2}, 33.02017),
        ({"boundary": "gamma_poisson", "c": 2}, 30.1949),
        ({"boundary": "beta_binomial", "g": 0.2, "h": 0.8}, 31.4308),
        ({"boundary": "beta_binomial_one_sided", "g": 0.2, "h": 0.8}, 28.41238),
        ({"boundary": "stitching", "v_min": 10, "c": 3}, 64.48755),
        ({"boundary": "stitching", "v_min": 10, "c": -1}, 28.99389),
        ({"boundary": "empirical_process", "v": 1000, "v_min": 100}, 0.08204769),
        ({"boundary": "double_stitching", "v": 1000}, 68.62803),
        ({"boundary": "double_stitching", "v": 1000, "quantile": 0.9}, 43.72119),
    ],
)
def test_as_confseq_prints(keys: dict[str, Any], printed: float) -> None:
    assert height(**keys) == pytest.approx(printed, abs=1e-5)


@pytest.mark.parametrize("boundary", ["normal_mixture_one_sided", "stitching", "beta_binomial_one_sided"])
def test_sums_that_are_watched_at_every_step_seldom_cross(boundary: str) -> None:
    """400 sums of 300 coins, centred: at most 5 % ever cross, within two Monte Carlo errors."""
    steps = np.random.default_rng(8).integers(0, 2, (400, 300)) - 0.5
    keys = {"boundary": boundary, "c": 0.0, "v_min": 2.0, "best_at": 30.0}
    curve = np.array([height(**keys, v=n / 4) for n in range(1, 301)])
    crossed = (np.cumsum(steps, axis=1) > curve + 1e-9).any(axis=1).mean()
    assert crossed <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"boundary": "empirical_process", "v": 5, "v_min": 10}, "v"),
        ({"boundary": "gamma_poisson", "c": 0}, "c"),
        ({"boundary": "double_stitching", "quantile": 1}, "quantile"),
        ({"boundary": "cauchy"}, "boundary"),
    ],
)
def test_what_does_not_fit(keys: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        height(**keys)
    assert caught.value.field == field
