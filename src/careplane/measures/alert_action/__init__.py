"""Alert action: the share of high-severity outputs that an order followed (measure M19)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure, epoch_seconds
from careplane.measures.alert_action.views import MEDICATIONS, SERVICES
from careplane.records.evidence import MeasureInfo

WINDOW = 24 * 3600

INFO = MeasureInfo(
    id="alert_action",
    title="Alerts acted on",
    definition=(
        "Of the outputs with a finding of the gravest kind that concern a patient: 1 if an order for that patient, in "
        "the same encounter where both name one, was written within 24 hours after the event, else 0. What an output "
        "asks for is not coded, so any medication or service order of that time matches: an upper bound."
    ),
    numerator="high-severity outputs followed by an order within 24 hours",
    denominator="high-severity outputs that concern a patient",
    unit="proportion",
    direction="higher",
    mcid=0.05,
    aim="safety",
    cadence_days=7,
    source="the run record; MedicationRequest and ServiceRequest (intent order), authoredOn",
    citation="A randomised trial of an alerting assistant (Penda Health) found 19.5 %. The window is a default.",
    catalogue="M19",
    kind="proportion",
    row="alert",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per high-severity output."""
    runs = tables["runs"]
    alerts = runs.filter((runs.severity == "critical") & runs.patient.notnull())
    every = tables["medications"].union(tables["services"])
    every = every.filter(every.status.fill_null("unknown") != "entered-in-error")
    orders = every.select(who=every.patient, visit=every.encounter, ordered=epoch_seconds(every.authored))
    pairs = alerts.join(orders, alerts.patient == orders.who)
    waited = pairs.ordered - pairs["at"]
    same = pairs.encounter.isnull() | pairs.visit.isnull() | (pairs.encounter == pairs.visit)
    acted = pairs.filter((waited >= 0) & (waited <= WINDOW) & same).select(of="run").distinct()
    both = alerts.left_join(acted, alerts.run == acted.of)
    return both.select(
        key=both.run,
        cluster=both.unit,
        patient=both.patient,
        clinician=both.clinician,
        at=both["at"],
        value=both.of.notnull().ifelse(1.0, 0.0),
    )


MEASURE = Measure(
    info=INFO,
    views={"medications": MEDICATIONS, "services": SERVICES},
    rows=rows,
    missing="concerned no patient",
    follow_up_days=1,
    reads=("runs",),
)
