"""The groups of patients that equity is looked at by, as a view of Patient (US Core race and ethnicity)."""

from careplane.records import JSON

_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"


def _category(name: str) -> str:
    return f"extension.where(url = '{_US_CORE}{name}').extension.where(url = 'ombCategory').valueCoding.display.first()"


GROUPS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "patient_groups",
    "status": "active",
    "resource": "Patient",
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "language", "path": "communication.language.coding.code.first()", "type": "code"},
                {"name": "race", "path": _category("race"), "type": "string"},
                {"name": "ethnicity", "path": _category("ethnicity"), "type": "string"},
                {"name": "sex", "path": "gender", "type": "code"},
            ]
        }
    ],
}
UNKNOWN = "not recorded"
