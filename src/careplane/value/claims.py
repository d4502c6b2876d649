"""Claim netting: two apps must not both claim the same minutes of the same department."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from careplane.records import Record
from careplane.records.money import ValueLine


class DoubleClaim(Record, frozen=True):
    """Two items that claim the same measure in the same departments. ``overstated`` is the smaller claim (USD a year),
    which a net sum must leave out until somebody shows that the minutes differ."""

    first: str
    second: str
    measure: str
    departments: tuple[str, ...]
    overstated: float


def double_claims(lines: Sequence[ValueLine], departments: Mapping[str, Sequence[str]]) -> list[DoubleClaim]:
    """The pairs of claims that overlap; ``departments`` are those of each item."""
    totals: dict[tuple[str, str], float] = {}
    for line in lines:
        key = (line.item, line.measure)
        totals[key] = totals.get(key, 0.0) + line.usd_per_year
    claims = sorted(key for key, usd in totals.items() if usd > 0)
    found = []
    for (first, measure), (second, other) in combinations(claims, 2):
        shared = tuple(sorted(set(departments.get(first, ())) & set(departments.get(second, ()))))
        if first != second and measure == other and shared:
            smaller = min(totals[first, measure], totals[second, measure])
            found.append(
                DoubleClaim(first=first, second=second, measure=measure, departments=shared, overstated=smaller)
            )
    return found
