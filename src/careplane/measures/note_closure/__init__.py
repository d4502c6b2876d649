"""Note closure: the share of clinic visits whose note is final within 24 hours of the end (measure M06)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure, epoch_seconds
from careplane.measures.note_closure.views import NOTES, VISITS
from careplane.records.evidence import MeasureInfo

LIMIT = 24 * 3600

INFO = MeasureInfo(
    id="note_closure",
    title="Notes closed in 24 hours",
    definition=(
        "Of the clinic visits that ended: 1 if a final note of the visit is dated at most 24 hours after its end, else "
        "0. A visit without a final note counts as 0: a note that is never closed is what the measure is about."
    ),
    numerator="visits with a final DocumentReference within 24 hours of Encounter.period.end",
    denominator="ambulatory visits that ended in the window",
    unit="proportion",
    direction="higher",
    mcid=0.05,
    aim="provider experience",
    cadence_days=7,
    source="Encounter (class AMB, finished), DocumentReference.context.encounter with a LOINC type",
    citation="Measure M06. The smallest worthwhile change of 5 points is a default.",
    catalogue="M06",
    kind="proportion",
    row="visit",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per visit."""
    visits, notes = tables["visits"], tables["notes"]
    dated = notes.select(visit=notes.visit, closed=epoch_seconds(notes.date))
    first = dated.group_by("visit").aggregate(closed=dated.closed.min())
    both = visits.left_join(first, visits.id == first.visit)
    ended = epoch_seconds(both.ended)
    return both.select(
        key=both.id,
        cluster=both.cluster,
        patient=both.patient,
        clinician=both.clinician,
        at=ended,
        value=(both.closed - ended <= LIMIT).fill_null(False).ifelse(1.0, 0.0),
    )


MEASURE = Measure(
    info=INFO,
    views={"visits": VISITS, "notes": NOTES},
    rows=rows,
    missing="had no end",
    follow_up_days=2,
)
