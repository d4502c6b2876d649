"""Time in notes: audited minutes of note activity per completed visit (measure M01)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure, epoch_seconds, offset_seconds
from careplane.measures._activity import VIEWS, clinician_weeks, monday, places, week_of
from careplane.measures.time_in_note.views import VISITS
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="time_in_note",
    title="Time in notes per visit",
    definition=(
        "Minutes of active work on notes (DocumentReference, Composition) per completed clinic visit, by clinician "
        "and week. Time is active by the audit log: an event's period, or the time to the next event of the same "
        "person, none when that came more than five minutes later. A week without audited activity or without a visit"
        " has no value."
    ),
    numerator="active minutes on notes",
    denominator="ambulatory visits of the clinician that ended in the week",
    unit="min/visit",
    direction="lower",
    mcid=0.5,
    aim="provider experience",
    cadence_days=7,
    source="AuditEvent; Encounter (class AMB, finished); PractitionerRole for the unit",
    citation=(
        "Primary outcome of a randomised scribe trial (UCLA), on the log scale; expect -2 to -10 %. Inactivity rule: "
        "see Rule, Chiang and Hribar, JAMIA 2020;27:480-490."
    ),
    catalogue="M01",
    kind="ratio",
    row="clinician and week",
    scale="log",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per clinician and week with a visit or with audited work."""
    weeks, visits = clinician_weeks(tables), tables["visits"]
    ended, offset = epoch_seconds(visits.ended), offset_seconds(visits.ended)
    dated = visits.filter(visits.clinician.notnull()).mutate(week=week_of(ended, offset), offset=offset)
    none = ibis.literal(0, type="int64")
    facts = ibis.union(
        weeks.select(
            person=weeks.person, week=weeks.week, at=weeks["at"], active=weeks.active, note=weeks.note, visits=none
        ),
        dated.select(
            person=dated.clinician,
            week=dated.week,
            at=monday(dated.week, dated.offset),
            active=none,
            note=none,
            visits=ibis.literal(1, type="int64"),
        ),
    )
    summed = facts.group_by(["person", "week"]).aggregate(
        at=facts["at"].min(), active=facts.active.sum(), note=facts.note.sum(), visits=facts.visits.sum()
    )
    where = places(tables)
    found = summed.left_join(where, summed.person == where.of)
    known = (found.visits > 0) & (found.active > 0)
    per_visit = found.note.cast("float64") / 60.0 / found.visits.nullif(0).cast("float64")
    return found.select(
        key=found.person + "/" + found.week.cast("string"),
        cluster=found.place,
        patient=ibis.null("string"),
        clinician=found.person,
        at=found["at"],
        value=known.ifelse(per_visit, ibis.null("float64")),
        weight=known.ifelse(found.visits.cast("float64"), 0.0),
    )


MEASURE = Measure(
    info=INFO,
    views={**VIEWS, "visits": VISITS},
    rows=rows,
    missing="had no audited activity or no completed visit",
)
