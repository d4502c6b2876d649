"""Lines of professional claims that stand: what was done, by whom, when."""

import ibis

from careplane.measures._days import wall_day
from careplane.records import JSON

CHARGES: JSON = {
    "resourceType": "ViewDefinition",
    "name": "charges",
    "status": "active",
    "resource": "Claim",
    "where": [{"path": "status = 'active'"}, {"path": "use = 'claim'"}, {"path": "created.exists()"}],
    "select": [
        {
            "column": [
                {"name": "claim", "path": "id", "type": "id"},
                {"name": "created", "path": "created", "type": "dateTime"},
                {"name": "patient", "path": "patient.getReferenceKey(Patient)", "type": "id"},
                {"name": "provider", "path": "provider.getReferenceKey(Practitioner)", "type": "id"},
                {
                    "name": "performer",
                    "path": "careTeam.provider.getReferenceKey(Practitioner).first()",
                    "type": "id",
                },
                {"name": "cluster", "path": "facility.reference", "type": "string"},
            ]
        },
        {
            "forEach": "item",
            "column": [
                {"name": "line", "path": "sequence", "type": "positiveInt"},
                {"name": "code", "path": "productOrService.coding.code.first()", "type": "code"},
                {"name": "quantity", "path": "quantity.value", "type": "decimal"},
                {"name": "on", "path": "servicedDate", "type": "date"},
                {"name": "from", "path": "servicedPeriod.start", "type": "dateTime"},
            ],
        },
    ],
}

REPLACED: JSON = {
    "resourceType": "ViewDefinition",
    "name": "replaced",
    "status": "active",
    "resource": "Claim",
    "where": [{"path": "status = 'active'"}],
    "select": [
        {
            "forEach": "related.where(relationship.coding.where(code = 'prior').exists())",
            "column": [{"name": "earlier", "path": "claim.getReferenceKey(Claim)", "type": "id"}],
        }
    ],
}
"""Claims that a later claim replaces (``related`` with the relationship ``prior``)."""


def standing(charges: ibis.Table, replaced: ibis.Table) -> ibis.Table:
    """Charge lines of claims that were not replaced.

    Returns:
        ``claim``, ``line``, ``code``, ``quantity`` (1 where none is given), ``patient``, ``clinician`` (the first of
        the care team, else the provider), ``cluster``, ``day`` of the service, else of the claim.
    """
    left = charges.anti_join(replaced, charges.claim == replaced.earlier)
    return left.select(
        "claim",
        "line",
        "code",
        "patient",
        "cluster",
        quantity=left.quantity.fill_null(1.0),
        clinician=ibis.coalesce(left.performer, left.provider),
        day=wall_day(ibis.coalesce(left.on, left["from"], left.created)),
    )
