"""A small synthetic trial as FHIR, with known true effects: 12 clinics, two strata, baseline and pilot."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson

from careplane.records import JSON
from careplane.records.evidence import Assignment, Plan, PlannedMeasure
from careplane.store.lake import load_path

START, DAYS = date(2026, 3, 2), 28
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
UNITS = {f"Location/clinic-{n:02}": f"hospital-{1 + (n > 6)}" for n in range(1, 13)}


def plan(**changes: object) -> Plan:
    """An unlocked plan over the twelve clinics."""
    values: dict[str, object] = {
        "id": "trial",
        "app": "portal_reply",
        "version": 1,
        "question": "Does it help?",
        "design": "cluster_randomised",
        "unit": "clinic",
        "clusters": tuple(sorted(UNITS)),
        "strata": UNITS,
        "measures": (
            PlannedMeasure(id="msg_turnaround", role="primary", unit="h", direction="lower", mcid=1.0),
            PlannedMeasure(id="message_minutes", role="balancing", unit="min", direction="lower", mcid=0.5),
        ),
        "equity": ("language", "payer"),
        "baseline_start": START - timedelta(days=DAYS),
        "start": START,
        "end": START + timedelta(days=DAYS),
        "seed": 7,
        "alpha": 0.05,
        "analysis": "as published",
        "decision_rule": "as published",
        "power": "not computed",
    }
    return Plan(**{**values, **changes})  # type: ignore[arg-type]


def patient(ident: str, language: str) -> JSON:
    coding = [{"system": "urn:ietf:bcp:47", "code": language}]
    return {"resourceType": "Patient", "id": ident, "communication": [{"language": {"coding": coding}}]}


def exchange(ident: str, clinic: str, person: str, sent: datetime, hours: float, minutes: float) -> list[JSON]:
    """A message, its reply after so many hours, and the audited handling."""
    about, clinician = [{"reference": clinic}], {"reference": "Practitioner/p001"}
    replied = sent + timedelta(hours=hours)
    ends = replied + timedelta(minutes=minutes)
    return [
        {
            "resourceType": "Communication",
            "id": ident,
            "status": "completed",
            "sent": sent.isoformat(),
            "sender": {"reference": f"Patient/{person}"},
            "recipient": [clinician],
            "about": about,
        },
        {
            "resourceType": "Communication",
            "id": f"{ident}-reply",
            "status": "completed",
            "inResponseTo": [{"reference": f"Communication/{ident}"}],
            "sent": replied.isoformat(),
            "sender": clinician,
            "recipient": [{"reference": f"Patient/{person}"}],
            "about": about,
        },
        {
            "resourceType": "AuditEvent",
            "id": f"{ident}-audit",
            "recorded": ends.isoformat(),
            "period": {"start": replied.isoformat(), "end": ends.isoformat()},
            "entity": [{"what": {"reference": f"Communication/{ident}"}}],
        },
    ]


def load_trial(
    home: Path, assigned: tuple[Assignment, ...], *, hours: float, minutes: float, per_clinic: int = 60, seed: int = 3
) -> None:
    """Load a trial in which the app changes turnaround by ``hours`` and handling by ``minutes``.

    Every message is sent at 09:00 UTC of a Monday to Thursday and answered the same day, so hours are business hours.
    One in twelve is never answered. The first patients speak English, then Spanish, and five Hmong.
    """
    rng = np.random.default_rng(seed)
    arms = {one.unit: one.arm for one in assigned}
    languages: Mapping[int, str] = dict.fromkeys(range(5), "hmn") | dict.fromkeys(range(5, 60), "es")
    resources = [patient(f"x{n}", languages.get(n, "en")) for n in range(240)]
    for unit in sorted(UNITS):
        usual = 4 + rng.normal(0, 0.4)
        for number in range(2 * per_clinic):
            pilot = number >= per_clinic
            on = arms[unit] == "intervention" and pilot
            day = START + timedelta(days=7 * int(rng.integers(4)) + int(rng.integers(4)) - (0 if pilot else DAYS))
            sent = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
            wait = float(np.clip(usual + hours * on + rng.normal(0, 1), 0.1, 8.9))
            taken = float(3 + minutes * on + rng.gamma(2, 0.4))
            ident = f"{unit.rpartition('/')[2]}-{number}"
            made = exchange(ident, unit, f"x{rng.integers(240)}", sent, wait, taken)
            resources += made[:1] if number % 12 == 5 else made
    source = home / "source.ndjson"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(b"".join(orjson.dumps(resource) + b"\n" for resource in resources))
    load_path(source, home)
