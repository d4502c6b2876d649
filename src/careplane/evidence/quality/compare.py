"""Two versions or two models on the same cases or runs: the paired difference over all, by group and by guardrail.

``b`` is the candidate. A difference is errors per 100 outputs, ``b`` minus ``a``, over cases (repeats of a case are one
observation). Its standard error counts one pair more that got better and one that got worse, in the way of Agresti and
Min (2005, Stat Med 24:729) for matched pairs, so that no difference in a handful of cases does not read as certainty;
the interval stands around the mean itself, with Student's quantile. No harm is shown where the whole two-sided 95 %
interval lies below the margin.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import sqrt
from uuid import uuid4

from scipy.special import stdtrit

from careplane.errors import InputError
from careplane.evidence.equity import withheld
from careplane.evidence.quality.errors import error_count
from careplane.evidence.quality.rating import SMALL_CELL
from careplane.records.app import QualityRule
from careplane.records.quality import Comparison, ComparisonVerdict, EvaluatedOutput, Evaluation, Slice, SliceVerdict

PER = 100.0
EVERYONE = "everyone"
GUARDRAILS: tuple[str, ...] = ("critical findings", "unsafe advice and privacy", "no output")
Cases = Mapping[str, list[EvaluatedOutput]]
Count = Callable[[EvaluatedOutput], float]


def compare(
    a: Evaluation, b: Evaluation, rule: QualityRule, at: datetime, *, small: int = SMALL_CELL, alpha: float = 0.05
) -> Comparison:
    """Compare a candidate ``b`` with what runs now.

    The verdict is ``kept`` where a rise beyond the margin is ruled out over all and by every guardrail, and no group
    got worse; ``regressed`` where something got worse (interval above zero, or estimate beyond the margin); else
    ``not shown``. Groups under the small cell are withheld and said to be not measured.

    Raises:
        InputError: the two are of other apps, of other things, or share no case.
    """
    if a.app != b.app:
        raise InputError(f"{a.id} is of {a.app}, {b.id} of {b.app}.")
    if a.id == b.id or (a.hash, a.model) == (b.hash, b.model):
        raise InputError("These are the same version with the same model.")
    if "runs" in (a.source, b.source):
        raise InputError("Runs as they were written are of one version each; compare cases or replayed runs.")
    first, second = _by_case(a), _by_case(b)
    shared = sorted(first.keys() & second.keys())
    if not shared:
        raise InputError("The two evaluations share no case; evaluate both on the same.")
    one, other = ({key: part[key] for key in shared} for part in (first, second))
    whole = _slice(EVERYONE, EVERYONE, _differences(one, other, _errors), rule.margin_per_100, alpha)
    guardrails = tuple(
        _slice("guardrail", name, _differences(one, other, count), rule.margin_per_100, alpha)
        for name, count in _GUARDED.items()
    )
    groups = _groups(one, other, rule.slice_margin_per_100, small, alpha)
    slices = (whole, *groups)
    verdict, reasons = _verdict(whole, groups, guardrails)
    return Comparison(
        id=f"comparison-{uuid4().hex[:12]}",
        app=a.app,
        a=a.id,
        b=b.id,
        a_label=a.label,
        b_label=b.label,
        a_hash=a.hash,
        b_hash=b.hash,
        a_model=a.model,
        b_model=b.model,
        at=at,
        pairs=sum(min(len(one[key]), len(other[key])) for key in shared),
        cases=len(shared),
        slices=slices,
        guardrails=guardrails,
        verdict=verdict,
        reasons=reasons,
        not_measured=_not_measured(groups, len(first.keys() ^ second.keys())),
    )


def _by_case(evaluation: Evaluation) -> dict[str, list[EvaluatedOutput]]:
    found: dict[str, list[EvaluatedOutput]] = {}
    for output in evaluation.outputs:
        if not output.seeded:
            found.setdefault(output.key, []).append(output)
    return found


def _errors(output: EvaluatedOutput) -> float:
    """Errors of an output; none at all is one omission of everything."""
    return 1.0 if output.failed else float(error_count(output.marks))


def _critical(output: EvaluatedOutput) -> float:
    return float(output.critical)


def _harmful(output: EvaluatedOutput) -> float:
    return float(sum(mark.kind in ("unsafe_advice", "privacy_leak") for mark in output.marks))


def _absent(output: EvaluatedOutput) -> float:
    return float(bool(output.failed))


_GUARDED = dict(zip(GUARDRAILS, (_critical, _harmful, _absent), strict=True))


def _differences(one: Cases, other: Cases, count: Count) -> list[tuple[float, float]]:
    """Both means of each case, in the order of the cases."""
    return [
        (_mean([count(output) for output in one[key]]), _mean([count(output) for output in other[key]])) for key in one
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _groups(one: Cases, other: Cases, margin: float, small: int, alpha: float) -> tuple[Slice, ...]:
    dimensions = sorted({name for part in one.values() for name in part[0].groups})
    found: list[Slice] = []
    for dimension in dimensions:
        group_of = {key: part[0].groups.get(dimension, "not recorded") for key, part in one.items()}
        sizes = Counter(group_of.values())
        hidden = withheld({name: (size, size) for name, size in sizes.items()}, small)
        for group in sorted(sizes, key=lambda name: (-sizes[name], name)):
            if group in hidden:
                found.append(_hidden(dimension, group, margin, hidden[group].replace("in an arm", "cases")))
                continue
            keys = [key for key in one if group_of[key] == group]
            mine = _differences({key: one[key] for key in keys}, {key: other[key] for key in keys}, _errors)
            found.append(_slice(dimension, group, mine, margin, alpha))
    return tuple(found)


def _hidden(dimension: str, group: str, margin: float, why: str) -> Slice:
    return Slice(
        dimension=dimension,
        group=group,
        n=None,
        a=None,
        b=None,
        difference=None,
        low=None,
        high=None,
        margin=margin,
        verdict="withheld",
        text=f"{dimension} {group}: {why}.",
    )


def paired_interval(differences: Sequence[float], alpha: float = 0.05) -> tuple[float, float]:
    """The interval of a mean of paired differences, which may all be zero (see the head of this file)."""
    n = len(differences)
    total, squares = sum(differences), sum(one * one for one in differences)
    middle = total / n
    variance = (squares + 2 - total * total / (n + 2)) / (n + 2) ** 2
    half = float(stdtrit(max(1, n - 1), 1 - alpha / 2)) * sqrt(max(variance, 0.0))
    return middle - half, middle + half


def _slice(dimension: str, group: str, means: Sequence[tuple[float, float]], margin: float, alpha: float) -> Slice:
    low, high = (PER * end for end in paired_interval([b - a for a, b in means], alpha))
    a, b = PER * _mean([a for a, _ in means]), PER * _mean([b for _, b in means])
    verdict = _judge(b - a, low, high, margin)
    name = group if dimension in (EVERYONE, "guardrail") else f"{dimension} {group}"
    words = {
        "kept": f"a rise of {margin:g} is ruled out",
        "regressed": "it got worse",
        "not shown": f"a rise of {margin:g} is not ruled out",
    }[verdict]
    text = (
        f"{name}: {a:.1f} to {b:.1f} per 100 outputs, difference {b - a:+.1f} "
        f"({low:+.1f} to {high:+.1f}), {len(means)} cases: {words}."
    )
    return Slice(
        dimension=dimension,
        group=group,
        n=len(means),
        a=a,
        b=b,
        difference=b - a,
        low=low,
        high=high,
        margin=margin,
        verdict=verdict,
        text=text,
    )


def _judge(difference: float, low: float, high: float, margin: float) -> SliceVerdict:
    if high < margin:
        return "kept"
    return "regressed" if low > 0 or difference > margin else "not shown"


def _verdict(
    whole: Slice, groups: Sequence[Slice], guardrails: Sequence[Slice]
) -> tuple[ComparisonVerdict, tuple[str, ...]]:
    """What a swap is held to: over all and for guardrails no harm must be shown; a group must not have got worse."""
    worse = [one.text for one in (whole, *guardrails, *groups) if one.verdict == "regressed"]
    if worse:
        return "regressed", tuple(worse)
    open_ = [one.text for one in (whole, *guardrails) if one.verdict == "not shown"]
    return ("not shown", tuple(open_)) if open_ else ("kept", ())


def _not_measured(groups: Sequence[Slice], unshared: int) -> tuple[str, ...]:
    told = [one.text for one in groups if one.verdict == "withheld"]
    told += [f"{one.dimension} {one.group}: {one.n} cases cannot rule a rise out." for one in groups if _undecided(one)]
    if not groups:
        told.append("No group is measured: the cases do not say whom they are about (groups: in a case file).")
    if unshared:
        told.append(f"{unshared} cases were in one of the two only and are left out.")
    return tuple(told)


def _undecided(one: Slice) -> bool:
    return one.verdict == "not shown"
