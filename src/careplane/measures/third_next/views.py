"""The views of third-next-available: slots, the clinics of schedules, and appointments that take slots."""

from careplane.records import JSON

SLOTS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "slots",
    "status": "active",
    "resource": "Slot",
    "where": [{"path": "start.exists()"}],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "schedule", "path": "schedule.getReferenceKey(Schedule)", "type": "id"},
                {"name": "status", "path": "status", "type": "code"},
                {"name": "start", "path": "start", "type": "instant"},
            ]
        }
    ],
}

SCHEDULES: JSON = {
    "resourceType": "ViewDefinition",
    "name": "schedules",
    "status": "active",
    "resource": "Schedule",
    "where": [{"path": "actor.where(getReferenceKey(Location).exists()).exists()"}],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {
                    "name": "clinic",
                    "path": "actor.where(getReferenceKey(Location).exists()).reference.first()",
                    "type": "string",
                },
            ]
        }
    ],
}

BOOKINGS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "bookings",
    "status": "active",
    "resource": "Appointment",
    "where": [{"path": "created.exists()"}],
    "select": [
        {
            "column": [
                {"name": "status", "path": "status", "type": "code"},
                {"name": "created", "path": "created", "type": "dateTime"},
            ]
        },
        {"forEach": "slot", "column": [{"name": "slot", "path": "getReferenceKey(Slot)", "type": "id"}]},
    ],
}
