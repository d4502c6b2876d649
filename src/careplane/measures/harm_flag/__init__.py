"""Harm flag: reported harm per 1,000 outputs (measure M17)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures.harm_flag.views import EVENTS
from careplane.records.evidence import MeasureInfo

_HARM = ("mild", "moderate", "severe")

INFO = MeasureInfo(
    id="harm_flag",
    title="Harm flags",
    definition=(
        "Of the outputs that people were shown: 1,000 if somebody reported that it could harm a person, or an adverse "
        "event that names what it wrote to the chart is graded mild or worse, else 0; the mean is a rate per 1,000. "
        "Only what is reported is seen: a rate of 0 is not proof of safety."
    ),
    numerator="outputs with a report of harm, or an adverse event graded mild or worse (AHRQ harm scale)",
    denominator="outputs, in thousands",
    unit="per 1000",
    direction="lower",
    mcid=1.0,
    aim="safety",
    cadence_days=1,
    source="reports of the run record; AdverseEvent.referenceDocument",
    citation="AHRQ Common Formats, harm scale 2.0. Watched by an always-valid monitor.",
    catalogue="M17",
    row="output",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per output."""
    runs, reports, written, events = (tables[name] for name in ("runs", "reports", "written", "events"))
    unsafe = reports.filter(reports.what == "unsafe").select(flagged=reports.run)
    graded = events.filter(events.severity.isin(_HARM) & (events.actuality == "actual"))
    harmed = written.join(graded, written.reference == graded.about).select(flagged=written.run)
    flags = unsafe.union(harmed).distinct()
    outputs = runs.filter(runs.drafted == 1)
    both = outputs.left_join(flags, outputs.run == flags.flagged)
    return both.select(
        key=both.run,
        cluster=both.unit,
        patient=both.patient,
        clinician=both.clinician,
        at=both["at"],
        value=both.flagged.notnull().ifelse(1000.0, 0.0),
    )


MEASURE = Measure(
    info=INFO,
    views={"events": EVENTS},
    rows=rows,
    missing="had no output",
    follow_up_days=30,
    reads=("runs", "reports", "written"),
)
