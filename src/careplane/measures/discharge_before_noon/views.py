"""The view of discharge before noon: inpatient stays that ended."""

from careplane.records import JSON

STAYS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "finished_stays",
    "status": "active",
    "resource": "Encounter",
    "where": [{"path": "status = 'finished'"}, {"path": "class.code = 'IMP'"}, {"path": "period.end.exists()"}],
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
