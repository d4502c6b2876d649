"""The views of note closure: clinic visits that ended, and final notes of visits."""

from careplane.records import JSON

VISITS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "finished_visits",
    "status": "active",
    "resource": "Encounter",
    "where": [{"path": "status = 'finished'"}, {"path": "class.code = 'AMB'"}, {"path": "period.end.exists()"}],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "ended", "path": "period.end", "type": "dateTime"},
                {"name": "patient", "path": "subject.getReferenceKey(Patient)", "type": "id"},
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

NOTES: JSON = {
    "resourceType": "ViewDefinition",
    "name": "visit_notes",
    "status": "active",
    "resource": "DocumentReference",
    "where": [
        {"path": "status = 'current'"},
        {"path": "docStatus = 'final'"},
        {"path": "type.coding.where(system = 'http://loinc.org').exists()"},
        {"path": "date.exists()"},
    ],
    "select": [
        {
            "column": [
                {"name": "visit", "path": "context.encounter.getReferenceKey(Encounter).first()", "type": "id"},
                {"name": "date", "path": "date", "type": "instant"},
            ]
        }
    ],
}
