"""The views of first-pass approval: prior authorisations, and the payer's final answers to them."""

from careplane.records import JSON

REQUESTS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "authorisation_requests",
    "status": "active",
    "resource": "Claim",
    "where": [
        {"path": "use = 'preauthorization'"},
        {"path": "status = 'active'"},
        {"path": "created.exists()"},
    ],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "created", "path": "created", "type": "dateTime"},
                {"name": "patient", "path": "patient.getReferenceKey(Patient)", "type": "id"},
                {"name": "cluster", "path": "provider.reference", "type": "string"},
            ]
        }
    ],
}

ANSWERS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "authorisation_answers",
    "status": "active",
    "resource": "ClaimResponse",
    "where": [
        {"path": "use = 'preauthorization'"},
        {"path": "outcome = 'complete'"},
        {"path": "created.exists()"},
    ],
    "select": [
        {
            "column": [
                {"name": "claim", "path": "request.getReferenceKey(Claim)", "type": "id"},
                {"name": "created", "path": "created", "type": "dateTime"},
                {"name": "reference", "path": "preAuthRef", "type": "string"},
            ]
        }
    ],
}
