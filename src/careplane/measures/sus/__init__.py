"""System Usability Scale (measure M13)."""

from careplane.measures import Measure
from careplane.measures._survey import MISSING, OPEN_DAYS, VIEWS, Instrument, likert, survey_rows
from careplane.records.evidence import MeasureInfo

INSTRUMENT = Instrument(
    questionnaire="urn:careplane:questionnaire:sus",
    items=likert(range(1, 11), 1, 5, reverse=frozenset({2, 4, 6, 8, 10})),
    combine="sum",
    needed=8,
    factor=2.5,
    shift=-25.0,
    absent="middle",
)
"""2.5 times the sum of (answer - 1) of odd items and (5 - answer) of even ones."""

INFO = MeasureInfo(
    id="sus",
    title="System Usability Scale",
    definition=(
        "2.5 times the sum over ten items, each 1-5: the answer less 1 of odd items, 5 less the answer of even ones. "
        "An item left out counts as the middle, 3, as its author says; more than two left out are no score (a default"
        " of this library). Who did not answer within 30 days is missing, not zero."
    ),
    numerator="sum of scores over people",
    denominator="people who were asked and answered, weighted for those of their unit and wave who did not",
    unit="0-100",
    direction="higher",
    mcid=5.0,
    aim="provider experience",
    cadence_days=90,
    source="QuestionnaireResponse by link id; Task (complete-questionnaire) for who was asked; PractitionerRole",
    citation=(
        "Brooke, SUS: a quick and dirty usability scale, 1996. 68 is the average of published studies; it is no "
        "percentage."
    ),
    catalogue="M13",
    mcid_source="a default of this library",
    row="person and wave",
    survey=True,
    licence="free to use with acknowledgement (Brooke 1986, 1996)",
)

MEASURE = Measure(info=INFO, views=VIEWS, rows=survey_rows(INSTRUMENT), missing=MISSING, follow_up_days=OPEN_DAYS)
