"""Gaps between groups and parity, against numbers worked out by hand."""

import math

import numpy as np
import pytest

from careplane.errors import InputError, Refused
from careplane.evidence.gaps import group_gaps, interaction, parity
from careplane.evidence.rows import Rows


def rows(*groups: tuple[str, int, int], clusters: int = 1) -> tuple[Rows, dict[str, str]]:
    """Rows of 0 and 1, and the group of each patient, from (group, rows, ones); each row is a patient."""
    names = [(name, number < ones) for name, size, ones in groups for number in range(size)]
    count = len(names)
    text = np.array([f"p{n}" for n in range(count)], dtype=object)
    units = np.array([f"Location/{n % clusters}" for n in range(count)], dtype=object)
    value = np.array([float(hit) for _, hit in names])
    found = Rows(text, units, text, text, np.zeros(count, dtype=np.int64), value, np.ones(count))
    return found, {f"p{n}": name for n, (name, _) in enumerate(names) if name}


def test_gaps_from_the_largest_group() -> None:
    """60 % of 100 and 40 % of 50: the gap is -.2; errors sqrt(.24/99) and sqrt(.24/49) give .0857."""
    found = group_gaps(*_of(rows(("a", 100, 60), ("b", 50, 20))))
    assert (found.reference, found.worst) == ("a", "b")
    gap = found.groups[1]
    assert gap.gap == pytest.approx(-0.2)
    error = math.sqrt(0.24 / 99 + 0.24 / 49)
    assert gap.ci_low == pytest.approx(-0.2 - 1.959964 * error, abs=1e-6)
    assert found.bound == pytest.approx(0.2 + 1.959964 * error, abs=1e-6)


def test_the_level_holds_over_all_groups() -> None:
    found = group_gaps(*_of(rows(("a", 100, 60), ("b", 50, 20), ("c", 50, 20))))
    error = math.sqrt(0.24 / 99 + 0.24 / 49)
    assert found.groups[1].ci_high == pytest.approx(-0.2 + 2.241403 * error, abs=1e-6)  # z of .05 / 2 / 2


def test_what_is_not_recorded_is_a_group_and_small_groups_are_withheld_with_another() -> None:
    found = group_gaps(*_of(rows(("a", 100, 60), ("", 30, 10), ("b", 20, 10), ("c", 10, 5))))
    shown = {one.group: one.n for one in found.groups}
    assert shown == {"a": 100, "not recorded": 30, "b": None, "c": None}
    with pytest.raises(Refused, match="No group of race has 11 rows"):
        group_gaps(*_of(rows(("a", 10, 6), ("b", 9, 2))))


def test_one_group_has_no_gap() -> None:
    found = group_gaps(*_of(rows(("a", 100, 60))))
    assert (found.worst, found.bound, found.groups[0].gap) == ("", None, None)


def test_clusters_that_differ_make_the_interval_wider() -> None:
    alone, of = rows(("a", 200, 100), ("b", 200, 100))
    value = np.array([float(int(unit[-1]) < 4) for unit in (f"Location/{n % 8}" for n in range(400))])
    units = np.array([f"Location/{n % 8}" for n in range(400)], dtype=object)
    together = Rows(alone.key, units, alone.patient, alone.clinician, alone.at, value, alone.weight)
    apart = Rows(alone.key, alone.cluster, alone.patient, alone.clinician, alone.at, value, alone.weight)
    wide, narrow = (group_gaps(one, "race", of).groups[1] for one in (together, apart))
    assert wide.ci_high is not None
    assert narrow.ci_high is not None
    assert wide.ci_high / narrow.ci_high == pytest.approx(math.sqrt(8 / 7 * 8 * 25**2 / 4 / (200 / 199 * 50)), rel=1e-9)


def test_parity_by_katz() -> None:
    """20 of 50 over 60 of 100: .6667, error sqrt(1/20 - 1/50 + 1/60 - 1/100) = .19149, interval .458 to .970."""
    found = parity(*rows(("es", 30, 12), ("vi", 20, 8), ("en", 100, 60)))
    assert found.ratio == pytest.approx(2 / 3)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.45805, 0.97030), abs=2e-5)
    assert (found.n_other, found.n_english, found.share_english) == (50, 100, 0.6)


def test_parity_needs_eleven_on_each_side_and_something_that_counts() -> None:
    with pytest.raises(Refused, match="fewer than 11"):
        parity(*rows(("es", 10, 5), ("en", 100, 60)))
    with pytest.raises(Refused, match="no ratio"):
        parity(*rows(("es", 20, 0), ("en", 100, 60)))
    some, of = rows(("es", 20, 5), ("en", 100, 60))
    some.value[0] = 0.5
    with pytest.raises(InputError, match="0 or 1"):
        parity(some, of)


def test_patients_without_a_language_do_not_count_in_parity() -> None:
    assert parity(*rows(("es", 50, 20), ("en", 100, 60), ("", 70, 70))).ratio == pytest.approx(2 / 3)


def test_effects_that_differ() -> None:
    """Effects 1, 1 and 4 with error 1: mean 2, Q = 1 + 1 + 4 = 6, p = exp(-3) with two degrees of freedom."""
    assert interaction({"a": (1.0, 1.0), "b": (1.0, 1.0), "c": (4.0, 1.0)}) == pytest.approx((6.0, math.exp(-3)))
    with pytest.raises(InputError, match="two effects"):
        interaction({"a": (1.0, 1.0)})
    with pytest.raises(InputError, match="above 0"):
        interaction({"a": (1.0, 1.0), "b": (1.0, 0.0)})


def _of(found: tuple[Rows, dict[str, str]]) -> tuple[Rows, str, dict[str, str]]:
    return found[0], "race", found[1]
