"""Length of stay, observed over expected (measure M26)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._days import FAR_DAY
from careplane.measures._stays import STAYS, episodes
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="los_oe",
    title="Length of stay, observed over expected",
    definition=(
        "Nights of an inpatient episode (calendar days from admission to discharge; at least 1) over the nights that a "
        "reference expects for its reason. Stays that a transfer joins are one episode, from the first admission to "
        "the last discharge; stays that ended in death count. A group's figure is the sum of observed over the sum of "
        "expected nights, so a long expected stay weighs more. The reference is a table of the site, "
        "reference/expected_stays.csv (code of the first reason, days; '*' for every other reason), for instance the "
        "geometric mean lengths by diagnosis group of the CMS inpatient rule or the site's own means of an earlier "
        "year; it must be fixed before the pilot starts. An episode that the reference does not know is missing."
    ),
    numerator="nights observed",
    denominator="nights expected by the reference",
    unit="ratio",
    direction="lower",
    mcid=0.05,
    mcid_source="a default of this library",
    aim="outcome",
    cadence_days=30,
    source="Encounter (class IMP): period, reasonCode, serviceProvider; reference/expected_stays.csv",
    citation=(
        "Indirect standardisation as a ratio of sums (Iezzoni, Risk Adjustment for Measuring Health Care Outcomes). "
        "Days as CMS counts them: the day of admission counts, that of discharge does not unless it is the same "
        "(42 CFR 409.10; Medicare Benefit Policy Manual, chapter 3, 20.1)."
    ),
    catalogue="M26",
    kind="ratio",
    row="inpatient episode",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per episode that ended."""
    care = episodes(tables["stays"])
    expected = tables["expected_stays"]
    known = expected.filter((expected.reason != "*") & (expected.days > 0)).select(code="reason", expected="days")
    other = expected.filter((expected.reason == "*") & (expected.days > 0)).aggregate(otherwise=expected.days.max())
    ended = care.filter((care.status == "finished") & (care.end_day < FAR_DAY))
    both = ended.left_join(known, ended.reason == known.code).cross_join(other)
    nights = (both.end_day - both.start_day).clip(1, None).cast("float64")
    days = both.expected.fill_null(both.otherwise)
    return both.select(
        key=both.id,
        cluster=both.cluster,
        patient=both.patient,
        clinician=both.clinician,
        at=both.end,
        value=nights / days,
        weight=days.fill_null(0.0),
    )


MEASURE = Measure(
    info=INFO,
    views={"stays": STAYS},
    rows=rows,
    missing="had a reason that the reference does not know",
    reads=("expected_stays",),
)
