"""Studies of any design made from simulated rows, without a lake: what :func:`compute` takes, with known effects."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
from msgspec.structs import replace

from careplane._shelf import items, load
from careplane.estimators._item import Item, item
from careplane.evidence.rows import Extract, Rows
from careplane.evidence.study import Study
from careplane.evidence.uses import Uses, uses_of
from careplane.evidence.windows import epoch
from careplane.measures import Measure
from careplane.records.evidence import Assignment, Look, Plan, PlannedMeasure

MEASURES: Mapping[str, Measure] = {"msg_turnaround": load("measures", "msg_turnaround").MEASURE}
ITEMS: Mapping[str, Item] = {name: item(load("estimators", name)) for name in items("estimators")}
START = date(2026, 3, 2)
AFTER = datetime(2026, 9, 1, tzinfo=UTC)
PRIMARY = PlannedMeasure(id="msg_turnaround", role="primary", unit="h", direction="lower", mcid=1.0)


def made_plan(design: str, units: Sequence[str], **changes: object) -> Plan:
    """A locked plan of twelve weeks with as long a baseline."""
    values: dict[str, object] = {
        "id": "made",
        "app": "portal_reply",
        "version": 1,
        "question": "Does it help?",
        "design": design,
        "unit": "clinic",
        "clusters": tuple(units),
        "strata": dict.fromkeys(units, "all"),
        "measures": (PRIMARY,),
        "equity": ("language",),
        "baseline_start": START - timedelta(days=84),
        "start": START,
        "end": START + timedelta(days=84),
        "seed": 7,
        "alpha": 0.05,
        "analysis": "as published",
        "decision_rule": "as published",
        "power": "not computed",
        "hash": "0" * 64,
        "locked_at": datetime(2026, 2, 1, tzinfo=UTC),
    }
    return Plan(**{**values, **changes})  # type: ignore[arg-type]


def made_rows(
    plan: Plan,
    assigned: Sequence[Assignment],
    effect: float,
    *,
    per_week: int = 6,
    seed: int = 1,
    spread: float = 0.5,
    harm_of: Mapping[str, float] | None = None,
    trend: float = 0.0,
    last: date | None = None,
) -> tuple[Rows, dict[str, str]]:
    """Rows with a known effect, and the language of each patient. ``harm_of`` adds to the effect in a group."""
    rng = np.random.default_rng(seed)
    first, end = epoch(plan, plan.baseline_start), epoch(plan, last or plan.end)
    columns: list[tuple[str, str, str, str, int, float]] = []
    language: dict[str, str] = {}
    for unit in assigned:
        level = 10 + rng.normal(0, spread)
        count = int(per_week * (end - first) / (7 * 86400))
        for number in range(count):
            at = int(rng.integers(first, end))
            patient = unit.unit.rpartition("/")[2] if plan.unit == "patient" else f"x{int(rng.integers(400))}"
            language[patient] = "es" if sum(map(ord, patient)) % 4 == 0 else "en"
            on = _on(plan, unit, at)
            gain = effect + (harm_of or {}).get(language[patient], 0.0)
            value = level + trend * (at - first) / (7 * 86400) + gain * on + rng.normal(0, 1)
            key = f"{unit.unit.rpartition('/')[2]}-{number}"
            columns.append((key, unit.unit, patient, f"{unit.unit}-doc{number % 3}", at, value))
    columns.sort()
    texts = [np.array([row[place] for row in columns], dtype=object) for place in range(4)]
    numbers = np.array([row[4] for row in columns]), np.array([row[5] for row in columns])
    rows = Rows(texts[0], texts[1], texts[2], texts[3], *numbers, np.ones(len(columns)))
    return rows, language


def _on(plan: Plan, unit: Assignment, at: int) -> bool:
    if plan.switching is not None:
        period = (at - epoch(plan, plan.start)) // (86400 * plan.switching.period_days)
        return 0 <= period < len(unit.sequence) and unit.sequence[period] == "intervention"
    starts = unit.starts or (plan.start if unit.arm == "intervention" else None)
    return starts is not None and at >= epoch(plan, starts)


def made_study(
    plan: Plan,
    assigned: Sequence[Assignment],
    rows: Rows,
    language: Mapping[str, str],
    *,
    at: datetime = AFTER,
    earlier: Sequence[Look] = (),
    uses: Uses | None = None,
) -> Study:
    """The study of those rows."""
    data = Extract({"msg_turnaround": rows}, {"language": dict(language)})
    empty = uses_of([]) if uses is None else uses
    return Study(plan, tuple(assigned), MEASURES, ITEMS, data, empty, at, earlier, "d" * 64)


def clinics(count: int) -> list[str]:
    return [f"Location/c{n:02}" for n in range(count)]


def halves(units: Sequence[str], **more: object) -> list[Assignment]:
    """Every second unit has the intervention."""
    made = [Assignment(plan="made", unit=unit, arm="control", stratum="all") for unit in units]
    return [replace(one, arm="intervention") if at % 2 else one for at, one in enumerate(made)]


def staggered(units: Sequence[str], days: Sequence[int | None]) -> list[Assignment]:
    """Units that start so many days after the start of the plan, in turn; ``None`` never."""
    found = []
    for at, unit in enumerate(units):
        day = days[at % len(days)]
        starts = None if day is None else START + timedelta(days=day)
        arm = "control" if day is None else "intervention"
        found.append(Assignment(plan="made", unit=unit, arm=arm, stratum="all", starts=starts))  # type: ignore[arg-type]
    return found
