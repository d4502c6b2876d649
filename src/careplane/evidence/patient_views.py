"""The views that groups of patients are read from: US Core Patient, Coverage, disability status, Organization.

``us-core-interpreter-needed`` is of US Core 8 (2025); sites before it have FHIR's own ``patient-interpreterRequired``.
Disability status is the US Core category ``disability-status`` (USCDI v3), whose six questions are those of the
American Community Survey (LOINC 69856-3 to 69861-3).
"""

from careplane.records import JSON

_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
_INTERPRETER = "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired"
_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
SOPT = "https://nahdo.org/sopt"
"""Source of Payment Typology, the code system that US Core binds the type of a Coverage to."""


def _view(name: str, resource: str, *columns: tuple[str, str, str], where: tuple[str, ...] = ()) -> JSON:
    return {
        "resourceType": "ViewDefinition",
        "name": name,
        "status": "active",
        "resource": resource,
        "where": [{"path": path} for path in where],
        "select": [{"column": [{"name": name, "path": path, "type": kind} for name, path, kind in columns]}],
    }


def _each(view: JSON, path: str, *columns: tuple[str, str, str]) -> JSON:
    """A view with one row per element of ``path``."""
    each = {"forEach": path, "column": [{"name": name, "path": path, "type": kind} for name, path, kind in columns]}
    return {**view, "select": [*view["select"], each]}


def _categories(name: str) -> JSON:
    path = f"extension.where(url = '{_CORE}{name}').extension.where(url = 'ombCategory')"
    view = _view(name.replace("-", "_"), "Patient", ("id", "id", "id"))
    return _each(view, path, ("code", "valueCoding.code", "code"))


_NEEDED = f"extension.where(url = '{_CORE}us-core-interpreter-needed').valueCoding.code.first()"

PATIENT_VIEWS: dict[str, JSON] = {
    "group_patients": _view(
        "group_patients",
        "Patient",
        ("id", "id", "id"),
        ("sex", "gender", "code"),
        ("born", "birthDate", "date"),
        ("interpreter", _NEEDED, "code"),
        ("required", f"extension.where(url = '{_INTERPRETER}').valueBoolean.first()", "boolean"),
        ("postal", "address.postalCode.first()", "string"),
        ("site", "managingOrganization.reference", "string"),
    ),
    "group_races": _categories("us-core-race"),
    "group_ethnicities": _categories("us-core-ethnicity"),
    "group_languages": _each(
        _view("group_languages", "Patient", ("id", "id", "id")),
        "communication",
        ("language", "language.coding.code.first()", "code"),
        ("preferred", "preferred", "boolean"),
    ),
    "group_coverages": _view(
        "group_coverages",
        "Coverage",
        ("id", "id", "id"),
        ("patient", "beneficiary.getReferenceKey(Patient)", "id"),
        ("sopt", f"type.coding.where(system = '{SOPT}').code.first()", "code"),
        ("type", "type.text", "string"),
        ("payor", "payor.display.first()", "string"),
        ("own", "payor.getReferenceKey(Patient).first()", "id"),
        ("rank", "order", "positiveInt"),
        ("starts", "period.start", "dateTime"),
        ("ends", "period.end", "dateTime"),
        where=("status = 'active'",),
    ),
    "group_disabilities": _view(
        "group_disabilities",
        "Observation",
        ("patient", "subject.getReferenceKey(Patient)", "id"),
        ("yes", "valueBoolean", "boolean"),
        ("answer", "valueCodeableConcept.coding.code.first()", "code"),
        where=(f"category.coding.where(system = '{_CATEGORY}').where(code = 'disability-status').exists()",),
    ),
    "group_sites": _view("group_sites", "Organization", ("id", "id", "id"), ("name", "name", "string")),
}
"""By the name of the table that each becomes."""
