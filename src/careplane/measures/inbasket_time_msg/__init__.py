"""In-basket time: audited seconds of reading and replying per patient message (measure M05)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Column, Measure, epoch_seconds
from careplane.measures._activity import AUDIT, active_spans
from careplane.measures.inbasket_time_msg.views import MESSAGES
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="inbasket_time_msg",
    title="In-basket time per message",
    definition=(
        "Active seconds of all people on a patient's portal message, reading and replying. Time is active by the "
        "audit log: an event's period, or the time to the next event of the same person, none when that came more "
        "than five minutes later. Of one person two spans that overlap count once. A message on which nothing was "
        "audited has no value. Review of drafts outside the EHR is not in it: see message_minutes."
    ),
    numerator="active seconds on the message",
    denominator="patient messages of the window with any audited event",
    unit="s/message",
    direction="lower",
    mcid=30.0,
    aim="provider experience",
    cadence_days=7,
    source="AuditEvent.entity of the Communication; Communication (sender Patient)",
    citation=(
        "A study of AI-drafted replies (UCSD 2024) saw read time rise about 22 %. Inactivity rule: see Rule, Chiang "
        "and Hribar, JAMIA 2020;27:480-490."
    ),
    catalogue="M05",
    row="message",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per patient message."""
    messages, spans = tables["messages"], active_spans(tables["audit"])
    on = spans.filter(spans.message.notnull())
    # the part of a span that no earlier span of the same person and message covers
    covered = on.stop.max().over(rows=(None, -1), group_by=["person", "message"], order_by=["start", "stop"])
    apart = on.mutate(fresh=ibis.greatest(on.start, covered.fill_null(on.start)))
    seconds: Column = ibis.greatest(apart.stop - apart.fresh, 0)
    total = apart.mutate(seconds=seconds).group_by(of=apart.message).aggregate(seconds=seconds.sum())
    both = messages.left_join(total, messages.id == total.of)
    return both.select(
        key=both.id,
        cluster=both.cluster,
        patient=both.patient,
        clinician=both.clinician,
        at=epoch_seconds(both.sent),
        value=both.seconds.cast("float64"),
    )


MEASURE = Measure(
    info=INFO,
    views={"audit": AUDIT, "messages": MESSAGES},
    rows=rows,
    missing="had no audited event",
    follow_up_days=7,
)
