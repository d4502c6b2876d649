"""Third-next-available appointment (measure M28)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._days import wall_day
from careplane.measures._weeks import monday
from careplane.measures.third_next.views import BOOKINGS, SCHEDULES, SLOTS
from careplane.records.evidence import MeasureInfo

THIRD = 2

INFO = MeasureInfo(
    id="third_next",
    title="Third-next-available appointment",
    definition=(
        "Calendar days from the Monday of each week to the third open appointment of the clinic on or after that day "
        "(0: on the Monday itself). A slot was open on a Monday when no appointment for it had been made before that "
        "day; a busy slot without an appointment was never open. Appointments that were cancelled, entered in error or "
        "only proposed take no slot. Slots that were added later count as if they had been there. A week counts when "
        "the clinic has a slot in it; one with fewer than three open slots ahead is missing, which is worse than any "
        "number and is to be read beside it."
    ),
    numerator="days to the third open appointment, summed over clinic-weeks",
    denominator="clinic-weeks with at least three open appointments ahead",
    unit="d",
    direction="lower",
    mcid=1.0,
    mcid_source="a default of this library",
    aim="access",
    cadence_days=7,
    source="Slot.start, status and schedule; Schedule.actor (Location); Appointment.slot, created and status",
    citation="Third next available appointment of the Institute for Healthcare Improvement: the same day each week.",
    catalogue="M28",
    row="clinic-week",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per clinic and week."""
    offered = _offered(tables["slots"], tables["schedules"], tables["bookings"])
    weeks = offered.select(clinic=offered.cluster, week=monday(offered.day)).distinct()
    pairs = weeks.join(offered, weeks.clinic == offered.cluster)
    still = pairs.filter((pairs.day >= pairs.week) & (pairs.taken.isnull() | (pairs.taken >= pairs.week)))
    order = ibis.window(group_by=[still.clinic, still.week], order_by=[still.start, still.slot])
    ranked = still.mutate(place=ibis.row_number().over(order))
    third = ranked.filter(ranked.place == THIRD).select(at_clinic="clinic", in_week="week", day="day")
    both = weeks.left_join(third, [weeks.clinic == third.at_clinic, weeks.week == third.in_week])
    return both.select(
        key=both.clinic + "/" + both.week.cast("string"),
        cluster=both.clinic,
        patient=ibis.null("string"),
        clinician=ibis.null("string"),
        at=both.week * 86400,
        value=(both.day - both.week).cast("float64"),
    )


def _offered(slots: ibis.Table, schedules: ibis.Table, bookings: ibis.Table) -> ibis.Table:
    """Slots that were once open, with the day on which each was taken (null: not yet)."""
    kept = bookings.filter(~bookings.status.isin(("cancelled", "entered-in-error", "proposed", "waitlist")))
    made = kept.mutate(day=wall_day(kept.created))
    taken = made.group_by("slot").aggregate(taken=made.day.min())
    real = slots.filter(~slots.status.isin(("entered-in-error", "busy-unavailable")))
    both = real.join(schedules, real.schedule == schedules.id).left_join(taken, real.id == taken.slot)
    once = both.filter((both.status == "free") | both.taken.notnull())
    return once.select(slot="id", cluster="clinic", start="start", day=wall_day(once.start), taken="taken")


MEASURE = Measure(
    info=INFO,
    views={"slots": SLOTS, "schedules": SCHEDULES, "bookings": BOOKINGS},
    rows=rows,
    missing="had fewer than three open appointments ahead",
)
