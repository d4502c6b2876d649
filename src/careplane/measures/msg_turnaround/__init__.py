"""Reply turnaround: business hours from a patient's portal message to the first reply (measure M22)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Column, Measure, epoch_seconds, offset_seconds
from careplane.measures.msg_turnaround.views import MESSAGES, REPLIES
from careplane.records.evidence import MeasureInfo

OPENS = 8 * 3600
DAY = 10 * 3600
WEEK = 5 * DAY

INFO = MeasureInfo(
    id="msg_turnaround",
    title="Reply turnaround",
    definition=(
        "Business hours (Monday to Friday, 08:00 to 18:00 in the wall time of the message) from a patient's portal "
        "message to the first completed reply. A message without a reply is missing, not zero; it is counted and "
        "reported by arm."
    ),
    numerator="business hours from sent to first reply, summed over replied messages",
    denominator="patient messages of the window that have a reply",
    unit="h",
    direction="lower",
    mcid=1.0,
    aim="patient experience",
    cadence_days=7,
    source="Communication (sender Patient) and Communication.inResponseTo",
    citation="Measure M22; NYU Langone 2025 found -6.8 %. The smallest worthwhile change of 1 h is a default.",
    catalogue="M22",
    row="message",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per patient message."""
    messages, replies = tables["messages"], tables["replies"]
    answered = replies.select(message=replies.message, replied=epoch_seconds(replies.sent))
    first = answered.group_by("message").aggregate(replied=answered.replied.min())
    asked = messages.mutate(at=epoch_seconds(messages.sent), offset=offset_seconds(messages.sent))
    both = asked.left_join(first, asked.id == first.message)
    taken = business_seconds(both.replied + both.offset) - business_seconds(both["at"] + both.offset)
    return both.select(
        key=both.id,
        cluster=both.cluster,
        patient=both.patient,
        clinician=both.clinician,
        at=both["at"],
        value=taken.cast("float64") / 3600.0,
    )


def business_seconds(wall: Column) -> Column:
    """Business seconds since Monday 29 December 1969, in integer arithmetic; 1970-01-01 was a Thursday."""
    days = (wall // 86400).cast("int64") + 3
    weekday = days % 7
    today = (wall % 86400 - OPENS).clip(0, DAY)
    return (days // 7).cast("int64") * WEEK + weekday.clip(0, 5) * DAY + (weekday < 5).ifelse(today, 0)


MEASURE = Measure(
    info=INFO,
    views={"messages": MESSAGES, "replies": REPLIES},
    rows=rows,
    missing="had no reply",
    follow_up_days=7,
)
