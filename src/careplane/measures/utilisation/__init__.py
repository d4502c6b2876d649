"""Utilisation: the share of eligible events in which the output was used (measure M15)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="utilisation",
    title="Utilisation",
    definition=(
        "Of all events for which the app could have spoken, whether or not it did: 1 if a person signed its draft, as "
        "it was or edited, else 0. An event of the control arm, a refusal, a failure, a rejected draft and one that "
        "nobody has looked at are all 0. Report the intention-to-treat effect beside it, never this in its place."
    ),
    numerator="eligible events whose draft was signed",
    denominator="all eligible events",
    unit="proportion",
    direction="context",
    mcid=0.0,
    aim="process",
    cadence_days=7,
    source="the run record: one run per eligible event, with its status",
    citation="Published use of such apps lies between 19 and 57 % of eligible events.",
    catalogue="M15",
    mcid_source="",
    kind="proportion",
    row="eligible event",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per eligible event."""
    runs = tables["runs"]
    return runs.select(
        key=runs.run,
        cluster=runs.unit,
        patient=runs.patient,
        clinician=runs.clinician,
        at=runs["at"],
        value=runs.status.isin(["accepted", "edited"]).ifelse(1.0, 0.0),
    )


MEASURE = Measure(info=INFO, views={}, rows=rows, missing="had no status", follow_up_days=2, reads=("runs",))
