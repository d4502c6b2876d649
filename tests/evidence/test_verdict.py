"""Verdicts, outlook, grades, withholding, uptake and power: pure rules, checked case by case."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, t  # type: ignore[attr-defined]

from careplane.errors import InputError
from careplane.estimators import Estimate
from careplane.evidence.equity import withheld
from careplane.evidence.power import PowerInputs, detectable_difference, power_sentence
from careplane.evidence.uptake import wilson
from careplane.evidence.verdict import Spread, grade, judge, sentence, weeks_needed
from careplane.records.evidence import PlannedMeasure

from .synthetic_trial import plan

PRIMARY = PlannedMeasure(id="m", role="primary", unit="h", direction="lower", mcid=1.0)
BALANCING = PlannedMeasure(id="b", role="balancing", unit="min", direction="lower", mcid=0.5)


def found(estimate: float, half: float) -> Estimate:
    return Estimate(
        estimate, estimate - half, estimate + half, p_value=0.5, n=100, clusters=12, method="x", se=half / 2, df=9.0
    )


@pytest.mark.parametrize(
    ("measure", "estimate", "half", "verdict"),
    [
        (PRIMARY, -1.5, 1.0, "benefit"),
        (PRIMARY, -0.8, 0.5, "inconclusive"),  # better, but perhaps not by enough
        (PRIMARY, -0.5, 0.3, "no worthwhile effect"),  # better, by less than is worthwhile
        (PRIMARY, 0.0, 0.5, "no worthwhile effect"),
        (PRIMARY, 0.0, 2.0, "inconclusive"),
        (PRIMARY, 1.0, 0.5, "harm"),
        (BALANCING, 0.1, 0.3, "no worthwhile effect"),
        (BALANCING, 0.3, 0.1, "no worthwhile effect"),  # worse, within the margin
        (BALANCING, 0.4, 0.3, "harm"),
        (BALANCING, 0.2, 0.4, "inconclusive"),
        (BALANCING, -0.8, 0.2, "benefit"),
    ],
)
def test_verdicts(measure: PlannedMeasure, estimate: float, half: float, verdict: str) -> None:
    assert judge(measure, found(estimate, half)) == verdict
    higher = PlannedMeasure(id=measure.id, role=measure.role, unit=measure.unit, direction="higher", mcid=measure.mcid)
    assert judge(higher, found(-estimate, half)) == verdict


def test_weeks_needed_is_enough_and_not_too_many() -> None:
    """All variance within clusters: the interval shrinks with the square root of time."""
    wide = found(-0.5, 1.0)
    assert weeks_needed(PRIMARY, wide, Spread(0.25, weeks=6)) == 18
    assert weeks_needed(PRIMARY, wide, Spread(0.01, weeks=6)) is None
    told = sentence(PRIMARY, "Turnaround", 0.05, wide, Spread(0.25, weeks=6))
    assert told.endswith("inconclusive, about 18 more weeks at this pace.")
    assert "95 % interval -1.50 to +0.50; lower is better" in told
    assert sentence(PRIMARY, "T", 0.05, wide, Spread(0.01, 6)).endswith("more clusters would.")


def test_grades() -> None:
    locked = plan(locked_at=datetime(2026, 2, 20, tzinfo=UTC))
    assert grade(locked, 12, 6, 0.05) == "A"
    assert grade(locked, 12, 6, 0.30) == "B"
    assert grade(locked, 8, 4, 0.05) == "B"
    assert grade(plan(locked_at=datetime(2026, 3, 9, tzinfo=UTC)), 12, 6, 0.05) == "B"
    assert grade(plan(design="before_after", locked_at=locked.locked_at), 12, 6, 0.0) == "D"
    assert grade(plan(design="difference_in_differences", locked_at=locked.locked_at), 12, 6, 0.0) == "C"


@given(
    sizes=st.dictionaries(
        st.text("abcdefgh", min_size=1, max_size=2),
        st.tuples(st.integers(0, 60), st.integers(0, 60)),
        min_size=1,
        max_size=6,
    )
)
def test_no_small_group_is_shown_or_left_over(sizes: dict[str, tuple[int, int]]) -> None:
    hidden = withheld(sizes, 11)
    assert all(name in hidden for name, size in sizes.items() if min(size) < 11)
    if hidden and len(hidden) < len(sizes):
        assert len(hidden) > 1
        assert np.sum([sizes[name] for name in hidden], axis=0).min() >= 11


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_equals_scipy(n: int, share: float) -> None:
    used = round(n * share)
    theirs = binomtest(used, n).proportion_ci(0.95, method="wilson")
    assert wilson(used, n, 0.05) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_detectable_difference_is_the_published_formula() -> None:
    """Two-sample t with the design effect, written out; and the noncentral t power at that difference is near 80 %."""
    inputs = PowerInputs(sd=4.0, icc=0.03, cluster_size=80)
    se = np.sqrt(2 * 16 * (1 + 79 * 0.03) / (6 * 80))
    ours = detectable_difference(inputs, clusters=12, strata=2)
    assert ours == pytest.approx(se * (t.ppf(0.975, 9) + t.ppf(0.8, 9)))
    assert "does not reach the smallest worthwhile change" in power_sentence(inputs, 12, 2, 0.05, "h", 0.5)
    with pytest.raises(InputError):
        detectable_difference(inputs, clusters=2, strata=2)
