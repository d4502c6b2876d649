"""UMUX-Lite, usability in two items (measure M14)."""

from careplane.measures import Measure
from careplane.measures._survey import MISSING, OPEN_DAYS, VIEWS, Instrument, likert, survey_rows
from careplane.records.evidence import MeasureInfo

INSTRUMENT = Instrument(
    questionnaire="urn:careplane:questionnaire:umux-lite",
    items=likert(range(1, 3), 1, 7),
    combine="sum",
    needed=2,
    factor=100.0 / 12.0,
    shift=-200.0 / 12.0,
)
"""(a + b - 2) times 100 / 12."""


def sus_equivalent(score: float) -> float:
    """The SUS score that a UMUX-Lite score predicts: 0.65 times it plus 22.9 (Lewis, Utesch and Maher 2013)."""
    return 0.65 * score + 22.9


INFO = MeasureInfo(
    id="umux_lite",
    title="UMUX-Lite",
    definition=(
        "The sum of two items, each 1-7, less 2, times 100 over 12. Both must be answered. Who did not answer within "
        "30 days is missing, not zero."
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
        "Lewis, Utesch and Maher, UMUX-LITE, CHI 2013. Compare 0.65 times the score plus 22.9 with the SUS average of"
        " 68."
    ),
    catalogue="M14",
    mcid_source="a default of this library",
    row="person and wave",
    survey=True,
    licence="published items; not the UX-Lite, which is a trade mark",
)

MEASURE = Measure(info=INFO, views=VIEWS, rows=survey_rows(INSTRUMENT), missing=MISSING, follow_up_days=OPEN_DAYS)
