"""Inpatient stays, and the episodes that stays with transfers make: one definition for readmission and length of stay.

Two stays of a patient are one episode when the later begins before the earlier ended; or at another hospital on the
day the earlier ended or the next (a transfer); or at the same hospital on the same day for the same recorded reason.
After the specifications of the CMS hospital-wide readmission measure (CORE, 2024), which combine stays so. A stay whose
hospital is not recorded is taken as of the same hospital as the one before.
"""

import ibis

from careplane.measures._days import FAR_DAY, wall_day
from careplane.measures._instants import epoch_seconds
from careplane.records import JSON

_PERSON = "participant.individual.getReferenceKey(Practitioner).first()"

STAYS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "inpatient_stays",
    "status": "active",
    "resource": "Encounter",
    "where": [{"path": "class.code = 'IMP'"}, {"path": "period.start.exists()"}, {"path": "subject.exists()"}],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "status", "path": "status", "type": "code"},
                {"name": "patient", "path": "subject.getReferenceKey(Patient)", "type": "id"},
                {"name": "clinician", "path": _PERSON, "type": "id"},
                {"name": "cluster", "path": "location.location.reference.first()", "type": "string"},
                {"name": "hospital", "path": "serviceProvider.reference", "type": "string"},
                {"name": "began", "path": "period.start", "type": "dateTime"},
                {"name": "ended", "path": "period.end", "type": "dateTime"},
                {"name": "priority", "path": "priority.coding.code.first()", "type": "code"},
                {"name": "reason", "path": "reasonCode.coding.code.first()", "type": "code"},
                {
                    "name": "disposition",
                    "path": "hospitalization.dischargeDisposition.coding.code.first()",
                    "type": "code",
                },
            ]
        }
    ],
}
"""Inpatient encounters, also those that have not ended. Observation (OBSENC), emergency and day visits are not."""

ELECTIVE = "EL"
"""``Encounter.priority`` (v3-ActPriority) of an admission that was planned."""

ALWAYS_PLANNED = ("Z51.0", "Z51.11", "Z51.12", "Z51.89", "O80", "O82")
"""ICD-10-CM reasons that make an admission planned whatever its priority: radiotherapy, chemotherapy, immunotherapy,
rehabilitation, delivery. After table PR.2 of the CMS Planned Readmission Algorithm 4.0."""


def episodes(stays: ibis.Table) -> ibis.Table:
    """Episodes of inpatient care.

    Args:
        stays: rows of :data:`STAYS`.

    Returns:
        One row per episode: ``id``, ``clinician``, ``cluster``, ``status``, ``ended`` (text), ``disposition``,
        ``reason`` of its last stay; ``start`` and ``end`` (epoch seconds, ``end`` far away when it has not ended),
        ``start_day`` and ``end_day`` (wall days); ``planned`` 1 when its first stay was, else 0.
    """
    real = stays.filter(stays.status.isin(("finished", "in-progress", "onleave", "arrived")))
    planned = (real.priority == ELECTIVE) | real.reason.isin(ALWAYS_PLANNED)
    dated = real.mutate(
        start=epoch_seconds(real.began),
        end=epoch_seconds(real.ended).fill_null(FAR_DAY * 86400),
        start_day=wall_day(real.began),
        end_day=wall_day(real.ended).fill_null(FAR_DAY),
        planned=planned.fill_null(False).ifelse(1, 0).cast("int64"),
        place=real.hospital.fill_null(""),
    )
    timed = dated.filter(dated.start.notnull())
    order = [timed.start, timed.end, timed.id]
    numbered = _numbered(timed, order)
    episode = ibis.window(group_by=[numbered.patient, numbered.episode])
    backwards = ibis.window(
        group_by=[numbered.patient, numbered.episode],
        order_by=[numbered.end.desc(), numbered.start.desc(), numbered.id],
    )
    first = (numbered.start == numbered.start.min().over(episode)).ifelse(numbered.planned, 0)
    marked = numbered.mutate(
        began_at=numbered.start.min().over(episode),
        began_day=numbered.start_day.min().over(episode),
        first_planned=first,
        last=ibis.row_number().over(backwards),
    )
    whole = marked.mutate(
        planned_first=marked.first_planned.max().over(ibis.window(group_by=[marked.patient, marked.episode]))
    )
    return whole.filter(whole["last"] == 0).select(
        "id", "patient", "clinician", "cluster", "status", "ended", "disposition", "reason", "end", "end_day",
        start=whole.began_at, start_day=whole.began_day, planned=whole.planned_first,
    )  # fmt: skip


def _numbered(timed: ibis.Table, order: list[object]) -> ibis.Table:
    """The stays with the number of their episode within the patient."""
    so_far = ibis.cumulative_window(group_by=timed.patient, order_by=order)
    reached = timed.mutate(reached=timed.end.max().over(so_far), reached_day=timed.end_day.max().over(so_far))
    before = ibis.window(group_by=reached.patient, order_by=[reached.start, reached.end, reached.id])
    known = reached.mutate(
        before=reached.reached.lag().over(before),
        before_day=reached.reached_day.lag().over(before),
        before_place=reached.place.lag().over(before),
        before_reason=reached.reason.lag().over(before),
    )
    away = known.start_day - known.before_day
    elsewhere = (known.place != known.before_place) & (known.place != "") & (known.before_place != "")
    again = (away == 0) & (known.reason == known.before_reason)
    joined = (known.start < known.before) | (elsewhere & (away <= 1)) | (~elsewhere & again)
    fresh = known.mutate(fresh=joined.fill_null(False).ifelse(0, 1).cast("int64"))
    running = ibis.cumulative_window(group_by=fresh.patient, order_by=[fresh.start, fresh.end, fresh.id])
    return fresh.mutate(episode=fresh.fresh.sum().over(running))
