"""The view of harm flags: adverse events by what they name, with how grave they were."""

from careplane.records import JSON

EVENTS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "adverse_events",
    "status": "active",
    "resource": "AdverseEvent",
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "actuality", "path": "actuality", "type": "code"},
                {"name": "severity", "path": "severity.coding.code.first()", "type": "code"},
            ]
        },
        {"forEach": "referenceDocument", "column": [{"name": "about", "path": "reference", "type": "string"}]},
    ],
}
