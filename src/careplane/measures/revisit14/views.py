"""The views of urgent returns: visits that ended, and all encounters that may be a return."""

from careplane.records import JSON

_PERSON = "participant.individual.getReferenceKey(Practitioner).first()"

VISITS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "ended_visits",
    "status": "active",
    "resource": "Encounter",
    "where": [
        {"path": "status = 'finished'"},
        {"path": "period.end.exists()"},
    ],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "class", "path": "class.code", "type": "code"},
                {"name": "ended", "path": "period.end", "type": "dateTime"},
                {"name": "patient", "path": "subject.getReferenceKey(Patient)", "type": "id"},
                {"name": "clinician", "path": _PERSON, "type": "id"},
                {"name": "cluster", "path": "location.location.reference.first()", "type": "string"},
            ]
        }
    ],
}

RETURNS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "encounters",
    "status": "active",
    "resource": "Encounter",
    "where": [{"path": "period.start.exists()"}, {"path": "subject.exists()"}],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "status", "path": "status", "type": "code"},
                {"name": "class", "path": "class.code", "type": "code"},
                {"name": "priority", "path": "priority.coding.code.first()", "type": "code"},
                {"name": "type", "path": "type.coding.code.first()", "type": "code"},
                {"name": "patient", "path": "subject.getReferenceKey(Patient)", "type": "id"},
                {"name": "began", "path": "period.start", "type": "dateTime"},
            ]
        }
    ],
}
