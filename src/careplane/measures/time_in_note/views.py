"""The view of time in notes beside the audit log: clinic visits that ended, with their clinician."""

from careplane.records import JSON

VISITS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "completed_visits",
    "status": "active",
    "resource": "Encounter",
    "where": [{"path": "status = 'finished'"}, {"path": "class.code = 'AMB'"}, {"path": "period.end.exists()"}],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "ended", "path": "period.end", "type": "dateTime"},
                {
                    "name": "clinician",
                    "path": "participant.individual.getReferenceKey(Practitioner).first()",
                    "type": "id",
                },
            ]
        }
    ],
}
