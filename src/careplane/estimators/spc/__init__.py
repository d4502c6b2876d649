"""Statistical process control: limits of what a stable process shows, and the points that say that it changed.

Limits come from a baseline that is frozen: the first ``baseline`` points of a phase. A new phase begins where the
specification says so, with its reason. There are single values (XmR), proportions and rates with limits by size (p, u),
both widened for overdispersion (p', u' of Laney), and what lies between rare events: cases (g) or time (t).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from careplane.errors import InputError
from careplane.estimators import Floats
from careplane.estimators._frame import Frame, duplicated
from careplane.estimators._linear import finite
from careplane.estimators._spec import Assumption, Info, Key, Result, Spec
from careplane.estimators.spc._limits import SIZED, Limits, limits
from careplane.estimators.spc._rules import RULES

ENOUGH = 12
"""Points below which limits are still uncertain: the result says so."""

CHARTS = ("xmr", "p", "u", "p_prime", "u_prime", "g", "t")
VARIATION = {
    "none": "common cause variation: no sign that anything changed",
    "improvement": "special cause variation: an improvement",
    "concern": "special cause variation: a concern",
    "change": "special cause variation: a change, neither better nor worse",
}


def _example() -> Mapping[str, Sequence[Any]]:
    draws = np.random.default_rng(4)
    size = draws.integers(80, 140, 24)
    share = np.where(np.arange(24) < 18, 0.08, 0.2)
    weeks = [f"2026-W{week:02d}" for week in range(1, 25)]
    return {"week": weeks, "failed": draws.binomial(size, share).tolist(), "drafts": size.tolist()}


INFO = Info(
    name="spc",
    purpose="A control chart: limits from a frozen baseline, and the points at which a run rule says that it changed.",
    keys=(
        Key("outcome", "column", "the value, the number of events, or what lies between two events", needed=True),
        Key("size", "column", "of p and u charts: the cases or the exposure that the events are out of"),
        Key("time", "column", "the name of each point; by default its number"),
        Key("chart", "choice", "the kind of chart", default="xmr", choices=CHARTS),
        Key("rules", "choice", "the run rules", default="nhs", choices=tuple(RULES)),
        Key("better", "choice", "which way is good", default="neither", choices=("lower", "higher", "neither")),
        Key("baseline", "integer", "points of a phase that its limits come from; 0: all", default=0, least=0),
        Key("rebase", "mapping", "where a new phase begins: name of its first point, and why"),
        Key("target", "number", "the target, for the assurance"),
        Key("screen", "flag", "leave moving ranges above their own limit out of the spread", default=False),
    ),
    source="Montgomery, Statistical Quality Control; Laney 2002, Qual Eng 14:531; NHS England, Making Data Count",
    example={
        "estimator": "spc",
        "outcome": "failed",
        "size": "drafts",
        "time": "week",
        "chart": "p_prime",
        "better": "lower",
        "baseline": 12,
    },
    made=_example,
)


def estimate(frame: Frame, spec: Spec) -> Result:
    """The chart. ``estimate`` is the centre of the newest phase, ``ci_low`` and ``ci_high`` its limits at the newest
    point; ``details`` holds ``points``, ``phases``, ``signals``, ``variation`` and ``assurance``.

    Raises:
        InputError: a column does not fit the chart, a name of ``rebase`` is no point, or a phase has one point.
    """
    used = frame.complete([spec[name] for name in ("outcome", "size", "time") if name in spec])
    outcome, size = _columns(used, spec)
    names = _names(used, spec)
    starts = _starts(names, spec)
    points: list[dict[str, Any]] = []
    phases, signals, warnings = [], [], []
    for number, (begin, reason) in enumerate(starts):
        end = starts[number + 1][0] if number + 1 < len(starts) else len(names)
        if end - begin < 2:
            raise InputError(f"the phase that begins at {names[begin]} has one point; limits need two", field="rebase")
        base = min(spec["baseline"] or end - begin, end - begin)
        if base < 2:
            raise InputError("must be 0 (all points) or at least 2", field="baseline")
        part = slice(begin, end)
        found = limits(spec["chart"], outcome[part], size[part], base, spec["screen"])
        told = _signals(found, names[part], spec)
        points += _points(found, names[part], size[part], spec, number, told)
        signals += told
        phases.append(_phase(found, names[begin], reason, base))
        warnings += _warnings(found, names[begin], base)
    last = points[-1]
    return Result(
        method=f"{spec['chart'].replace('_prime', chr(39))} chart, rules {spec['rules'].replace('_', ' ')}",
        n=len(names),
        estimate=last["centre"],
        ci_low=last["low"],
        ci_high=last["high"],
        details={
            "points": points,
            "phases": phases,
            "signals": signals,
            "variation": VARIATION[_variation(signals, last["time"])],
            "assurance": _assurance(spec, last),
        },
        warnings=tuple(warnings),
        assumptions=(Assumption(name="points are in the order of time", held=None, text="Nothing is sorted."),),
        left_out=dict(used.left_out),
    )


def _columns(used: Frame, spec: Spec) -> tuple[Floats, Floats]:
    kind, outcome = spec["chart"], finite(used, spec["outcome"])
    if kind not in SIZED:
        if "size" in spec:
            raise InputError(f"is of p and u charts; chart {kind} takes none", field="size")
        if kind in ("g", "t"):
            _refuse(used, outcome < 0, spec["outcome"], "must not be negative")
        return outcome, np.ones(len(used))
    if "size" not in spec:
        raise InputError(f"is needed for chart {kind}: the cases or exposure that the events are out of", field="size")
    size = finite(used, spec["size"])
    _refuse(used, size <= 0, spec["size"], "must be more than 0")
    _refuse(used, outcome < 0, spec["outcome"], "must not be negative")
    if kind in ("p", "p_prime"):
        _refuse(used, outcome > size, spec["outcome"], "counts more events than cases; a rate takes a u chart")
    return outcome, size


def _refuse(used: Frame, wrong: Any, name: str, text: str) -> None:
    if wrong.any():
        raise InputError(f"{text} (line {used.line[int(np.argmax(wrong))]})", field=name)


def _names(used: Frame, spec: Spec) -> list[str]:
    if "time" not in spec:
        return [str(number) for number in range(1, len(used) + 1)]
    duplicated(used, spec["time"])
    codes, levels = used.labels(spec["time"])
    return [levels[code] for code in codes]


def _starts(names: list[str], spec: Spec) -> list[tuple[int, str]]:
    """Where phases begin, and why."""
    starts = {0: ""}
    for name, reason in (spec["rebase"] or {}).items():
        if str(name) not in names:
            raise InputError(f"names {name!r}, which is no point of the chart", field="rebase")
        if not isinstance(reason, str) or not reason.strip():
            raise InputError(f"must give the reason for the new phase at {name}", field="rebase")
        starts[names.index(str(name))] = reason.strip()
    return sorted(starts.items())


def _signals(found: Limits, names: list[str], spec: Spec) -> list[dict[str, Any]]:
    """What the rules mark: each stretch of points is a signal of its own."""
    told = []
    for rule in RULES[spec["rules"]]:
        for side in (1, -1) if rule.sided else (0,):
            marks = rule.marks(found.value if rule.name.startswith(("trend", "altern")) else found.z, side)
            for stretch in _stretches(np.flatnonzero(marks), len(names) if rule.name == "outside" else 1):
                told.append(
                    {
                        "rule": rule.name,
                        "text": rule.text,
                        "points": [names[i] for i in stretch],
                        "side": {1: "high", -1: "low", 0: ""}[side],
                        "means": _meaning(side, spec["better"]),
                    }
                )
    return told


def _stretches(marked: Any, gap: int) -> list[list[int]]:
    """Indices in groups; neighbours further apart than two of three or four of five allow part them, and points
    outside the limits stand alone."""
    groups: list[list[int]] = []
    for index in marked:
        if groups and gap == 1 and index - groups[-1][-1] <= 2:
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
    return groups


def _meaning(side: int, better: str) -> str:
    if better == "neither" or not side:
        return "change"
    return "improvement" if (side > 0) == (better == "higher") else "concern"


def _points(
    found: Limits, names: list[str], size: Floats, spec: Spec, phase: int, signals: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    sized = spec["chart"] in SIZED
    return [
        {
            "time": name,
            "value": float(found.value[i]),
            "size": float(size[i]) if sized else None,
            "centre": found.centre,
            "low": float(found.low[i]),
            "high": float(found.high[i]),
            "phase": phase,
            "rules": [one["rule"] for one in signals if name in one["points"]],
        }
        for i, name in enumerate(names)
    ]


def _phase(found: Limits, name: str, reason: str, base: int) -> dict[str, Any]:
    return {
        "from": name,
        "reason": reason,
        "baseline_points": base,
        "centre": found.centre,
        "sigma_z": found.sigma_z,
    }


def _warnings(found: Limits, name: str, base: int) -> list[str]:
    told = []
    if base < ENOUGH:
        told.append(f"The limits from {name} rest on {base} points; below {ENOUGH} they are uncertain.")
    if float(np.max(found.high - found.low)) == 0:
        told.append(f"The baseline from {name} does not vary, so every later change lies outside the limits.")
    return told


def _variation(signals: list[dict[str, Any]], last: str) -> str:
    """What the newest point says: a concern before an improvement before a change."""
    means = {one["means"] for one in signals if last in one["points"]}
    return next((one for one in ("concern", "improvement", "change") if one in means), "none")


def _assurance(spec: Spec, last: dict[str, Any]) -> str:
    """Whether the process, as it runs now, will meet the target."""
    if "target" not in spec or spec["better"] == "neither":
        return "no target is set"
    target, higher = spec["target"], spec["better"] == "higher"
    if last["low"] <= target <= last["high"]:
        return "hit and miss: the target lies within the limits"
    meets = (target < last["low"]) == higher
    return f"the process will consistently {'meet' if meets else 'miss'} the target"
