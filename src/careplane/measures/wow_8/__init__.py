"""Work outside scheduled hours (measure M04)."""

from careplane.measures import Measure
from careplane.measures._activity import MISSING, VIEWS, per_eight_hours
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="wow_8",
    title="Work outside scheduled hours",
    definition=(
        "Minutes of active work in the EHR at times when nothing was scheduled for patients, per eight hours "
        "scheduled, by clinician and week. Time is active by the audit log: an event's period, or the time to the "
        "next event of the same person, none when that came more than five minutes later. A week without audited "
        "activity or without scheduled hours has no value."
    ),
    numerator="active minutes in the EHR outside of scheduled spans",
    denominator="scheduled patient hours of the week, divided by eight",
    unit="min/8 h",
    direction="lower",
    mcid=5.0,
    aim="provider experience",
    cadence_days=7,
    source=(
        "AuditEvent; Slot (free, busy, busy-tentative) with Schedule, and Appointment; PractitionerRole for the unit"
    ),
    citation=(
        "Metrics per eight scheduled hours: Sinsky and others, JAMIA 2020;27:639-643. Inactivity rule: see Rule, "
        "Chiang and Hribar, JAMIA 2020;27:480-490. No change was found in ambient scribes (JAMA 2026)."
    ),
    catalogue="M04",
    mcid_source="a default of this library",
    kind="ratio",
    row="clinician and week",
)

MEASURE = Measure(info=INFO, views=VIEWS, rows=per_eight_hours("outside"), missing=MISSING)
