"""The view of readmission beside the stays: patients who died, and when."""

from careplane.records import JSON

DEATHS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "deaths",
    "status": "active",
    "resource": "Patient",
    "where": [{"path": "deceasedDateTime.exists()"}],
    "select": [
        {
            "column": [
                {"name": "patient", "path": "id", "type": "id"},
                {"name": "died", "path": "deceasedDateTime", "type": "dateTime"},
            ]
        }
    ],
}
