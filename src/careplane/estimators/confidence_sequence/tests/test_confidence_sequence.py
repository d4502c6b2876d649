"""Against confseq's own tests (to 1e-5), and simulation of looking after every row."""

from typing import Any

import numpy as np
import pytest

from careplane.errors import InputError
from careplane.estimators._frame import Frame
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.confidence_sequence import INFO, bernoulli_sequence, estimate


def run(columns: dict[str, Any], **keys: Any) -> Result:
    arrays = {name: np.array(values, dtype=np.float64) for name, values in columns.items()}
    frame = Frame(arrays, np.arange(2, len(columns["y"]) + 2), {})
    return estimate(frame, read_spec(INFO, {"outcome": "y", **keys}))


def test_an_event_as_confseq_prints() -> None:
    assert bernoulli_sequence(700, 1000, 0.05, 100) == pytest.approx((0.651629, 0.745949), abs=1e-6)
    assert bernoulli_sequence(15, 50, 0.05, 50) == pytest.approx((0.129556, 0.511896), abs=1e-6)
    found = run({"y": [1.0] * 15 + [0.0] * 35}, kind="event", best_at=50)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.129556, 0.511896), abs=1e-6)
    none = run({"y": [0.0] * 40}, kind="event")
    assert (none.estimate, none.ci_low) == (0.0, 0.0)
    assert 0 < (none.ci_high or 0) < 0.3
    every = run({"y": [1.0] * 40}, kind="event")
    assert every.ci_high == 1.0
    assert 0.7 < (every.ci_low or 0) < 1


def test_looking_after_every_row_keeps_the_error() -> None:
    """600 trials of 500 rows without an effect: at most 5 % ever exclude zero, within two Monte Carlo errors."""
    draws = np.random.default_rng(7)
    wrong = 0
    for _ in range(600):
        arm = draws.integers(0, 2, 500).astype(float)
        found = run({"y": draws.exponential(size=500), "arm": arm}, treatment="arm", best_at=200)
        wrong += found.details["crossed_at_row"] is not None
    assert wrong / 600 <= 0.05 + 2 * (0.05 * 0.95 / 600) ** 0.5


def test_an_effect_is_seen_and_the_interval_only_narrows() -> None:
    draws = np.random.default_rng(3)
    arm = draws.integers(0, 2, 800).astype(float)
    y = draws.normal(size=800) - 0.8 * arm
    found = run({"y": y, "arm": arm}, treatment="arm")
    assert found.estimate == pytest.approx(y[arm == 1].mean() - y[arm == 0].mean(), abs=0.01)
    assert (found.ci_high or 0) < 0
    assert 20 < found.details["crossed_at_row"] < 400
    early = run({"y": y[:300], "arm": arm[:300]}, treatment="arm")
    assert (found.ci_high or 0) - (found.ci_low or 0) < (early.ci_high or 0) - (early.ci_low or 0)


def test_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="0 or 1"):
        run({"y": [0.0, 0.5]}, kind="event")
    with pytest.raises(InputError, match="in every row"):
        run({"y": [1.0] * 30})
    with pytest.raises(InputError, match="in every row"):
        run({"y": [1.0, 2.0], "arm": [1.0, 1.0]}, treatment="arm")
    assert run({"y": [1.0, 2.0, 3.0]}).warnings[0].startswith("The first 20 rows")
