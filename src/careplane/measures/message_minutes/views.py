"""The views of clinician minutes: patient messages, and the audited handling of a message."""

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

HANDLING: JSON = {
    "resourceType": "ViewDefinition",
    "name": "message_handling",
    "status": "active",
    "resource": "AuditEvent",
    "where": [{"path": "period.start.exists()"}, {"path": "period.end.exists()"}],
    "select": [
        {
            "column": [
                {"name": "start", "path": "period.start", "type": "dateTime"},
                {"name": "end", "path": "period.end", "type": "dateTime"},
            ]
        },
        {
            "forEach": "entity.what.where(getReferenceKey(Communication).exists())",
            "column": [{"name": "message", "path": "getReferenceKey(Communication)", "type": "id"}],
        },
    ],
}
