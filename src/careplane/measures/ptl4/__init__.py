"""Physician task load, four items of the NASA-TLX (measure M11)."""

from careplane.measures import Measure
from careplane.measures._survey import MISSING, OPEN_DAYS, VIEWS, Instrument, Item, survey_rows
from careplane.records.evidence import MeasureInfo

INSTRUMENT = Instrument(
    questionnaire="urn:careplane:questionnaire:nasa-tlx",
    items=tuple(Item(link, 0, 100) for link in ("1", "2", "3", "5")),
    combine="sum",
    needed=4,
)
"""Mental, physical and temporal demand, and effort: items 1, 2, 3 and 5 of the index."""

INFO = MeasureInfo(
    id="ptl4",
    title="Physician task load",
    definition=(
        "Sum of four items of the NASA Task Load Index, each 0-100: mental, physical and temporal demand, and effort "
        "(items 1, 2, 3 and 5). All four must be answered. Who did not answer within 30 days is missing, not zero."
    ),
    numerator="sum of totals over people",
    denominator="people who were asked and answered, weighted for those of their unit and wave who did not",
    unit="0-400",
    direction="lower",
    mcid=20.0,
    aim="provider experience",
    cadence_days=90,
    source="QuestionnaireResponse by link id; Task (complete-questionnaire) for who was asked; PractitionerRole",
    citation=(
        "Four-item physician task load, derived from the NASA-TLX; some reports give the mean (0-100) instead of the "
        "sum."
    ),
    catalogue="M11",
    mcid_source="a default of this library; a randomised scribe trial found -32 and -40",
    row="person and wave",
    survey=True,
    licence="NASA Task Load Index (Hart and Staveland 1988); work of the US government, in the public domain",
)

MEASURE = Measure(info=INFO, views=VIEWS, rows=survey_rows(INSTRUMENT), missing=MISSING, follow_up_days=OPEN_DAYS)
