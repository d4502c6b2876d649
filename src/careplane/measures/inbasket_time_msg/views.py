"""The view of in-basket time beside the audit log: patient messages."""

from careplane.records import JSON

MESSAGES: JSON = {
    "resourceType": "ViewDefinition",
    "name": "patient_messages",
    "status": "active",
    "resource": "Communication",
    "where": [
        {"path": "status = 'completed'"},
        {"path": "sender.getReferenceKey(Patient).exists()"},
        {"path": "sent.exists()"},
    ],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "sent", "path": "sent", "type": "dateTime"},
                {"name": "patient", "path": "sender.getReferenceKey(Patient)", "type": "id"},
                {"name": "clinician", "path": "recipient.getReferenceKey(Practitioner).first()", "type": "id"},
                {"name": "cluster", "path": "about.reference.first()", "type": "string"},
            ]
        }
    ],
}
