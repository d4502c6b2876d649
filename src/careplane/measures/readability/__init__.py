"""Reading grade of replies to patients (measure M23)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="readability",
    title="Reading grade of replies to patients",
    definition=(
        "Flesch-Kincaid grade (US school grade: 0.39 words a sentence + 11.8 syllables a word - 15.59) of each "
        "completed reply to a patient in the chart, whoever wrote it, so that arms and baseline compare. Syllables are "
        "groups of vowels less a silent final e, as the platform's own check of drafts counts them. The formula is for "
        "English: texts in another language, and texts under 20 words, are missing. Lower reads more easily."
    ),
    numerator="reading grades of replies, summed",
    denominator="replies in English of at least 20 words",
    unit="grade",
    direction="lower",
    mcid=1.0,
    mcid_source="a default of this library",
    aim="patient experience",
    cadence_days=7,
    source="Communication (to a patient, in response to one): payload.contentString",
    citation="Kincaid et al. 1975 (Navy report 8-75). NYU found grade 8 against 6; advice for patients is 6 to 8.",
    catalogue="M23",
    row="reply",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per reply."""
    texts = tables["texts"]
    return texts.select(
        key=texts.reference,
        cluster=texts.unit,
        patient=texts.patient,
        clinician=texts.clinician,
        at=texts["at"],
        value=texts.grade,
    )


MEASURE = Measure(
    info=INFO,
    views={},
    rows=rows,
    missing="was not in English or had fewer than 20 words",
    reads=("texts",),
)
