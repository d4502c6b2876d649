"""What a look before the end may conclude: planned looks spend the error, unplanned ones get an interval that holds
whenever one looks.

Information is taken as the share of the pilot that has passed. A planned look of a group-sequential plan has the
nominal error of its boundary; an unplanned look in such a plan has that of the spending function at its own time (Lan
& DeMets 1983, Biometrika 70:659). Where the plan said ``once``, or ``always_valid``, the error is that of a
normal-mixture confidence sequence, narrowest at the planned end (Waudby-Smith et al. 2024, Ann Stat 52:2613).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log, sqrt

from scipy.special import ndtr, ndtri

from careplane.estimators._item import Item
from careplane.evidence.verdict import Interval
from careplane.evidence.windows import epoch
from careplane.records.evidence import Look, Plan

SMALLEST_SHARE = 0.01
TINY_ALPHA = 1e-9


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a look stands, before anything was computed: what error it may spend, and why."""

    kind: str
    number: int
    share: float
    planned: bool
    alpha: float
    bound: float
    text: str


def standing(
    plan: Plan, at: datetime, earlier: Sequence[Look], items: Mapping[str, Item], alpha: float | None = None
) -> Standing | None:
    """Where an analysis at a time stands among the looks of its plan; ``None`` for the only look, at the end.

    Args:
        plan: the plan.
        at: when.
        earlier: the looks before, in order.
        items: the shelf; its ``group_sequential`` gives the boundaries.
        alpha: the whole error; by default that of the plan.
    """
    whole = plan.alpha if alpha is None else alpha
    share = _share(plan, at)
    before = [one for one in earlier if one.share < min(share, 1.0) - 1e-9]
    if plan.looks.kind == "always_valid":
        return _always(whole, share, len(before) + 1, planned=True, text="Valid whenever one looks, as planned.")
    if plan.looks.kind == "group_sequential":
        return _sequential(plan, at, share, [one.share for one in before], items, whole)
    if share < 1:
        text = "This look was not planned: its interval is widened to hold whenever one looks. Nothing is final."
        return _always(whole, share, len(before) + 1, planned=False, text=text)
    if before:
        count = f"{len(before)} earlier look{'s' if len(before) > 1 else ''}"
        text = f"The planned end. {count} had not been planned; had the pilot been stopped at one, this would not hold."
        return Standing("once", len(before) + 1, 1.0, True, whole, float(ndtri(1 - whole / 2)), text)
    return None


def _share(plan: Plan, at: datetime) -> float:
    first, end = epoch(plan, plan.start), epoch(plan, plan.end)
    return min(1.0, max(SMALLEST_SHARE, (at.timestamp() - first) / (end - first)))


def _sequential(
    plan: Plan, at: datetime, share: float, before: Sequence[float], items: Mapping[str, Item], whole: float
) -> Standing:
    today = (at.astimezone(UTC) + timedelta(minutes=plan.utc_offset_minutes)).date()
    due = sum(day <= today for day in plan.looks.days)
    planned = share >= 1 or due > len(before)
    boundary: str = plan.looks.boundary
    if not boundary.startswith("lan_demets") and not planned:
        boundary = f"lan_demets_{boundary}"
    times = sorted({*before, share, 1.0})
    if planned and not plan.looks.boundary.startswith("lan_demets"):
        times = [*(_share_of(plan, number) for number in range(len(plan.looks.days))), 1.0]
        place = len(times) - 1 if share >= 1 else min(len(before), len(times) - 2)
    else:
        place = times.index(share)
    found = items["group_sequential"].run({}, information=times, boundary=boundary, alpha=whole)
    bound = float(found.details["critical"][place])
    text = f"Look {len(before) + 1} at {100 * share:.0f} % of the pilot, {boundary.replace('_', ' ')}."
    if not planned:
        text += " This look was not planned: the spending function gives it the error that is due at its time."
    alpha = max(TINY_ALPHA, 2 * float(ndtr(-bound)))
    return Standing("group_sequential", len(before) + 1, share, planned, alpha, bound, text)


def _share_of(plan: Plan, number: int) -> float:
    day = plan.looks.days[number]
    first, end = epoch(plan, plan.start), epoch(plan, plan.end)
    return (epoch(plan, day) - first) / (end - first)


def _always(whole: float, share: float, number: int, *, planned: bool, text: str) -> Standing:
    bound = always_valid_bound(share, whole)
    return Standing("always_valid", number, share, planned, max(TINY_ALPHA, 2 * float(ndtr(-bound))), bound, text)


def always_valid_bound(share: float, alpha: float) -> float:
    """What ``|z|`` has to pass, at a share of the planned information, for an error of ``alpha`` over all times.

    Robbins' normal mixture: ``sqrt((t r + 1) / (t r) * log((t r + 1) / alpha^2))``, with ``r`` such that it is about
    narrowest at ``t`` = 1.
    """
    rho = -2 * log(alpha) + log(-2 * log(alpha) + 1)
    reach = share * rho
    return sqrt((reach + 1) / reach * log((reach + 1) / alpha**2))


def look(standing: Standing, found: Interval, fixed: Interval, p_value: float, at: datetime) -> Look:
    """The record of a look: what stood, and the statistic that was seen."""
    size = float(-ndtri(max(p_value, 1e-300) / 2))
    return Look(
        kind=standing.kind,
        number=standing.number,
        share=standing.share,
        planned=standing.planned,
        alpha=standing.alpha,
        z=size if found.estimate >= 0 else -size,
        bound=standing.bound,
        at=at,
        fixed_low=fixed.ci_low,
        fixed_high=fixed.ci_high,
        text=standing.text,
    )
