"""Edit distance: how much of a draft was changed before it was signed (measure M16)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="edit_distance",
    title="Edit distance",
    definition=(
        "Of the drafts that were signed: the normalised token edit distance between draft and signed text, 0 (taken as "
        "it was) to 1 (nothing kept). A draft that was rejected or not looked at has no value. Values near 0 for a "
        "whole group may be automation bias, not quality: read the error rate beside it."
    ),
    numerator="sum of the edit distances of signed drafts",
    denominator="drafts that were signed",
    unit="0-1",
    direction="lower",
    mcid=0.05,
    aim="safety",
    cadence_days=7,
    source="the run record: the review of each draft",
    citation="Levenshtein distance over tokens, divided by the longer text. Catalogue of measures, M16.",
    catalogue="M16",
    row="draft",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per draft."""
    runs = tables["runs"]
    drafts = runs.filter(runs.drafted == 1)
    return drafts.select(
        key=drafts.run,
        cluster=drafts.unit,
        patient=drafts.patient,
        clinician=drafts.clinician,
        at=drafts["at"],
        value=drafts.edit_distance,
    )


MEASURE = Measure(
    info=INFO,
    views={},
    rows=rows,
    missing="had a draft that was rejected or not reviewed",
    follow_up_days=2,
    reads=("runs",),
)
