"""Professional fulfilment by the Stanford Professional Fulfillment Index (measure M09), of imported answers."""

from careplane.measures import Measure
from careplane.measures._survey import MISSING, OPEN_DAYS, VIEWS, Instrument, likert, survey_rows
from careplane.records.evidence import MeasureInfo

INSTRUMENT = Instrument(
    questionnaire="urn:careplane:questionnaire:pfi", items=likert(range(1, 7), 0, 4), combine="mean", needed=3
)
"""Items 1 to 6 of the 16, in the instrument's order."""

INFO = MeasureInfo(
    id="pfi_pf",
    title="Professional fulfilment (PFI)",
    definition=(
        "Mean of the six professional fulfilment items (1 to 6 of the 16) of the Professional Fulfillment Index, each"
        " 0-4. Half of the items must be answered, the mean is of those answered (a default of this library). Who did"
        " not answer within 30 days is missing, not zero."
    ),
    numerator="sum of item means over people",
    denominator="people who were asked and answered, weighted for those of their unit and wave who did not",
    unit="0-4",
    direction="higher",
    mcid=0.2,
    aim="provider experience",
    cadence_days=90,
    source="QuestionnaireResponse by link id; Task (complete-questionnaire) for who was asked; PractitionerRole",
    citation=(
        "Trockel and others, Acad Psychiatry 2018;42:11-24 (items 0-4, subscale means). Fulfilment is read at 3.0; "
        "trials often find no change."
    ),
    catalogue="M09",
    mcid_source="a default of this library",
    row="person and wave",
    survey=True,
    licence="© Stanford Medicine; non-profit use is commonly permitted, other use needs a licence: confirm before use",
    import_only=True,
)

MEASURE = Measure(info=INFO, views=VIEWS, rows=survey_rows(INSTRUMENT), missing=MISSING, follow_up_days=OPEN_DAYS)
