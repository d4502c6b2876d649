"""Answers to CAHPS surveys: one row per person who was asked, with the top-box score of a composite.

Vendor files come as QuestionnaireResponse (:mod:`careplane.codecs.survey_file`): ``status`` is ``completed`` for an
answer and ``stopped`` for somebody of the sample who did not answer, ``encounter`` is the visit or stay that the
survey is about, and each item has the name of the composite's item as its ``linkId``.
"""

import ibis

from careplane.measures._instants import Column, epoch_seconds
from careplane.records import JSON

PREFIX = "urn:careplane:survey:"
"""``QuestionnaireResponse.questionnaire`` of an imported survey is this and the name of the instrument."""


def responses(instrument: str, items: tuple[str, ...]) -> JSON:
    """The view of the people who were asked, with the number that each chose for some items."""
    answers = [
        {"name": item, "path": f"item.where(linkId = '{item}').answer.valueInteger.first()", "type": "integer"}
        for item in items
    ]
    return {
        "resourceType": "ViewDefinition",
        "name": instrument,
        "status": "active",
        "resource": "QuestionnaireResponse",
        "where": [{"path": f"questionnaire = '{PREFIX}{instrument}'"}, {"path": "authored.exists()"}],
        "select": [
            {
                "column": [
                    {"name": "id", "path": "id", "type": "id"},
                    {"name": "status", "path": "status", "type": "code"},
                    {"name": "asked", "path": "authored", "type": "dateTime"},
                    {"name": "patient", "path": "subject.getReferenceKey(Patient)", "type": "id"},
                    {"name": "encounter", "path": "encounter.getReferenceKey(Encounter)", "type": "id"},
                    *answers,
                ]
            }
        ],
    }


VISITS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "surveyed",
    "status": "active",
    "resource": "Encounter",
    "select": [
        {
            "column": [
                {"name": "visit", "path": "id", "type": "id"},
                {
                    "name": "clinician",
                    "path": "participant.individual.getReferenceKey(Practitioner).first()",
                    "type": "id",
                },
                {"name": "cluster", "path": "location.location.reference.first()", "type": "string"},
            ]
        }
    ],
}


def top_box(asked: ibis.Table, visits: ibis.Table, best: dict[str, int]) -> ibis.Table:
    """The rows of a measure: the share of answered items with the most positive answer.

    Args:
        asked: rows of :func:`responses`.
        visits: rows of :data:`VISITS`.
        best: the most positive answer of each item of the composite.
    """
    kept = asked.filter(asked.status.isin(("completed", "amended", "stopped")))
    both = kept.left_join(visits, kept.encounter == visits.visit)
    answered: Column = ibis.literal(0).cast("int64")
    top: Column = ibis.literal(0).cast("int64")
    for item, answer in best.items():
        answered = answered + both[item].notnull().ifelse(1, 0)
        top = top + (both[item] == answer).fill_null(False).ifelse(1, 0)
    counts = (both.status != "stopped") & (answered > 0)
    return both.select(
        key=both.id,
        cluster=both.cluster,
        patient=both.patient,
        clinician=both.clinician,
        at=epoch_seconds(both.asked),
        value=counts.ifelse(top.cast("float64") / answered.nullif(0).cast("float64"), ibis.null("float64")),
    )
