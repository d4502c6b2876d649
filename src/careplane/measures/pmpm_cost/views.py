"""The views of cost per member and month: covered time, adjudicated claims, and to whom members are attributed."""

from careplane.records import JSON

COVERAGES: JSON = {
    "resourceType": "ViewDefinition",
    "name": "coverages",
    "status": "active",
    "resource": "Coverage",
    "where": [{"path": "status = 'active'"}, {"path": "period.start.exists()"}],
    "select": [
        {
            "column": [
                {"name": "patient", "path": "beneficiary.getReferenceKey(Patient)", "type": "id"},
                {"name": "starts", "path": "period.start", "type": "dateTime"},
                {"name": "ends", "path": "period.end", "type": "dateTime"},
            ]
        }
    ],
}

BENEFITS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "benefits",
    "status": "active",
    "resource": "ExplanationOfBenefit",
    "where": [{"path": "status = 'active'"}, {"path": "created.exists()"}],
    "select": [
        {
            "column": [
                {"name": "patient", "path": "patient.getReferenceKey(Patient)", "type": "id"},
                {"name": "created", "path": "created", "type": "dateTime"},
                {"name": "served", "path": "billablePeriod.start", "type": "dateTime"},
                {
                    "name": "allowed",
                    "path": "total.where(category.coding.where(code = 'eligible').exists()).amount.value.first()",
                    "type": "decimal",
                },
            ]
        }
    ],
}

MEMBERS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "members",
    "status": "active",
    "resource": "Patient",
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "cluster", "path": "managingOrganization.reference", "type": "string"},
                {
                    "name": "clinician",
                    "path": "generalPractitioner.getReferenceKey(Practitioner).first()",
                    "type": "id",
                },
            ]
        }
    ],
}
