"""Provider communication of CG-CAHPS, top box (measure M20)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.measures._cahps import VISITS, responses, top_box
from careplane.records.evidence import MeasureInfo

BEST = {"explain": 4, "listen": 4, "respect": 4, "time": 4}

INFO = MeasureInfo(
    id="cgcahps_comm",
    title="Provider communication (CG-CAHPS)",
    definition=(
        "Share of the four items of the composite (explains clearly, listens carefully, shows respect, spends enough "
        "time; 1 never to 4 always) that a person answered with always. Who was sampled and did not answer, or "
        "answered none of the four, is missing; the analysis weights answers by the inverse of the chance to answer. "
        "To compare sites rather than arms, adjust for case mix: age, education, general and mental health."
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
    citation="CG-CAHPS 3.0 composite (AHRQ), top-box scoring; case-mix adjusters as in the CAHPS macro.",
    catalogue="M20",
    kind="proportion",
    row="person asked about a visit",
    survey=True,
    licence="CAHPS surveys are in the public domain; an official survey must not be altered. Item text is not shipped.",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per person who was asked."""
    return top_box(tables["asked"], tables["visits"], BEST)


MEASURE = Measure(
    info=INFO,
    views={"asked": responses("cgcahps", tuple(BEST)), "visits": VISITS},
    rows=rows,
    missing="did not answer",
    follow_up_days=60,
)
