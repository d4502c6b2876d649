"""Figures of a measure worked by hand: ratios of sums, response rates, and small cells that cannot be derived."""

import numpy as np
import pytest
from msgspec.structs import replace

from careplane._shelf import load
from careplane.evidence.figures import UnitFigure, figures, withheld
from careplane.evidence.rows import Rows
from careplane.records.evidence import MeasureInfo

INFO: MeasureInfo = load("measures", "note_closure").MEASURE.info


def rows(value: list[float], cluster: list[str] | None = None, weight: list[float] | None = None) -> Rows:
    n = len(value)
    return Rows(
        key=np.array([str(one) for one in range(n)], dtype=object),
        cluster=np.array(cluster or ["a"] * n, dtype=object),
        patient=np.array([""] * n, dtype=object),
        clinician=np.array([""] * n, dtype=object),
        at=np.zeros(n, dtype=np.int64),
        value=np.array(value, dtype=np.float64),
        weight=np.array(weight or [1.0] * n, dtype=np.float64),
    )


def every(given: Rows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(len(given), dtype=bool)


def test_a_ratio_of_sums_is_not_the_mean_of_ratios() -> None:
    """Eleven weeks of 60 minutes over 4 hours (half a unit) and one of 10 minutes over 40 hours (five units).

    Sums: (11 times .5 times 60 + 5 times 10) / (11 times .5 + 5) is 36.19; the mean of rows is 55.83.
    """
    given = rows([60.0] * 11 + [10.0], weight=[0.5] * 11 + [5.0])
    assert figures(INFO, given, every(given), 11).figure == pytest.approx(380 / 10.5)


def test_missing_rows_are_counted_and_are_no_zeros() -> None:
    given = rows([1.0] * 6 + [0.0] * 6 + [float("nan")] * 3)
    found = figures(INFO, given, every(given), 11)
    assert (found.rows, found.n, found.missing, found.figure, found.response_rate) == (15, 12, 3, 0.5, None)


def test_a_survey_has_a_response_rate() -> None:
    given = rows([1.0] * 12 + [float("nan")] * 4)
    assert figures(replace(INFO, survey=True), given, every(given), 11).response_rate == 0.75


def test_few_rows_are_withheld_altogether() -> None:
    given = rows([1.0] * 10)
    found = figures(INFO, given, every(given), 5)
    assert (found.figure, found.n, found.rows, found.units) == (None, None, None, ())
    assert found.withheld == "fewer than 11 rows have a value"
    nothing = figures(INFO, given, ~every(given), 11)
    assert (nothing.rows, nothing.figure, nothing.withheld) == (0, None, "")


def test_a_small_unit_takes_the_next_smallest_with_it() -> None:
    """Of 30, 12 and 3 rows the 3 are too small; alone they could be derived, so the 12 go with them."""
    given = rows([1.0] * 45, ["a"] * 30 + ["b"] * 12 + ["c"] * 3)
    found = figures(INFO, given, every(given), 11)
    assert found.units == (
        UnitFigure(unit="a", n=30, figure=1.0),
        UnitFigure(unit="b", n=None, figure=None, withheld="withheld beside a smaller unit"),
        UnitFigure(unit="c", n=None, figure=None, withheld="fewer than 11 rows"),
    )


@pytest.mark.parametrize(
    ("sizes", "hidden"),
    [
        ({"a": 20, "b": 11}, set()),
        ({"a": 20, "b": 10}, {"a", "b"}),
        ({"a": 20, "b": 6, "c": 6}, {"b", "c"}),
        ({"a": 20, "b": 5, "c": 5}, {"a", "b", "c"}),
        ({"a": 5}, {"a"}),
        ({}, set()),
    ],
)
def test_what_is_withheld_is_never_small_alone(sizes: dict[str, int], hidden: set[str]) -> None:
    assert set(withheld(list(sizes.items()), 11)) == hidden
