"""The rates of an evaluation and of adjudicated readings: errors per 100 outputs by class, with intervals."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from careplane.evidence.equity import withheld
from careplane.evidence.quality.errors import error_count
from careplane.evidence.quality.rates import (
    Drawn,
    domain_rate_per_100,
    drawn,
    evenly,
    mean_of,
    rate_per_100,
    share,
    unknown,
)
from careplane.records.quality import Adjudication, ErrorClass, EvaluatedOutput, Mark, Rate

ALWAYS: tuple[ErrorClass, ...] = (
    "fabrication",
    "omission",
    "wrong_value",
    "wrong_negation",
    "wrong_laterality",
    "wrong_attribution",
    "unsafe_advice",
    "stigmatising",
    "wrong_level",
    "privacy_leak",
)
ALL_ERRORS = "errors"
"""Fabrications, omissions and inaccuracies together, as measure M18 counts them."""
SMALL_CELL = 11


def class_rates(marks: Sequence[Sequence[Mark]], of: Drawn) -> tuple[Rate, ...]:
    """Errors per 100 outputs: all of M18, then by class."""
    total = rate_per_100(ALL_ERRORS, [error_count(one) for one in marks], of)
    return (total, *(rate_per_100(kind, [_of_kind(one, kind) for one in marks], of) for kind in ALWAYS))


def _of_kind(marks: Iterable[Mark], kind: ErrorClass) -> int:
    return sum(mark.kind == kind for mark in marks)


def rates_of(outputs: Sequence[EvaluatedOutput], *, drawn_by_risk: bool) -> tuple[Rate, ...]:
    """The rates of an evaluation. Repeats of one case count as its mean, so that a case is one observation."""
    written = [output for output in outputs if not output.seeded and not output.failed]
    asked = [output for output in outputs if not output.seeded]
    seeded = [output for output in outputs if output.seeded]
    rates = list(_weighted(written) if drawn_by_risk and written else _of_cases(written))
    rates.append(share("failed", [bool(output.failed) for output in asked], evenly(len(asked))))
    if seeded:
        rates.append(share("seeded faults caught", [bool(one.caught) for one in seeded], evenly(len(seeded))))
    return tuple(rates)


def _weighted(outputs: Sequence[EvaluatedOutput]) -> tuple[Rate, ...]:
    of = drawn([one.stratum for one in outputs], [one.stratum_size for one in outputs])
    signed = [one for one in outputs if one.distance is not None]
    distance = unknown("edit distance", "share", "no drawn output was signed")
    if signed:
        distance = mean_of(
            "edit distance", [one.distance or 0.0 for one in signed], [1 / one.probability for one in signed]
        )
    return (
        *class_rates([one.marks for one in outputs], of),
        rate_per_100("critical findings", [one.critical for one in outputs], of),
        distance,
    )


def _of_cases(outputs: Sequence[EvaluatedOutput]) -> tuple[Rate, ...]:
    """Cases, or runs written again: repeats are one observation, weighted by how likely the run was to be drawn."""
    by_case: dict[str, list[EvaluatedOutput]] = {}
    for output in outputs:
        by_case.setdefault(output.key, []).append(output)
    cases = list(by_case.values())
    weights = [1 / case[0].probability for case in cases]

    def rate(name: str, count: Callable[[EvaluatedOutput], int]) -> Rate:
        return domain_rate_per_100(name, [_mean([count(one) for one in case]) for case in cases], weights)

    return (
        rate(ALL_ERRORS, lambda one: error_count(one.marks)),
        *(rate(kind, partial(_count_of, kind)) for kind in ALWAYS),
        rate("critical findings", lambda one: one.critical),
        unknown("edit distance", "share", "what was written for an evaluation is not signed by anybody"),
    )


def _count_of(kind: ErrorClass, output: EvaluatedOutput) -> int:
    return _of_kind(output.marks, kind)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def drawn_of(found: Sequence[Adjudication]) -> Drawn:
    """How adjudicated outputs were drawn; several samples stand beside each other as strata of their own."""
    return drawn([f"{one.sample}: {one.stratum}" for one in found], [one.stratum_size for one in found])


def adjudicated_rates(found: Sequence[Adjudication]) -> tuple[Rate, ...]:
    """The rates of what people settled, weighted back to all outputs that could have been drawn."""
    return class_rates([one.marks for one in found], drawn_of(found)) if found else ()


def rates_by_group(found: Sequence[tuple[Adjudication, str]], small: int = SMALL_CELL) -> dict[str, Rate]:
    """All errors per 100 outputs in each group of one dimension; small groups are withheld, and as many more as it
    takes so that none can be derived."""
    members: dict[str, list[Adjudication]] = {}
    for one, group in found:
        members.setdefault(group, []).append(one)
    hidden = withheld({name: (len(part), len(part)) for name, part in members.items()}, small)
    rates: dict[str, Rate] = {}
    for name, part in sorted(members.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        why = hidden.get(name, "").replace("in an arm", "outputs read")
        rates[name] = unknown(name, "per 100 outputs", why) if why else _in_group(name, part)
    return rates


def _in_group(name: str, part: Sequence[Adjudication]) -> Rate:
    return domain_rate_per_100(name, [one.errors for one in part], [1 / one.probability for one in part])
