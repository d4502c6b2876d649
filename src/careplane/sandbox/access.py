"""What somebody needs who wants an appointment: the clinics' services, their schedules and free slots."""

from collections.abc import Iterator
from datetime import timedelta

from careplane.records import JSON
from careplane.sandbox.resources import reference, resource
from careplane.sandbox.scenario import Scenario, instant, midnight
from careplane.sandbox.staffing import WEEKDAYS, Organisation, Unit

DAYS_AHEAD = 3
TIMES = (9, 11, 14)


def clinics(scenario: Scenario, organisation: Organisation) -> Iterator[JSON]:
    """For each clinic its service, its schedule, and nine free slots on the next three weekdays."""
    for number, clinic in enumerate(organisation.clinics, start=1):
        yield _service(clinic, number)
        yield resource(
            "Schedule", f"schedule-{clinic.id.split('/')[1]}", active=True, serviceType=[{"text": "Follow-up visit"}],
            actor=[reference(clinic.id, clinic.name)],
        )  # fmt: skip
        yield from _slots(scenario, clinic)


def _service(clinic: Unit, number: int) -> JSON:
    return resource(
        "HealthcareService", f"service-{clinic.id.split('/')[1]}", active=True, name=clinic.name,
        providedBy=reference(clinic.site), location=[reference(clinic.id)], type=[{"text": "Primary care"}],
        comment="Enter from the parking lot. Bring your insurance card. Interpreters are free.",
        telecom=[{"system": "phone", "value": f"(555) 555-01{number:02d}"}],
        availableTime=[{
            "daysOfWeek": list(WEEKDAYS), "availableStartTime": "08:00:00", "availableEndTime": "18:00:00",
        }],
    )  # fmt: skip


def _slots(scenario: Scenario, clinic: Unit) -> Iterator[JSON]:
    ident, day = clinic.id.split("/")[1], midnight(scenario.pilot_start)
    for ahead in range(DAYS_AHEAD):
        day += timedelta(days=1 if day.weekday() < 4 else 7 - day.weekday())
        for hour in TIMES:
            begins = day + timedelta(hours=hour, minutes=20 * scenario.draw("slot", ident, ahead, hour).randrange(3))
            yield resource(
                "Slot", f"slot-{ident}-{ahead}-{hour}", schedule=reference(f"Schedule/schedule-{ident}"), status="free",
                serviceType=[{"text": "Follow-up visit"}], start=instant(begins),
                end=instant(begins + timedelta(minutes=20)),
            )  # fmt: skip
