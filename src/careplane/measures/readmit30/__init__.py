"""Unplanned readmission within 30 days of discharge (measure M24)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._days import FAR_DAY, wall_day
from careplane.measures._stays import STAYS, episodes
from careplane.measures.readmit30.views import DEATHS
from careplane.records.evidence import MeasureInfo

DAYS = 30
LEFT = ("aadvice", "exp")
"""Discharge dispositions of HL7 that are no index stay: left against advice, died."""

INFO = MeasureInfo(
    id="readmit30",
    title="Unplanned readmission in 30 days",
    definition=(
        "Of the inpatient episodes that ended alive and not against advice: 1 if the next inpatient episode of the "
        "patient begins 0 to 30 calendar days after the discharge and was not planned, else 0. Stays that a transfer "
        "joins are one episode, judged by its last discharge. An admission is planned when its priority is elective "
        "or its reason is radiotherapy, chemotherapy, immunotherapy, rehabilitation or delivery; where neither is "
        "recorded it counts as unplanned. Only the next admission counts: one that was planned ends the window. "
        "Observation and emergency visits are neither index stays nor readmissions. All ages and diagnoses; risk is "
        "not adjusted, so compare arms, not hospitals."
    ),
    numerator="index episodes whose next inpatient episode is unplanned and begins within 30 days",
    denominator="inpatient episodes of the window that ended alive, not against advice",
    unit="proportion",
    direction="lower",
    mcid=0.01,
    mcid_source="a default of this library",
    aim="outcome",
    cadence_days=30,
    source="Encounter (class IMP): period, priority, reason, hospital, discharge disposition; Patient.deceased",
    citation=(
        "After the CMS hospital-wide all-cause unplanned readmission measure and its Planned Readmission Algorithm 4.0 "
        "(Yale CORE). Simplified: of the algorithm only the elective mark and always-planned reasons; no age limit, "
        "no cohort by specialty, no risk adjustment."
    ),
    catalogue="M24",
    kind="proportion",
    row="index stay",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per index episode."""
    care = episodes(tables["stays"])
    order = ibis.window(group_by=care.patient, order_by=[care.start, care.end, care.id])
    paired = care.mutate(next_day=care.start_day.lead().over(order), next_planned=care.planned.lead().over(order))
    deaths = tables["deaths"]
    died = deaths.select(died_patient=deaths.patient, died_day=wall_day(deaths.died))
    both = paired.left_join(died, paired.patient == died.died_patient)
    alive = both.died_day.isnull() | (both.died_day > both.end_day)
    index = both.filter(
        (both.status == "finished") & (both.end_day < FAR_DAY) & alive & ~both.disposition.isin(LEFT).fill_null(False)
    )
    again = (index.next_day - index.end_day <= DAYS) & (index.next_planned == 0)
    return index.select(
        key=index.id,
        cluster=index.cluster,
        patient=index.patient,
        clinician=index.clinician,
        at=index.end,
        value=again.fill_null(False).ifelse(1.0, 0.0),
    )


MEASURE = Measure(
    info=INFO,
    views={"stays": STAYS, "deaths": DEATHS},
    rows=rows,
    missing="had no discharge",
    follow_up_days=DAYS,
)
