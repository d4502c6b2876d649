"""Kappa and alpha: worked by hand, as published, and as another library has them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.errors import InputError
from careplane.evidence.quality.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha


def of_table(table: list[list[int]]) -> tuple[list[int], list[int]]:
    first, second = [], []
    for row, counts in enumerate(table):
        for column, count in enumerate(counts):
            first += [row] * count
            second += [column] * count
    return first, second


def test_kappa_worked_by_hand() -> None:
    """20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no of 50: observed .70, by chance .5*.6 + .5*.4 = .50, so .40."""
    found = cohen_kappa(*of_table([[20, 5], [10, 15]]), (0, 1), "any error")
    assert found.value == pytest.approx(0.40)
    assert found.raw == pytest.approx(0.70)
    assert (found.n, found.raters) == (50, 2)
    assert found.low is not None
    assert found.high is not None
    assert found.high - 0.40 == pytest.approx(0.40 - found.low)


def test_weighted_kappa_worked_by_hand() -> None:
    """Three categories, linear weights 1, .5, 0. Table rows (2,1,0), (0,2,1), (1,0,3) of 10.

    Observed .7 + .5 * .2 = .80. Margins .3, .3, .4 by row and .3, .3, .4 by column: by chance .34 + .5 * .42 = .55. So
    .25 / .45.
    """
    found = cohen_kappa(*of_table([[2, 1, 0], [0, 2, 1], [1, 0, 3]]), (0, 1, 2), "score", "linear")
    assert found.value == pytest.approx(0.25 / 0.45)


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_kappa_and_its_interval_are_those_of_statsmodels(weights: str) -> None:
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table = np.array([[11, 3, 1, 0], [2, 17, 4, 1], [0, 5, 9, 2], [1, 0, 3, 8]])
    theirs = inter_rater.cohens_kappa(table, wt=None if weights == "none" else weights)
    ours = cohen_kappa(*of_table(table.tolist()), (0, 1, 2, 3), "x", weights)  # type: ignore[arg-type]
    assert ours.value == pytest.approx(theirs.kappa, abs=1e-12)
    assert ours.low == pytest.approx(theirs.kappa_low, abs=1e-9)
    assert ours.high == pytest.approx(theirs.kappa_upp, abs=1e-9)


def test_fleiss_kappa_as_published() -> None:
    """Ten outputs, 14 readers, five categories: .210, the example that every textbook repeats."""
    counts = [
        *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
        *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
    ]
    found = fleiss_kappa(counts, "x")
    assert found.value == pytest.approx(0.20993, abs=5e-6)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.21 < found.high


KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_as_published(level: str, published: float) -> None:
    """Krippendorff 2011, four observers, twelve units, missing values."""
    found = krippendorff_alpha(KRIPPENDORFF, "x", level)  # type: ignore[arg-type]
    assert found.value == pytest.approx(published, abs=5e-4)
    assert found.n == 11  # one unit has a single value and pairs with nothing


def test_all_alike_cannot_be_told() -> None:
    assert cohen_kappa([0] * 9, [0] * 9, (0, 1), "x").value is None
    assert fleiss_kappa([[2, 0]] * 9, "x").value is None
    assert krippendorff_alpha([[1.0] * 9, [1.0] * 9], "x").value is None


def test_perfect_agreement_on_few_promises_little() -> None:
    few = cohen_kappa([0, 0, 0, 1, 1], [0, 0, 0, 1, 1], (0, 1), "x")
    many = cohen_kappa([0, 1] * 100, [0, 1] * 100, (0, 1), "x")
    assert few.value == many.value == pytest.approx(1)
    assert few.low is not None
    assert many.low is not None
    assert few.low < 0.5 < 0.95 < many.low


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="one reader judged 2 outputs, the other 1"):
        cohen_kappa([0, 1], [0], (0, 1), "x")
    with pytest.raises(InputError, match="7 is none of the categories"):
        cohen_kappa([7], [0], (0, 1), "x")
    with pytest.raises(InputError, match="same number of readers"):
        fleiss_kappa([[2, 0], [1, 0]], "x")
    with pytest.raises(InputError, match="read by two readers"):
        krippendorff_alpha([[1.0, None], [None, 2.0]], "x")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=3, max_size=40))
def test_kappa_does_not_depend_on_order_or_on_who_is_first(pairs: list[tuple[int, int]]) -> None:
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    found = cohen_kappa(first, second, (0, 1, 2), "x", "quadratic")
    swapped = cohen_kappa(second[::-1], first[::-1], (0, 1, 2), "x", "quadratic")
    assert (found.value is None) == (swapped.value is None)
    if found.value is not None:
        assert found.value == pytest.approx(swapped.value)
        assert found.low is not None
        assert found.high is not None
        assert -1 <= found.low <= found.value <= found.high <= 1
