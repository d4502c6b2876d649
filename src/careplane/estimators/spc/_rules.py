"""Run rules: what points would hardly do by chance while the process is stable."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from careplane.estimators import Floats

Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its short name, what a reader is told, and the points that it marks on one side.

    ``marks(z, side)`` gives the points that break it above (``side`` 1) or below (-1) the centre; a rule that knows no
    side is asked with 0 only.
    """

    name: str
    text: str
    marks: Callable[[Floats, int], Marks]
    sided: bool = True


def beyond(sigmas: float, least: int, of: int, together: bool = False) -> Callable[[Floats, int], Marks]:
    """``least`` of ``of`` points in a row further out than ``sigmas`` on the same side; those points are marked. With
    ``together`` all of them must lie on that side of the centre."""

    def marks(z: Floats, side: int) -> Marks:
        far, found = side * z > sigmas, np.zeros(len(z), dtype=np.bool_)
        for start in range(len(z) - of + 1):
            window = slice(start, start + of)
            if far[window].sum() >= least and (not together or (side * z[window] > 0).all()):
                found[window] |= far[window]
        return found

    return marks


def run(length: int) -> Callable[[Floats, int], Marks]:
    """So many points in a row on one side of the centre; a point on the line breaks the run."""
    return lambda z, side: in_windows(side * z > 0, length)


def trend(length: int) -> Callable[[Floats, int], Marks]:
    """So many points in a row, each higher (or each lower) than the one before."""

    def marks(values: Floats, side: int) -> Marks:
        # Between two infinite distances no step is told.
        with np.errstate(invalid="ignore"):
            steps = side * np.diff(values) > 0
        inside = in_windows(steps, length - 1)
        found = np.zeros(len(values), dtype=np.bool_)
        found[:-1] |= inside
        found[1:] |= inside
        return found

    return marks


def alternating(length: int) -> Callable[[Floats, int], Marks]:
    """So many points in a row that go up and down in turn."""

    def marks(values: Floats, _side: int) -> Marks:
        with np.errstate(invalid="ignore"):
            steps = np.sign(np.diff(values))
        turns = in_windows(steps[1:] * steps[:-1] < 0, length - 2)
        found = np.zeros(len(values), dtype=np.bool_)
        for shift in range(3):
            found[shift : len(turns) + shift] |= turns
        return found

    return marks


def near(sigmas: float, length: int) -> Callable[[Floats, int], Marks]:
    """So many points in a row within ``sigmas`` of the centre, on either side."""
    return lambda z, _side: in_windows(np.abs(z) < sigmas, length)


def away(sigmas: float, length: int) -> Callable[[Floats, int], Marks]:
    """So many points in a row further than ``sigmas`` from the centre, on both sides of it."""

    def marks(z: Floats, _side: int) -> Marks:
        found = np.zeros(len(z), dtype=np.bool_)
        far = np.abs(z) > sigmas
        for start in range(len(z) - length + 1):
            window = slice(start, start + length)
            found[window] |= bool(far[window].all() and (z[window] > 0).any() and (z[window] < 0).any())
        return found

    return marks


def in_windows(held: Marks, length: int) -> Marks:
    """The points that lie in some stretch of ``length`` points that all hold."""
    found = np.zeros(len(held), dtype=np.bool_)
    for start in range(len(held) - length + 1):
        window = slice(start, start + length)
        found[window] |= bool(held[window].all())
    return found


OUTSIDE = Rule("outside", "a point outside the limits", beyond(3, 1, 1))

RULES: dict[str, Sequence[Rule]] = {
    "nhs": (
        OUTSIDE,
        Rule("shift", "seven points in a row on one side of the mean", run(7)),
        Rule("trend", "seven points in a row rising or falling", trend(7)),
        Rule("two_of_three", "two of three points in a row close to one limit", beyond(2, 2, 3, together=True)),
    ),
    "western_electric": (
        OUTSIDE,
        Rule("two_of_three", "two of three points beyond two standard deviations on one side", beyond(2, 2, 3)),
        Rule("four_of_five", "four of five points beyond one standard deviation on one side", beyond(1, 4, 5)),
        Rule("run_of_eight", "eight points in a row on one side of the centre", run(8)),
    ),
    "nelson": (
        OUTSIDE,
        Rule("run_of_nine", "nine points in a row on one side of the centre", run(9)),
        Rule("trend_of_six", "six points in a row rising or falling", trend(6)),
        Rule("alternating", "fourteen points in a row that go up and down in turn", alternating(14), sided=False),
        Rule("two_of_three", "two of three points beyond two standard deviations on one side", beyond(2, 2, 3)),
        Rule("four_of_five", "four of five points beyond one standard deviation on one side", beyond(1, 4, 5)),
        Rule("hugging", "fifteen points in a row within one standard deviation", near(1, 15), sided=False),
        Rule("mixture", "eight points in a row beyond one standard deviation on both sides", away(1, 8), sided=False),
    ),
}
"""NHS: Making Data Count, as NHSRplotthedots 0.2 applies it. Western Electric: Statistical Quality Control Handbook
(1956). Nelson: J Qual Technol 16:237 (1984)."""
