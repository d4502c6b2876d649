"""The view of parity beside the run record: the languages of patients."""

from careplane.records import JSON

LANGUAGES: JSON = {
    "resourceType": "ViewDefinition",
    "name": "languages",
    "status": "active",
    "resource": "Patient",
    "select": [
        {"column": [{"name": "patient", "path": "id", "type": "id"}]},
        {
            "forEach": "communication",
            "column": [
                {"name": "language", "path": "language.coding.code.first()", "type": "code"},
                {"name": "preferred", "path": "preferred", "type": "boolean"},
            ],
        },
    ],
}
