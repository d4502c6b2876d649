"""How many pilots reach production: cumulative incidence with stopping as a competing risk.

A naive share (promoted ÷ all) lets young pilots drag the rate. The Aalen–Johansen estimator (Aalen and Johansen 1978)
uses each pilot only for as long as it was watched; undecided pilots are censored, stopped ones compete.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Literal

from scipy import stats

from careplane.records import Record
from careplane.records.portfolio import StageMove
from careplane.store import Store, find
from careplane.store.tables import stage_moves

Ending = Literal["production", "stopped", "undecided"]
HORIZON_DAYS = 365
_PRODUCTION = ("limited_production", "scaled", "sustained")
_STOPPED = ("stopped", "retired")


class Spell(Record, frozen=True):
    """One pilot: days watched from its start, and how that ended."""

    item: str
    days: int
    ending: Ending


class IncidencePoint(Record, frozen=True):
    """The three shares at one day; they sum to 1."""

    day: int
    production: float
    stopped: float
    undecided: float


class Conversion(Record, frozen=True):
    """Conversion of a cohort of ``n`` pilots by day ``by_day``.

    ``production``, ``stopped`` and ``undecided`` are Aalen–Johansen shares; ``naive`` is promoted over all with its
    Wilson 95 % interval, shown beside it because readers expect it.
    """

    n: int
    by_day: int
    production: float
    stopped: float
    undecided: float
    promoted: int
    naive: float
    naive_low: float
    naive_high: float
    curve: tuple[IncidencePoint, ...]


def cumulative_incidence(spells: Iterable[Spell], by_day: int = HORIZON_DAYS) -> tuple[IncidencePoint, ...]:
    """The Aalen–Johansen curve from day 0 to ``by_day``, one point per day on which something was decided.

    At equal days decisions come before censoring, the usual convention.
    """
    watched = sorted(spells, key=lambda spell: spell.days)
    at_risk, undecided, production, stopped = len(watched), 1.0, 0.0, 0.0
    curve = [IncidencePoint(day=0, production=0.0, stopped=0.0, undecided=1.0)]
    for day in sorted({spell.days for spell in watched if spell.days <= by_day}):
        here = [spell.ending for spell in watched if spell.days == day]
        into_production, into_stop = here.count("production"), here.count("stopped")
        production += undecided * into_production / at_risk
        stopped += undecided * into_stop / at_risk
        undecided *= 1 - (into_production + into_stop) / at_risk
        at_risk -= len(here)
        if into_production or into_stop:
            curve.append(IncidencePoint(day=day, production=production, stopped=stopped, undecided=undecided))
    return tuple(curve)


def convert(spells: Sequence[Spell], by_day: int = HORIZON_DAYS) -> Conversion | None:
    """The conversion of a cohort; ``None`` when there is no pilot to follow."""
    if not spells:
        return None
    curve = cumulative_incidence(spells, by_day)
    promoted = sum(spell.ending == "production" and spell.days <= by_day for spell in spells)
    interval = stats.binomtest(promoted, len(spells)).proportion_ci(method="wilson")  # type: ignore[attr-defined]
    return Conversion(
        n=len(spells),
        by_day=by_day,
        production=curve[-1].production,
        stopped=curve[-1].stopped,
        undecided=curve[-1].undecided,
        promoted=promoted,
        naive=promoted / len(spells),
        naive_low=float(interval.low),
        naive_high=float(interval.high),
        curve=curve,
    )


def conversion(store: Store, today: date, by_day: int = HORIZON_DAYS) -> Conversion | None:
    """The conversion of every item that was ever seen entering a pilot."""
    with store.read() as connection:
        moves = find(connection, stage_moves, StageMove, order_by=(stage_moves.c.item, stage_moves.c.at))
    by_item: dict[str, list[StageMove]] = {}
    for move in moves:
        by_item.setdefault(move.item, []).append(move)
    found = (_spell(item, path, today) for item, path in by_item.items())
    return convert([spell for spell in found if spell is not None], by_day)


def _spell(item: str, path: Sequence[StageMove], today: date) -> Spell | None:
    """The first pilot of an item until it was decided or today; ``None`` if it never entered one (yet)."""
    start = next((move.at for move in path if move.to_stage == "pilot" and move.at.date() <= today), None)
    if start is None:
        return None
    for move in path:
        if start < move.at and move.at.date() <= today:
            if move.to_stage in _PRODUCTION:
                return Spell(item=item, days=_days(start, move.at.date()), ending="production")
            if move.to_stage in _STOPPED:
                return Spell(item=item, days=_days(start, move.at.date()), ending="stopped")
    return Spell(item=item, days=_days(start, today), ending="undecided")


def _days(start: datetime, end: date) -> int:
    return (end - start.date()).days
