"""What the run record says by period: of each metric the points of a chart, an amount and the cases behind it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from statistics import fmean, median
from typing import Literal

import numpy as np

from careplane.evidence.rows import Rows
from careplane.records.hooks import CardFeedback
from careplane.records.run import Run

GROUNDING = frozenset({"allergies", "citations", "numbers", "negation", "drugs", "laterality"})
"""The checks that hold a draft against its sources; all others are guards of another kind."""

Period = Literal["day", "week"]


@dataclass(frozen=True, slots=True)
class Point:
    """One period: of a share the events (``amount``) out of ``size`` cases, else the value and the cases behind it."""

    time: str
    amount: float
    size: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """How time is cut: into days or weeks (named by their Monday) of a zone."""

    period: Period
    zone: tzinfo | None

    def label(self, at: datetime) -> str:
        """The period of a moment."""
        day = at.astimezone(self.zone).date()
        return self.first_day(day).isoformat()

    def first_day(self, day: date) -> date:
        """The day that a period begins with."""
        return day - timedelta(days=day.weekday()) if self.period == "week" else day


Case = tuple[datetime, float]
"""When something was, and what: 0 or 1 of a share, else its value."""


def run_points(metric: str, runs: Sequence[Run], cards: Sequence[CardFeedback], calendar: Calendar) -> list[Point]:
    """The points of a metric of the run record, oldest first; empty where nothing records it."""
    if metric == "calls":
        counted = by_period(((call.at, 1.0) for run in runs for call in run.calls), calendar)
        return [Point(time, float(len(values)), len(values)) for time, values in counted.items()]
    if metric == "latency":
        taken = by_period(((call.at, call.latency_ms) for run in runs for call in run.calls), calendar)
        return [Point(time, median(values), len(values)) for time, values in taken.items()]
    if metric == "fallbacks":
        return shares(_by_another_model(runs), calendar)
    if metric == "card_overrides":
        return shares(((one.at, float(one.outcome == "overridden")) for one in cards), calendar)
    if metric in _SHARES:
        return shares(_cases(runs, _SHARES[metric]), calendar)
    if metric in _MEANS:
        return means(_cases(runs, _MEANS[metric]), calendar)
    return []


def measure_points(rows: Rows, units: set[str], share: bool, calendar: Calendar) -> list[Point]:
    """The points of a measure in some units (all, where none of them is in the data); missing values do not count.
    What is no share is the mean of the values, each by its weight."""
    kept = ~np.isnan(rows.value)
    inside = np.isin(rows.cluster.astype(str), sorted(units))
    if inside.any():
        kept &= inside
    when = [datetime.fromtimestamp(int(at), calendar.zone) for at in rows.at[kept]]
    values, weights = rows.value[kept].tolist(), rows.weight[kept].tolist()
    if share:
        return shares(zip(when, values, strict=True), calendar)
    weighed = by_period(
        zip(when, [value * weight for value, weight in zip(values, weights, strict=True)], strict=True), calendar
    )
    total = by_period(zip(when, weights, strict=True), calendar)
    return [
        Point(time, sum(weighed[time]) / sum(total[time]), len(weighed[time]))
        for time in weighed
        if sum(total[time]) > 0
    ]


def shares(cases: Iterable[Case], calendar: Calendar) -> list[Point]:
    """Events out of cases by period."""
    return [Point(time, sum(values), len(values)) for time, values in by_period(cases, calendar).items()]


def means(cases: Iterable[Case], calendar: Calendar) -> list[Point]:
    """The mean of the cases by period."""
    return [Point(time, fmean(values), len(values)) for time, values in by_period(cases, calendar).items()]


def by_period(cases: Iterable[Case], calendar: Calendar) -> dict[str, list[float]]:
    """The values of each period, in the order of time."""
    found: dict[str, list[float]] = defaultdict(list)
    for at, value in cases:
        found[calendar.label(at)].append(value)
    return dict(sorted(found.items()))


def override_reasons(cards: Sequence[CardFeedback]) -> str:
    """The most frequent reason for which cards were set aside, as the end of a sentence; empty when there is none."""
    said = Counter(one.reason_text for one in cards if one.outcome == "overridden" and one.reason_text)
    if not said:
        return ""
    text, number = said.most_common(1)[0]
    return f" Most often because of “{text}” ({number:,})."


def _cases(runs: Sequence[Run], value: Callable[[Run], float | bool | None]) -> Iterable[Case]:
    for run in runs:
        found = value(run)
        if found is not None:
            yield run.created_at, float(found)


def _by_another_model(runs: Sequence[Run]) -> Iterable[Case]:
    """Calls, and whether another model answered than the one that answered most of the first half."""
    calls = sorted((call for run in runs for call in run.calls), key=lambda call: call.at)
    if not calls:
        return []
    first = calls[: max(1, len(calls) // 2)]
    usual = Counter((call.provider, call.model) for call in first).most_common(1)[0][0]
    return [(call.at, float((call.provider, call.model) != usual)) for call in calls]


def _failed(run: Run) -> bool | None:
    return None if run.status == "refused" else run.status == "failed"


def _refused(run: Run) -> bool | None:
    """The control arm of a plan is no refusal: it is what was planned."""
    rules = {reason.rule for reason in run.permit.refusals}
    return None if rules == {"in_arm"} else run.status == "refused"


def _grave(run: Run, grounding: bool) -> bool | None:
    if run.draft is None:
        return None
    return any(
        finding.severity != "info" and (finding.check in GROUNDING) is grounding for finding in run.draft.findings
    )


def _critical(run: Run) -> bool | None:
    return None if run.draft is None else any(finding.severity == "critical" for finding in run.draft.findings)


def _signed(run: Run) -> bool | None:
    return None if run.review is None else run.review.action != "reject"


def _sources(run: Run) -> float | None:
    return None if run.draft is None else float(len(run.draft.sources))


def _distance(run: Run) -> float | None:
    return run.review.distance if run.review is not None and run.review.action != "reject" else None


_SHARES: Mapping[str, Callable[[Run], bool | None]] = {
    "failures": _failed,
    "refusals": _refused,
    "guard_flags": lambda run: _grave(run, False),
    "grounding_flags": lambda run: _grave(run, True),
    "error_rate": _critical,
    "acceptance": _signed,
}
_MEANS: Mapping[str, Callable[[Run], float | None]] = {"input_size": _sources, "edit_distance": _distance}
