"""Discharge information of HCAHPS, top box (measure M21)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._cahps import VISITS, responses, top_box
from careplane.records.evidence import MeasureInfo

BEST = {"help_at_home": 1, "symptoms": 1}

INFO = MeasureInfo(
    id="hcahps_discharge",
    title="Discharge information (HCAHPS)",
    definition=(
        "Share of the two items of the composite (staff talked about help at home; written information on symptoms; 1 "
        "yes, 2 no) that a person answered with yes. Items are asked of people who went home, others have no answer. "
        "Who was sampled and did not answer is missing; the analysis weights answers by the inverse of the chance to "
        "answer. Case mix to adjust for: service line, age, education, general and mental health, language at home, "
        "and the order of the answer."
    ),
    numerator="answered items of the composite with the most positive answer, as a share of each person's answers",
    denominator="people of the sample who answered at least one item of the composite",
    unit="proportion",
    direction="higher",
    mcid=0.02,
    mcid_source="a default of this library",
    aim="patient experience",
    cadence_days=30,
    source="survey vendor file, imported as QuestionnaireResponse; Encounter for clinic and clinician",
    citation="HCAHPS composite 6 (CMS), top-box scoring; adjusters of the HCAHPS quality assurance guidelines.",
    catalogue="M21b",
    kind="proportion",
    row="person asked about a stay",
    survey=True,
    licence="CAHPS surveys are in the public domain; an official survey must not be altered. Item text is not shipped.",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per person who was asked."""
    return top_box(tables["asked"], tables["visits"], BEST)


MEASURE = Measure(
    info=INFO,
    views={"asked": responses("hcahps", tuple(BEST)), "visits": VISITS},
    rows=rows,
    missing="did not answer",
    follow_up_days=60,
)
