"""Work exhaustion by the Stanford Professional Fulfillment Index (measure M07), of imported answers."""

from careplane.measures import Measure
from careplane.measures._survey import MISSING, OPEN_DAYS, VIEWS, Instrument, likert, survey_rows
from careplane.records.evidence import MeasureInfo

INSTRUMENT = Instrument(
    questionnaire="urn:careplane:questionnaire:pfi", items=likert(range(7, 11), 0, 4), combine="mean", needed=2
)
"""Items 7 to 10 of the 16, in the instrument's order."""

INFO = MeasureInfo(
    id="pfi_we",
    title="Work exhaustion (PFI)",
    definition=(
        "Mean of the four work exhaustion items (7 to 10 of the 16) of the Professional Fulfillment Index, each 0-4. "
        "Half of the items must be answered, the mean is of those answered (a default of this library). Who did not "
        "answer within 30 days is missing, not zero."
    ),
    numerator="sum of item means over people",
    denominator="people who were asked and answered, weighted for those of their unit and wave who did not",
    unit="0-4",
    direction="lower",
    mcid=0.2,
    aim="provider experience",
    cadence_days=90,
    source="QuestionnaireResponse by link id; Task (complete-questionnaire) for who was asked; PractitionerRole",
    citation=(
        "Trockel and others, Acad Psychiatry 2018;42:11-24 (items 0-4, subscale means). Burnout of all ten exhaustion"
        " and disengagement items is read at 1.33."
    ),
    catalogue="M07",
    mcid_source="a default of this library; a randomised scribe trial found -0.23 and -0.32",
    row="person and wave",
    survey=True,
    licence="© Stanford Medicine; non-profit use is commonly permitted, other use needs a licence: confirm before use",
    import_only=True,
)

MEASURE = Measure(info=INFO, views=VIEWS, rows=survey_rows(INSTRUMENT), missing=MISSING, follow_up_days=OPEN_DAYS)
