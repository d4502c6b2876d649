"""Discharge before noon: the share of inpatient stays that end before 12:00 local time."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure, epoch_seconds, wall_seconds
from careplane.measures.discharge_before_noon.views import STAYS
from careplane.records.evidence import MeasureInfo

NOON = 12 * 3600

INFO = MeasureInfo(
    id="discharge_before_noon",
    title="Discharge before noon",
    definition=(
        "Of the inpatient stays that ended: 1 if the wall time of the end is before 12:00:00, else 0. The wall time is "
        "the one that the record carries, so no time zone is assumed. The time of the event is the end of the stay."
    ),
    numerator="inpatient stays that ended before 12:00 local time",
    denominator="inpatient stays that ended in the window",
    unit="proportion",
    direction="higher",
    mcid=0.05,
    aim="process",
    cadence_days=7,
    source="Encounter (class IMP, status finished), period.end and the first location",
    citation="Use case 17 of the starter catalogue. The smallest worthwhile change of 5 points is a default.",
    kind="proportion",
    row="inpatient stay",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per finished inpatient stay."""
    stays = tables["stays"]
    return stays.select(
        key=stays.id,
        cluster=stays.cluster,
        patient=stays.patient,
        clinician=stays.clinician,
        at=epoch_seconds(stays.ended),
        value=(wall_seconds(stays.ended) % 86400 < NOON).ifelse(1.0, 0.0),
    )


MEASURE = Measure(info=INFO, views={"stays": STAYS}, rows=rows, missing="had no end")
