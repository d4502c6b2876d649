"""Emergency, urgent or unplanned inpatient return within 14 days of a clinic visit (measure M25)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure, epoch_seconds
from careplane.measures._days import wall_day
from careplane.measures.revisit14.views import RETURNS, VISITS
from careplane.records.evidence import MeasureInfo

DAYS = 14
URGENT = ("UR", "EM")
"""``Encounter.priority`` (v3-ActPriority): urgent, emergency."""
URGENT_CARE = "702927004"
"""SNOMED CT: urgent care clinic visit, as ``Encounter.type``."""

INFO = MeasureInfo(
    id="revisit14",
    title="Urgent return in 14 days",
    definition=(
        "Of the clinic and virtual visits that ended: 1 if the patient has, after the end of the visit and up to 14 "
        "calendar days later, an emergency encounter, an urgent visit (priority urgent or emergency, or an urgent care "
        "clinic) or an inpatient stay that is not elective, else 0. A visit that is itself urgent is an index visit "
        "too. A return that began before the visit ended is not counted: it belongs to the visit. A return counts for "
        "every visit of the 14 days before it. Whether the cause was the same is not asked."
    ),
    numerator="visits with an emergency, urgent or unplanned inpatient return within 14 days",
    denominator="ambulatory and virtual visits that ended in the window",
    unit="proportion",
    direction="lower",
    mcid=0.005,
    mcid_source="a default of this library",
    aim="outcome",
    cadence_days=7,
    source="Encounter (class AMB, VR; EMER, IMP, ACUTE, AMB and VR as returns): period, priority, type",
    citation="Measure M25; the Penda Health trial (2025) reports treatment failure of 2.2 % and 2.0 %.",
    catalogue="M25",
    kind="proportion",
    row="visit",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per visit."""
    every, returns = tables["visits"], tables["returns"]
    visits = every.filter(every["class"].isin(("AMB", "VR")))
    seen = visits.mutate(end=epoch_seconds(visits.ended), end_day=wall_day(visits.ended))
    inpatient = returns["class"].isin(("IMP", "ACUTE"))
    urgent = returns.priority.isin(URGENT).fill_null(False) | (returns.type == URGENT_CARE).fill_null(False)
    elective = (returns.priority == "EL").fill_null(False)
    real = returns.status.isin(("finished", "in-progress", "onleave", "arrived", "triaged"))
    counted = returns.filter(real & ((returns["class"] == "EMER") | (inpatient & ~elective) | (~inpatient & urgent)))
    came = counted.select(
        who=counted.patient, back=counted.id, start=epoch_seconds(counted.began), day=wall_day(counted.began)
    )
    pairs = seen.join(came, [seen.patient == came.who])
    near = pairs.filter(
        (pairs.start >= pairs.end) & (pairs.day - pairs.end_day <= DAYS) & (pairs.back != pairs.id)
    ).select("id")
    returned = near.group_by("id").aggregate(times=near.id.count()).rename(visit="id")
    both = seen.left_join(returned, seen.id == returned.visit)
    return both.select(
        key=both.id,
        cluster=both.cluster,
        patient=both.patient,
        clinician=both.clinician,
        at=both.end,
        value=both.times.notnull().ifelse(1.0, 0.0),
    )


MEASURE = Measure(
    info=INFO,
    views={"visits": VISITS, "returns": RETURNS},
    rows=rows,
    missing="had no end",
    follow_up_days=DAYS,
)
