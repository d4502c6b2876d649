"""Error rate: errors per output in a sample that two people read (measure M18)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="error_rate",
    title="Errors per output",
    definition=(
        "Of the outputs that were drawn at random, read by two people and settled: the number of fabrications, "
        "omissions and inaccuracies. Where outputs at risk were drawn more often, each weighs the inverse of its "
        "probability of being drawn, so that the mean stands for all outputs."
    ),
    numerator="fabrications, omissions and inaccuracies of sampled outputs, weighted",
    denominator="sampled outputs, weighted",
    unit="errors/output",
    direction="lower",
    mcid=0.25,
    aim="safety",
    cadence_days=30,
    source="the adjudications of double-read samples, joined to their runs",
    citation="Errors of LLM and physician discharge summaries (UCSF 2025): 2.91 and 1.82 per summary.",
    catalogue="M18",
    row="sampled output",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per sampled output; drawn in two samples it is two rows."""
    settled, runs = tables["adjudications"], tables["runs"]
    known = runs.select(of=runs.run, unit=runs.unit, patient=runs.patient, clinician=runs.clinician, at_run=runs["at"])
    both = settled.join(known, settled.run == known.of)
    errors = both.fabrications + both.omissions + both.inaccuracies
    drawn = ((both.probability > 0.0) & (both.probability <= 1.0)).fill_null(False)  # anything else is no probability
    return both.select(
        key=both["sample"] + "/" + both.output,
        cluster=both.unit,
        patient=both.patient,
        clinician=both.clinician,
        at=both.at_run,
        value=errors.cast("float64"),
        weight=drawn.ifelse(1.0 / both.probability.nullif(0.0), 0.0),
    )


MEASURE = Measure(
    info=INFO, views={}, rows=rows, missing="was not settled", follow_up_days=60, reads=("runs", "adjudications")
)
