"""Allowed cost per attributed member and month, winsorised (measure M34)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Column, Measure
from careplane.measures._days import FAR_DAY, first_day, month_of, wall_day
from careplane.measures.pmpm_cost.views import BENEFITS, COVERAGES, MEMBERS
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="pmpm_cost",
    title="Allowed cost per member and month",
    definition=(
        "Allowed amount (total of category 'eligible') of all adjudicated claims of a member in a calendar month, by "
        "the first day of service, over the part of the month that the member was covered. Negative adjustments count "
        "with their sign; cancelled claims and claims without an allowed amount do not. A month counts when anybody "
        "has a claim in it; a covered member without a claim then has 0. Coverages of one member that meet or overlap "
        "count each day at most once a month. A month's cost above the 99th percentile of all member-months (nearest "
        "rank) is set to that percentile. A group's figure is the sum of costs over the sum of covered months. Costs "
        "outside covered months are left out. The member belongs to the managing organisation and general "
        "practitioner of the Patient record."
    ),
    numerator="allowed cost in USD, winsorised",
    denominator="member-months, parts of months as parts",
    unit="USD PMPM",
    direction="lower",
    mcid=10.0,
    mcid_source="a default of this library",
    aim="cost",
    cadence_days=30,
    source="ExplanationOfBenefit.total (eligible), billablePeriod; Coverage.period; Patient",
    citation="Measure M34. Amounts as in the adjudication codes of HL7 and CARIN Blue Button.",
    catalogue="M34",
    kind="ratio",
    row="member-month",
    scale="log",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per member and month."""
    costs = _costs(tables["benefits"])
    covered = _covered(tables["coverages"], costs.select(of="month").distinct())
    both = covered.left_join(costs, [covered.patient == costs.who, covered.of == costs.month])
    months = both.select("patient", "of", "days", "length", cost=both.cost.fill_null(0.0))
    capped = months.cross_join(_cap(months))
    members = tables["members"]
    whole = capped.left_join(members, capped.patient == members.id)
    share = whole.days.cast("float64") / whole.length.cast("float64")
    number = (whole.of % 12 + 101).cast("string").right(2)
    return whole.select(
        key=whole.patient + "/" + (whole.of // 12).cast("int64").cast("string") + "-" + number,
        cluster=whole.cluster,
        patient=whole.patient,
        clinician=whole.clinician,
        at=first_day(whole.of) * 86400,
        value=ibis.least(whole.cost, whole.cap) / share,
        weight=share,
    )


def _costs(benefits: ibis.Table) -> ibis.Table:
    """What was allowed for ``who`` in which ``month``."""
    known = benefits.filter(benefits.allowed.notnull())
    dated = known.mutate(month=month_of(ibis.coalesce(known.served, known.created)))
    return dated.group_by(who="patient", month="month").aggregate(cost=dated.allowed.sum())


def _covered(coverages: ibis.Table, months: ibis.Table) -> ibis.Table:
    """``patient``, month ``of``, covered ``days`` of it and its ``length`` in days."""
    spans = coverages.select(
        "patient", first=wall_day(coverages.starts), until=wall_day(coverages.ends).fill_null(FAR_DAY)
    )
    known = months.mutate(begins=first_day(months.of), after=first_day(months.of + 1))
    both = spans.join(known, [spans["first"] < known.after, spans["until"] >= known.begins])
    last: Column = ibis.least(both["until"] + 1, both.after)
    days = last - ibis.greatest(both["first"], both.begins)
    cut = both.mutate(days=days, length=both.after - both.begins)
    total = cut.filter(cut.days > 0).group_by(["patient", "of", "length"]).aggregate(days=cut.days.sum())
    return total.mutate(days=ibis.least(total.days, total.length))


def _cap(months: ibis.Table) -> ibis.Table:
    """The 99th percentile of cost by nearest rank, exact on every engine (a quantile may be approximate)."""
    order = ibis.window(order_by=[months.cost, months.patient, months.of])
    ranked = months.mutate(place=ibis.row_number().over(order) + 1)
    counted = ranked.cross_join(months.aggregate(n=months.cost.count()))
    ninety_ninth = counted.filter(counted.place == ((counted.n * 99 + 99) // 100).cast("int64"))
    return ninety_ninth.aggregate(cap=ninety_ninth.cost.max())


MEASURE = Measure(
    info=INFO,
    views={"coverages": COVERAGES, "benefits": BENEFITS, "members": MEMBERS},
    rows=rows,
    missing="had no covered day",
    follow_up_days=90,
)
