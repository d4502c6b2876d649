"""Clinicians who left within twelve months (measure M35)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._days import first_day, year_of
from careplane.records.evidence import MeasureInfo

CLINICIANS = ("physician", "advanced_practice", "nurse", "charge_nurse", "pharmacist", "therapist", "psychologist")

INFO = MeasureInfo(
    id="turnover",
    title="Clinicians who left in 12 months",
    definition=(
        "Of the clinicians on the HR roster on 1 January of a year: 1 if their last line of the roster ends by 31 "
        "December of that year, else 0. Every reason counts, retirement and death too; a move to another unit or "
        "another job of a clinician is no departure as long as a line goes on. Who was hired and left between two "
        "first days of January is never counted. A year that the roster does not yet cover is missing for those who "
        "have not left. Numbers are small: read several years, never single units under 11."
    ),
    numerator="clinicians whose employment ends in the year",
    denominator="clinicians employed on 1 January",
    unit="proportion",
    direction="lower",
    mcid=0.02,
    mcid_source="a default of this library",
    aim="cost",
    cadence_days=365,
    source="the HR roster (erp_files, staff.csv): person, job, hired_on, left_on, as_of",
    citation="Measure M35. What a departure costs is a PERT estimate of the value room, not part of this measure.",
    catalogue="M35",
    kind="proportion",
    row="clinician-year",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per clinician and year."""
    staff = tables["staff"]
    lines = staff.filter(staff.job.isin(CLINICIANS) & staff.hired_day.notnull())
    marked = lines.mutate(open=lines.left_day.isnull().ifelse(1, 0).cast("int64"))
    people = marked.group_by("person").aggregate(
        hired=marked.hired_day.min(),
        last=marked.left_day.max(),
        open=marked.open.max(),
        known=marked.as_of_day.max(),
        unit=marked.unit.min(),
    )
    years = _years(lines)
    both = people.join(years, people.hired <= years.begins)
    gone = (both.open == 0).ifelse(both["last"], ibis.null("int64"))
    there = both.mutate(gone=gone).filter(gone.isnull() | (gone >= both.begins))
    left = (there.gone < there.after).fill_null(False)
    open_year = ~left & (there.known < there.after - 1).fill_null(True)
    return there.select(
        key=there.person + "/" + there.year.cast("string"),
        cluster=there.unit,
        patient=ibis.null("string"),
        clinician=there.person,
        at=there.begins * 86400,
        value=open_year.ifelse(ibis.null("float64"), left.ifelse(1.0, 0.0)),
    )


def _years(lines: ibis.Table) -> ibis.Table:
    """The calendar years from the first to the last day that the roster knows, at most 64."""
    days = ibis.union(lines.select(day="hired_day"), lines.select(day="left_day"), lines.select(day="as_of_day"))
    span = days.aggregate(earliest=days.day.min(), latest=days.day.max())
    places = span.select(first=year_of(span.earliest), final=year_of(span.latest))
    eights = ibis.union(*(places.select(eights=ibis.literal(number).cast("int64") * 8) for number in range(8)))
    ones = ibis.union(*(places.select(ones=ibis.literal(number).cast("int64")) for number in range(8)))
    counted = places.cross_join(eights).cross_join(ones)
    every = counted.select("final", year=counted["first"] + counted.eights + counted.ones)
    years = every.filter(every.year <= every.final)
    return years.select("year", begins=first_day(years.year * 12), after=first_day(years.year * 12 + 12))


MEASURE = Measure(
    info=INFO,
    views={},
    rows=rows,
    missing="had a year that the roster does not cover yet",
    follow_up_days=365,
    reads=("staff",),
)
