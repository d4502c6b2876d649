"""Rates weighted back and rates corrected for a judge's errors: by hand, and by simulation of known truth."""

import numpy as np
import pytest

from careplane.errors import InputError, Refused
from careplane.evidence.quality.corrected import Confusion, prediction_powered, rogan_gladen
from careplane.evidence.quality.rates import (
    Drawn,
    domain_rate_per_100,
    drawn,
    evenly,
    mean_of,
    rate_per_100,
    share,
    weighted_share,
    wilson,
)

REPLICATES = 1500


def test_horvitz_thompson_by_hand() -> None:
    """4 of 80 quiet outputs read with 1 error, 10 of 20 risky ones with 8: (80 * .25 + 20 * .8) / 100."""
    of = drawn(["quiet"] * 4 + ["risky"] * 10, [80] * 4 + [20] * 10)
    rate = rate_per_100("errors", [1, 0, 0, 0] + [1] * 8 + [0, 0], of)
    assert rate.value == pytest.approx(36.0)
    assert (rate.n, rate.events) == (14, 9)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < 36 < rate.high


def test_no_error_at_all_has_the_exact_poisson_limit() -> None:
    """Zero in n: the upper limit of a mean count is 3.689 / n at 97.5 %."""
    rate = rate_per_100("errors", [0] * 50, evenly(50))
    assert (rate.value, rate.low) == (0, 0)
    assert rate.high == pytest.approx(368.888 / 50, abs=1e-3)


def test_equal_weights_give_garwoods_interval() -> None:
    """Four events in 100: exact Poisson limits 1.0899 and 10.2416."""
    rate = rate_per_100("errors", [1] * 4 + [0] * 96, evenly(100))
    assert rate.high == pytest.approx(10.2416, abs=1e-3)
    assert rate.low == pytest.approx(1.0899, abs=0.02)  # the variance between outputs adds a trifle


def test_wilson_by_hand() -> None:
    low, high = wilson(0.7, 60)
    assert (round(low, 3), round(high, 3)) == (0.575, 0.801)
    whole = share("x", [True] * 42 + [False] * 18, evenly(60))
    assert whole.low == pytest.approx(low, abs=0.003)


def test_bad_draws_are_refused() -> None:
    with pytest.raises(InputError, match="two sizes: 5 and 6"):
        drawn(["a", "a"], [5, 6])
    with pytest.raises(InputError, match="3 outputs were drawn from stratum 'a', which holds 2"):
        drawn(["a"] * 3, [2] * 3)


def test_nothing_looked_at_is_not_measured() -> None:
    assert rate_per_100("x", [], evenly(0)).value is None
    assert domain_rate_per_100("x", [], []).value is None
    assert share("x", [], evenly(0)).withheld
    assert weighted_share("x", [], []).value is None
    assert mean_of("x", [0.5], [1.0]).value is None


def _population(random: np.random.Generator, size: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors, stratum (the checks flag what has errors more often) and what a judge counts, of every output."""
    risky = random.random(size) < 0.2
    errors = random.poisson(np.where(risky, 0.5, 0.08)).astype(float)
    judged = np.where(random.random(size) < 0.8, errors, 0.0) + (random.random(size) < 0.07)
    return errors, np.where(risky, "risky", "quiet").astype(object), judged


TRUTH = 100 * (0.2 * 0.5 + 0.8 * 0.08)


def _draw(random: np.random.Generator, stratum: np.ndarray, counts: dict[str, int]) -> tuple[np.ndarray, Drawn]:
    places = [random.choice(np.flatnonzero(stratum == name), n, replace=False) for name, n in counts.items()]
    chosen = np.concatenate(places)
    size = {name: int((stratum == name).sum()) for name in counts}
    return chosen, Drawn(stratum[chosen], size)


def test_weighted_rates_cover_the_truth() -> None:
    random = np.random.default_rng(7)
    covered, naive, total = 0, 0.0, 0.0
    for _ in range(REPLICATES):
        errors, stratum, _judged = _population(random)
        chosen, of = _draw(random, stratum, {"risky": 60, "quiet": 60})
        rate = rate_per_100("errors", list(errors[chosen]), of)
        assert rate.value is not None
        covered += (rate.low or 0) <= TRUTH <= (rate.high or 0)
        total += rate.value
        naive += 100 * errors[chosen].mean()
    assert 0.94 <= covered / REPLICATES <= 0.985
    assert total / REPLICATES == pytest.approx(TRUTH, rel=0.02)
    assert naive / REPLICATES > 1.5 * TRUTH  # what it would be without the weights


def test_prediction_powered_rates_cover_the_truth_and_are_narrower() -> None:
    random = np.random.default_rng(11)
    covered = 0
    total = width = alone = 0.0
    for _ in range(REPLICATES):
        errors, stratum, judged = _population(random)
        chosen, of = _draw(random, stratum, {"risky": 80, "quiet": 80})
        rate = prediction_powered("errors", judged, judged[chosen], errors[chosen], of)
        by_people = rate_per_100("errors", list(errors[chosen]), of)
        assert rate.value is not None
        covered += (rate.low or 0) <= TRUTH <= (rate.high or 0)
        total += rate.value
        width += (rate.high or 0) - (rate.low or 0)
        alone += (by_people.high or 0) - (by_people.low or 0)
    assert 0.925 <= covered / REPLICATES <= 0.97
    assert total / REPLICATES == pytest.approx(TRUTH, rel=0.02)
    assert width < 0.85 * alone


def test_a_judge_that_guesses_is_given_no_weight() -> None:
    random = np.random.default_rng(3)
    errors, stratum, _judged = _population(random)
    noise = random.integers(0, 2, len(errors)).astype(float)
    chosen, of = _draw(random, stratum, {"risky": 80, "quiet": 80})
    rate = prediction_powered("errors", noise, noise[chosen], errors[chosen], of)
    assert "weight 0.0" in rate.method


def test_all_outputs_read_is_the_mean_of_what_people_read() -> None:
    random = np.random.default_rng(5)
    errors, stratum, judged = _population(random, 200)
    of = Drawn(stratum, {name: int((stratum == name).sum()) for name in ("risky", "quiet")})
    rate = prediction_powered("errors", judged, judged, errors, of)
    assert rate.value == pytest.approx(100 * errors.mean())


def test_rogan_gladen_by_hand() -> None:
    """Flagged .30, sensitivity .9, specificity .8: (.30 + .80 - 1) / (.9 + .8 - 1) = .1429."""
    rate = rogan_gladen("x", 300, 1000, Confusion(found=90, positives=100, cleared=80, negatives=100))
    assert rate.value == pytest.approx(0.1 / 0.7)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < 0.1 / 0.7 < rate.high


@pytest.mark.parametrize(("truth", "read"), [(0.05, 60), (0.2, 100), (0.5, 100)])
def test_rogan_gladen_covers_the_truth(truth: float, read: int) -> None:
    random = np.random.default_rng(int(1000 * truth))
    sensitivity, specificity, n = 0.85, 0.92, 600
    covered = 0
    for _ in range(REPLICATES):
        flagged = int(random.binomial(n, truth * sensitivity + (1 - truth) * (1 - specificity)))
        found, cleared = int(random.binomial(read, sensitivity)), int(random.binomial(read, specificity))
        rate = rogan_gladen("x", flagged, n, Confusion(found, read, cleared, read))
        covered += (rate.low or 0) <= truth <= (rate.high or 0)
    assert 0.935 <= covered / REPLICATES <= 0.985


def test_a_judge_no_better_than_chance_is_refused() -> None:
    with pytest.raises(Refused, match="no better than chance"):
        rogan_gladen("x", 10, 20, Confusion(found=5, positives=10, cleared=4, negatives=10))
    with pytest.raises(InputError, match="11 of 10 cannot be"):
        rogan_gladen("x", 11, 10, Confusion(5, 10, 9, 10))
    with pytest.raises(InputError, match="with and without an error"):
        rogan_gladen("x", 1, 10, Confusion(0, 0, 9, 10))
    with pytest.raises(InputError, match="three or more outputs"):
        prediction_powered("x", np.ones(5), np.ones(2), np.ones(2), evenly(2))
