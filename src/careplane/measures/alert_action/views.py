"""The views of alerts acted on: orders of medicines and of services."""

from careplane.records import JSON


def _orders(resource: str) -> JSON:
    return {
        "resourceType": "ViewDefinition",
        "name": f"orders_{resource.lower()}",
        "status": "active",
        "resource": resource,
        "where": [
            {"path": "intent = 'order'"},
            {"path": "authoredOn.exists()"},
        ],
        "select": [
            {
                "column": [
                    {"name": "id", "path": "id", "type": "id"},
                    {"name": "patient", "path": "subject.getReferenceKey(Patient)", "type": "id"},
                    {"name": "encounter", "path": "encounter.getReferenceKey(Encounter)", "type": "id"},
                    {"name": "status", "path": "status", "type": "code"},
                    {"name": "authored", "path": "authoredOn", "type": "dateTime"},
                ]
            }
        ],
    }


MEDICATIONS = _orders("MedicationRequest")
SERVICES = _orders("ServiceRequest")
