"""Against swCRTdesign as printed (to 1e-9), statsmodels (to 1e-6), and simulation."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.rates import power_negbin_ratio_2indep

from careplane.errors import InputError
from careplane.estimators._spec import Result, read_spec
from careplane.estimators.power import INFO, estimate
from careplane.estimators.power._designs import series_variance


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


def test_rates_as_statsmodels() -> None:
    """Negative binomial of Zhu & Lakkis 2014 with the variances of both arms: 1e-6."""
    theirs = power_negbin_ratio_2indep(0.48, 0.8, 150, exposure=2.0, dispersion=0.5, method_var="alt")
    found = run(design="individual", rate_control=0.8, rate_treated=0.48, exposure=2.0, dispersion=0.5, n=150)
    assert found.estimate == pytest.approx(float(theirs.power), abs=1e-6)


def test_not_worse_than_a_margin_as_statsmodels() -> None:
    """Of means: the power of a one-sided t-test at half the error whose effect is the margin."""
    theirs = TTestIndPower().power(effect_size=0.5, nobs1=60, alpha=0.025, ratio=1, alternative="larger")
    asked: dict[str, Any] = {"design": "individual", "sd": 4.0, "hypothesis": "non_inferiority", "margin": 2.0}
    assert run(**asked, n=60).estimate == pytest.approx(theirs, abs=1e-9)
    worse, better = run(**asked, n=60, effect=-0.5).estimate, run(**asked, n=60, effect=-0.5, better="lower").estimate
    assert (worse or 0) < theirs < (better or 0)
    # Julious 2004, Stat Med 23:1921, of binary data: n = (z_a + z_b)^2 (p1 q1 + p2 q2) / (p1 - p2 - d)^2
    shares = run(design="individual", p_control=0.7, p_treated=0.7, hypothesis="non_inferiority", margin=0.1, power=0.9)
    assert shares.estimate == np.ceil((1.959964 + 1.281552) ** 2 * 2 * 0.21 / 0.01)


def test_simulated_differences_in_differences_reach_the_power() -> None:
    """4,000 programmes of 10 clusters each way, 3 periods before and 2 after, in cluster-period means; within .03."""
    keys: dict[str, Any] = {"sd": 2.0, "icc": 0.1, "cac": 0.6, "cluster_size": 20, "before": 3, "after": 2}
    told = run(design="did", effect=0.6, clusters=10, **keys).estimate
    draws = np.random.default_rng(4)
    level = draws.normal(0, (0.4 * 0.6) ** 0.5, (4_000, 20, 1))
    means = level + draws.normal(0, (0.4 * 0.4 + 3.6 / 20) ** 0.5, (4_000, 20, 5))
    means[:, 10:, 3:] += 0.6
    change = means[:, :, 3:].mean(2) - means[:, :, :3].mean(2)
    one, other = change[:, 10:], change[:, :10]
    t = (one.mean(1) - other.mean(1)) / np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 10)
    assert (np.abs(t) > 2.100922).mean() == pytest.approx(told, abs=0.03)


def test_a_simulated_switchback_reaches_the_power() -> None:
    """4,000 weeks of 40 blocks of 12 rows, the first two washed out; within .03."""
    keys: dict[str, Any] = {"sd": 3.0, "icc": 0.15, "block_size": 12, "washout": 2}
    told = run(design="switchback", effect=1.2, blocks=40, **keys).estimate
    draws = np.random.default_rng(5)
    means = draws.normal(0, 3 * 0.15**0.5, (4_000, 40)) + draws.normal(0, 3 * (0.85 / 10) ** 0.5, (4_000, 40))
    means[:, 20:] += 1.2
    one, other = means[:, 20:], means[:, :20]
    t = (one.mean(1) - other.mean(1)) / np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 20)
    assert (np.abs(t) > 2.024394).mean() == pytest.approx(told, abs=0.03)
    sized = run(design="switchback", effect=1.2, power=0.9, **keys)
    assert (sized.n % 2, sized.details["power"] >= 0.9) == (0, True)


def test_the_variance_of_a_step_is_that_of_generalised_least_squares() -> None:
    x = sm.add_constant(np.column_stack([np.arange(60) >= 36, np.arange(60)]).astype(float))
    order = 0.4 ** np.abs(np.subtract.outer(np.arange(60), np.arange(60)))
    theirs = sm.GLS(np.arange(60.0), x, sigma=order).fit().normalized_cov_params[1, 1]
    assert series_variance(36, 24, 0.4, "level") == pytest.approx(theirs, rel=1e-9)
    asked: dict[str, Any] = {"design": "its", "effect": 3.0, "sd": 2.0, "before": 36}
    plain, tied = run(**asked, after=24).estimate, run(**asked, after=24, autocorrelation=0.4).estimate
    assert (plain or 0) > (tied or 0) > (run(**asked, after=24, autocorrelation=0.4, controls=2).estimate or 1)
    assert run(**asked, power=0.5).details["power"] >= 0.5


def test_simulated_cluster_rates_reach_the_power() -> None:
    """4,000 trials of 12 clusters each way, gamma rates, a t-test on the logarithms; within .03."""
    told = run(design="cluster", rate_control=0.5, rate_treated=0.35, cluster_size=80, between_cv=0.25, clusters=12)
    draws = np.random.default_rng(6)
    rate = draws.gamma(16, 1 / 16, (4_000, 24)) * np.repeat([0.5, 0.35], 12)
    logs = np.log(np.maximum(draws.poisson(rate * 80), 0.5))
    one, other = logs[:, 12:], logs[:, :12]
    t = (one.mean(1) - other.mean(1)) / np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 12)
    assert (np.abs(t) > 2.073873).mean() == pytest.approx(told.estimate, abs=0.03)


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


NOT_WORSE: dict[str, Any] = {"design": "individual", "sd": 1, "n": 9, "hypothesis": "non_inferiority"}
BACK: dict[str, Any] = {"design": "switchback", "effect": 1, "sd": 1, "icc": 0, "block_size": 2}


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
        ({"design": "individual", "sd": 1, "n": 9, "hypothesis": "non_inferiority"}, "margin"),
        (
            {"design": "individual", "sd": 1, "n": 9, "hypothesis": "non_inferiority", "margin": 1, "effect": -2},
            "margin",
        ),
        ({"design": "did", "effect": 1, "sd": 1, "clusters": 9, "cluster_size": 5, "icc": 0.1, "before": 2}, "after"),
        ({"design": "its", "effect": 1, "sd": 1, "before": 2, "after": 9}, "before"),
        (
            {"design": "switchback", "effect": 1, "sd": 1, "icc": 0, "block_size": 2, "washout": 2, "blocks": 8},
            "washout",
        ),
        ({"design": "switchback", "effect": 1, "sd": 1, "icc": 0, "block_size": 2, "blocks": 9}, "blocks"),
        ({"design": "individual", "rate_control": 0.1, "n": 50}, "rate_treated"),
        ({"design": "cluster", "rate_control": 1, "rate_treated": 2, "cluster_size": 5, "clusters": 9}, "between_cv"),
    ],
)
def test_what_is_missing_or_cannot_be_is_told(keys: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        run(**keys)
    assert caught.value.field == field
