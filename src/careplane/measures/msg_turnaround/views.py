"""The views of reply turnaround: patient messages, and completed replies to them."""

from careplane.records import JSON

_COMPLETED: JSON = {"path": "status = 'completed'"}

MESSAGES: JSON = {
    "resourceType": "ViewDefinition",
    "name": "patient_messages",
    "status": "active",
    "resource": "Communication",
    "where": [_COMPLETED, {"path": "sender.getReferenceKey(Patient).exists()"}, {"path": "sent.exists()"}],
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

REPLIES: JSON = {
    "resourceType": "ViewDefinition",
    "name": "replies",
    "status": "active",
    "resource": "Communication",
    "where": [_COMPLETED, {"path": "sender.getReferenceKey(Patient).empty()"}, {"path": "sent.exists()"}],
    "select": [
        {
            "column": [
                {"name": "message", "path": "inResponseTo.getReferenceKey(Communication).first()", "type": "id"},
                {"name": "sent", "path": "sent", "type": "dateTime"},
            ]
        }
    ],
}
