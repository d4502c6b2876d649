"""Raw NASA-TLX, the unweighted mean of six subscales (measure M12)."""

from careplane.measures import Measure
from careplane.measures._survey import MISSING, OPEN_DAYS, VIEWS, Instrument, likert, survey_rows
from careplane.records.evidence import MeasureInfo

INSTRUMENT = Instrument(
    questionnaire="urn:careplane:questionnaire:nasa-tlx", items=likert(range(1, 7), 0, 100), combine="mean", needed=6
)
"""Mental, physical and temporal demand, performance (perfect to failure), effort, frustration."""

INFO = MeasureInfo(
    id="nasa_tlx",
    title="Raw NASA-TLX",
    definition=(
        "Unweighted mean of the six subscales of the NASA Task Load Index, each 0-100. Performance runs from perfect "
        "(0) to failure (100), so it is not turned. All six must be answered. Who did not answer within 30 days is "
        "missing, not zero."
    ),
    numerator="sum of means over people",
    denominator="people who were asked and answered, weighted for those of their unit and wave who did not",
    unit="0-100",
    direction="lower",
    mcid=5.0,
    aim="provider experience",
    cadence_days=90,
    source="QuestionnaireResponse by link id; Task (complete-questionnaire) for who was asked; PractitionerRole",
    citation="Raw TLX: Hart, Proc Hum Factors Ergon Soc 2006;50:904. There is no universal cut; read the change.",
    catalogue="M12",
    mcid_source="a default of this library",
    row="person and wave",
    survey=True,
    licence="NASA Task Load Index (Hart and Staveland 1988); work of the US government, in the public domain",
)

MEASURE = Measure(info=INFO, views=VIEWS, rows=survey_rows(INSTRUMENT), missing=MISSING, follow_up_days=OPEN_DAYS)
