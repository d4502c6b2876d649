"""Conversion against the worked example and against properties of the estimator."""

import json
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.alignment import conversion, import_moves
from careplane.alignment.conversion import Ending, Spell, convert, cumulative_incidence
from careplane.records.portfolio import StageMove
from careplane.store import Store

COHORT: list[tuple[int, Ending]] = [
    (90, "production"), (120, "stopped"), (150, "undecided"), (180, "production"), (200, "undecided"),
    (240, "stopped"), (300, "production"), (310, "undecided"), (365, "undecided"), (365, "undecided"),
]  # fmt: skip
SPELLS = [Spell(item=str(i), days=days, ending=ending) for i, (days, ending) in enumerate(COHORT)]


def test_worked_example() -> None:
    found = convert(SPELLS)
    assert found is not None
    assert round(found.production, 3) == 0.351
    assert round(found.undecided, 3) == 0.411
    assert found.naive == 0.3
    assert (round(found.naive_low, 3), round(found.naive_high, 3)) == (0.108, 0.603)


def test_the_vectors_file_says_the_same(shared: Path) -> None:
    vectors = json.loads((shared / "design" / "vectors.json").read_text())
    assert vectors["cumulative incidence of production by day 365"] == 0.351
    assert vectors["still undecided by day 365"] == 0.411
    assert vectors["30% bar: 3 of 10 pilots promoted, Wilson"] == [0.3, 0.108, 0.603]


def test_no_pilot_is_no_rate() -> None:
    assert convert([]) is None


spells = st.builds(
    Spell,
    item=st.just("x"),
    days=st.integers(0, 500),
    ending=st.sampled_from(["production", "stopped", "undecided"]),
)


@given(st.lists(spells, min_size=1, max_size=40))
def test_shares_sum_to_one_and_production_never_falls(cohort: list[Spell]) -> None:
    curve = cumulative_incidence(cohort)
    for point in curve:
        assert point.production + point.stopped + point.undecided == pytest.approx(1)
    assert all(a.production <= b.production for a, b in pairwise(curve))


@given(st.lists(spells.filter(lambda s: s.ending != "undecided"), min_size=1, max_size=40))
def test_without_censoring_it_is_the_naive_share(cohort: list[Spell]) -> None:
    found = convert(cohort)
    assert found is not None
    assert found.production == pytest.approx(found.naive)


def test_spells_come_from_the_moves(store: Store) -> None:
    def move(item: str, before: str | None, after: str, day: int) -> StageMove:
        at = datetime(2026, 3, day, tzinfo=UTC)
        return StageMove(item=item, from_stage=before, to_stage=after, at=at, by="x", why="y")  # type: ignore[arg-type]

    moves = [
        move("a", None, "pilot", 1), move("a", "pilot", "limited_production", 11),
        move("b", "shadow", "pilot", 1), move("b", "pilot", "stopped", 6), move("c", None, "idea", 1),
    ]  # fmt: skip
    assert import_moves(store, moves) == 5
    assert import_moves(store, moves) == 0
    found = conversion(store, date(2026, 3, 31))
    assert found is not None
    assert (found.n, found.production, found.stopped) == (2, 0.5, 0.5)
    early = conversion(store, date(2026, 3, 8))
    assert early is not None
    assert (early.production, early.undecided) == (0, 0.5)
