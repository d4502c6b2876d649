"""Against swCRTdesign as printed (to 1e-9), statsmodels (to 1e-6), and simulation."""

from typing import Any

import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower

from careplane.errors import InputError
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.power import INFO, estimate


def run(**keys: Any) -> Result:
    return estimate(None, read_spec(INFO, keys))


EPT = {"design": "stepped_wedge", "p_control": 0.05, "p_treated": 0.035, "clusters": 24, "steps": 4} | {
    "cluster_size": 120,
    "tau": 0.01,
}


@pytest.mark.parametrize(
    ("more", "power"),
    [
        ({}, 0.7861895925),
        ({"extra_periods": 3}, 0.8171283257),
        ({"eta": 0.0045}, 0.7724894264),
        ({"eta": 0.0045, "rho": 0.4}, 0.7651551072),
    ],
)
def test_the_partner_notification_trial_of_hussey_and_hughes(more: dict[str, Any], power: float) -> None:
    assert run(**EPT, **more).estimate == pytest.approx(power, abs=1e-9)


def test_two_means_as_statsmodels() -> None:
    theirs = TTestIndPower().power(effect_size=0.4, nobs1=90, alpha=0.05, ratio=1)
    assert run(design="individual", effect=2.0, sd=5.0, n=90).estimate == pytest.approx(theirs, abs=1e-9)
    size = TTestIndPower().solve_power(effect_size=0.4, power=0.9, alpha=0.05, ratio=1)
    assert run(design="individual", effect=2.0, sd=5.0, power=0.9).estimate == np.ceil(size)


def test_clusters_cost_what_the_design_effect_says() -> None:
    alone = run(design="cluster", effect=1.0, sd=4.0, clusters=10, cluster_size=50, icc=0.0)
    shared = run(design="cluster", effect=1.0, sd=4.0, clusters=10, cluster_size=50, icc=0.05)
    uneven = run(design="cluster", effect=1.0, sd=4.0, clusters=10, cluster_size=50, icc=0.05, size_cv=0.7)
    assert (alone.estimate or 0) > (shared.estimate or 0) > (uneven.estimate or 0)
    found = run(design="cluster", effect=1.0, sd=4.0, cluster_size=50, icc=0.05, power=0.8)
    assert found.details["power"] >= 0.8
    less = run(design="cluster", effect=1.0, sd=4.0, clusters=int(found.estimate or 0) - 1, cluster_size=50, icc=0.05)
    assert (less.estimate or 1) < 0.8


def test_a_simulated_cluster_trial_reaches_the_power_that_is_told() -> None:
    """Cluster means and a t-test on them, 4,000 trials; within .03 (evidence design, bands)."""
    told = run(design="cluster", effect=1.0, sd=2.0, clusters=8, cluster_size=30, icc=0.1).estimate
    draws = np.random.default_rng(2)
    between, within = 2.0 * 0.1**0.5, 2.0 * 0.9**0.5 / 30**0.5
    means = draws.normal(0, between, (4_000, 16)) + draws.normal(0, within, (4_000, 16))
    means[:, 8:] += 1.0
    one, other = means[:, 8:], means[:, :8]
    t = (one.mean(1) - other.mean(1)) / np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 8)
    assert (np.abs(t) > 2.1447867).mean() == pytest.approx(told, abs=0.03)


WEDGE: dict[str, Any] = {"design": "stepped_wedge", "sd": 2.0, "cluster_size": 40}


def test_autocorrelation_costs_power() -> None:
    plain = {
        "design": "stepped_wedge",
        "effect": 0.4,
        "sd": 2.0,
        "clusters": 20,
        "steps": 5,
        "cluster_size": 40,
        "icc": 0.05,
    }
    assert (run(**plain).estimate or 0) > (run(**plain, cac=0.8).estimate or 0)
    sized = run(**{**plain, "clusters": None}, power=0.9)
    assert (sized.n % 5, sized.details["power"] >= 0.9) == (0, True)


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"design": "individual", "effect": 1, "sd": 2}, "n"),
        ({"design": "individual", "effect": 1, "n": 20}, "sd"),
        ({"design": "individual", "effect": 0, "sd": 1, "n": 20}, "effect"),
        ({"design": "cluster", "effect": 1, "sd": 2, "clusters": 5, "cluster_size": 9}, "icc"),
        ({"design": "cluster", "effect": 1, "sd": 2, "clusters": 1, "cluster_size": 9, "icc": 0.1}, "clusters"),
        (
            {"design": "stepped_wedge", "effect": 1, "sd": 2, "clusters": 7, "steps": 3, "cluster_size": 9, "icc": 0.1},
            "clusters",
        ),
        ({"design": "individual", "p_control": 0.1, "p_treated": 0.1, "n": 50}, "p_treated"),
        ({"design": "individual", "effect": 1e-9, "sd": 1, "power": 0.8}, "power"),
        ({"design": "crossover"}, "design"),
    ],
)
def test_what_is_missing_or_cannot_be_is_told(keys: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        run(**keys)
    assert caught.value.field == field
