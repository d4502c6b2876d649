"""The Mini-Z 2.0 (measure M10), of imported answers."""

from careplane.measures import Measure
from careplane.measures._survey import MISSING, OPEN_DAYS, VIEWS, Instrument, likert, survey_rows
from careplane.records.evidence import MeasureInfo

INSTRUMENT = Instrument(
    questionnaire="urn:careplane:questionnaire:mini-z-2", items=likert(range(1, 11), 1, 5), combine="sum", needed=10
)
"""Items are coded by the licence holder's key, 5 the most favourable."""

INFO = MeasureInfo(
    id="mini_z",
    title="Mini-Z 2.0",
    definition=(
        "Sum of the ten items of the Mini-Z 2.0, each 1-5 and coded so that 5 is the most favourable. All ten must be"
        " answered. Who did not answer within 30 days is missing, not zero."
    ),
    numerator="sum of totals over people",
    denominator="people who were asked and answered, weighted for those of their unit and wave who did not",
    unit="10-50",
    direction="higher",
    mcid=2.0,
    aim="provider experience",
    cadence_days=90,
    source="QuestionnaireResponse by link id; Task (complete-questionnaire) for who was asked; PractitionerRole",
    citation=(
        "Mini-Z 2.0 (Linzer and others), ten items in two subscales of five; 40 and above is read as a joyful "
        "workplace."
    ),
    catalogue="M10",
    mcid_source="a default of this library; a randomised scribe trial found +2.7 and +2.8",
    row="person and wave",
    survey=True,
    licence=(
        "© its authors (Hennepin Healthcare); free for many non-commercial uses, permission for others not verified"
    ),
    import_only=True,
)

MEASURE = Measure(info=INFO, views=VIEWS, rows=survey_rows(INSTRUMENT), missing=MISSING, follow_up_days=OPEN_DAYS)
