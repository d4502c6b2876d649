"""The other apps that run: in shadow, on the first day of the window, through the same durable runtime."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from careplane.records import JSON
from careplane.records.run import Event
from careplane.sandbox.journey.scene import Scene
from careplane.sandbox.journey.training import take_lesson
from careplane.workflow.durable import Durable


async def run_shadows(scene: Scene, durable: Durable) -> int:
    """Summaries before visits and after stays, and the morning brief of every ward; says how many events there were."""
    cases = min(12, scene.options.patients // 60)
    events = [*await _visits(scene, cases), *await _discharges(scene, cases), *_huddles(scene)[:cases]]
    for event in events:
        if event.user is not None:
            take_lesson(scene, event.app, event.user)
        await durable.submit(event)
    await durable.drain()
    return len(events)


async def _visits(scene: Scene, cases: int) -> list[Event]:
    day = scene.scenario.pilot_start.isoformat()
    booked = await scene.platform.fhir.search(
        "Appointment", {"date": f"ge{day}", "status": "booked", "_sort": "date"}, cases
    )
    return [_visit(scene, appointment) for appointment in booked]


def _visit(scene: Scene, appointment: JSON) -> Event:
    actors = [part["actor"]["reference"] for part in appointment["participant"]]
    return Event(
        id=f"visit-{appointment['id']}",
        app="previsit_summary",
        kind="patient-view",
        at=scene.now,
        patient=_one(actors, "Patient/"),
        focus=f"Appointment/{appointment['id']}",
        unit=_one(actors, "Location/"),
        user=_one(actors, "Practitioner/"),
    )


async def _discharges(scene: Scene, cases: int) -> list[Event]:
    query = {"class": "IMP", "status": "finished", "_sort": "-date"}
    stays = await scene.platform.fhir.search("Encounter", query, cases)
    return [_discharge(scene, stay) for stay in stays]


def _discharge(scene: Scene, stay: JSON) -> Event:
    reference = f"Encounter/{stay['id']}"
    return Event(
        id=f"discharge-{stay['id']}",
        app="discharge_summary",
        kind="encounter-discharge",
        at=scene.now,
        patient=stay["subject"]["reference"],
        encounter=reference,
        focus=reference,
        unit=stay["location"][0]["location"]["reference"],
        user=stay["participant"][0]["individual"]["reference"],
    )


def _huddles(scene: Scene) -> list[Event]:
    managers = {p.unit: p for p in scene.staff.people.values() if p.job in ("charge_nurse", "bed_manager")}
    six = scene.now + timedelta(hours=6)
    return [_huddle(unit, person.id, person.site, six) for unit, person in sorted(managers.items())]


def _huddle(unit: str, user: str, site: str, at: datetime) -> Event:
    ident = f"huddle-{unit.rpartition('/')[2]}-{at:%Y%m%dT%H%M}"
    return Event(id=ident, app="bed_huddle", kind="schedule", at=at, unit=unit, site=site, user=user)


def _one(references: Iterable[str], start: str) -> str | None:
    return next((reference for reference in references if reference.startswith(start)), None)
