"""A site with sixty patients whose messages were answered through the gateway, by a model that errs in a third."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from careplane import alignment, change
from careplane.records import JSON
from careplane.records.portfolio import Stage
from careplane.records.run import Event
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.store.lake import load_path
from careplane.workflow import run_event

PATIENTS = 60
NOW = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)
NURSE = "Practitioner/p1"
STAGES: tuple[Stage, ...] = ("intake", "shadow", "pilot")
GATEWAY = """
[providers.often]
kind = "scripted"
fault_percent = 34
[providers.never]
kind = "scripted"
fault_percent = 0
[providers.always]
kind = "scripted"
fault_percent = 100
[[routes]]
alias = "worse"
targets = [{ provider = "always", model = "writer-c" }]
[[routes]]
alias = "default"
targets = [{ provider = "often", model = "writer-a" }]
[[routes]]
alias = "steady"
targets = [{ provider = "never", model = "writer-b" }]
[[routes]]
alias = "judge"
targets = [{ provider = "never", model = "judge-1" }]
"""
MESSAGES = ("Can I get a refill of my medicine?", "What was my last blood test?", "When is my next appointment?")


def chart() -> Iterator[JSON]:
    """Patients with a message each; one in twelve speaks Hmong, one in four Spanish."""
    yield {"resourceType": "Practitioner", "id": "p1", "name": [{"family": "Okafor", "given": ["Ada"]}]}
    for n in range(PATIENTS):
        who = {"reference": f"Patient/a{n}"}
        code = "hmn" if n % 12 == 0 else "es" if n % 4 == 1 else "en"
        yield {
            "resourceType": "Patient",
            "id": f"a{n}",
            "name": [{"family": f"Quill{chr(97 + n % 26)}", "given": ["Maria"]}],
            "gender": "female" if n % 2 else "male",
            "communication": [{"language": {"coding": [{"code": code}]}}],
        }
        yield {
            "resourceType": "Communication",
            "id": f"m{n}",
            "status": "completed",
            "subject": who,
            "sender": who,
            "sent": "2026-03-02T08:00:00-06:00",
            "payload": [{"contentString": MESSAGES[n % 3]}],
        }
        yield {
            "resourceType": "Observation",
            "id": f"o{n}",
            "status": "final",
            "subject": who,
            "code": {"text": "Hemoglobin A1c"},
            "effectiveDateTime": "2026-02-20",
            "valueQuantity": {"value": 7.2, "unit": "%"},
        }
        yield {
            "resourceType": "MedicationRequest",
            "id": f"r{n}",
            "status": "active",
            "intent": "order",
            "subject": who,
            "medicationCodeableConcept": {"text": "metformin 500 mg tablet"},
            "authoredOn": "2026-01-05",
        }


def own_folder(apps: Path, version: str = "1.0.0", route: str = "default", cases: bool = True) -> Path:
    """portal_reply as a folder of this site, judged on the route ``judge``."""
    shipped = Path(__file__).resolve().parents[3] / "src/careplane/apps/portal_reply"
    folder = apps / "portal_reply"
    (folder / "cases").mkdir(parents=True)
    manifest = (shipped / "app.yaml").read_text(encoding="utf-8").replace("version: 1.0.0", f"version: {version}")
    manifest += f"\nroute:\n  model: {route}\nquality:\n  judge: judge\n  max_errors_per_100: 20.0\n"
    (folder / "app.yaml").write_text(manifest, encoding="utf-8")
    for name in ("prompt.md", "lesson.md"):
        (folder / name).write_text((shipped / name).read_text(encoding="utf-8"), encoding="utf-8")
    for file in sorted((shipped / "cases").glob("*.yaml")) if cases else ():
        (folder / "cases" / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def open_site(folder: Path, apps: Path, gateway: str = GATEWAY) -> Platform:
    """A site whose home is in a folder, its gateway's file written."""
    file = folder / "gateway.toml"
    file.write_text(gateway, encoding="utf-8")
    settings = read_settings({}, home=str(folder / "home"), apps_path=str(apps), gateway_file=str(file), timezone="UTC")
    return open_platform(settings, clock=lambda: NOW, synthetic=True)


@pytest.fixture(scope="session")
def make_folder() -> Callable[..., Path]:
    """Writes a folder of portal_reply: ``make_folder(apps, version="1.1.0", route="steady")``."""
    return own_folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a site in it, its messages answered."""
    folder = tmp_path_factory.mktemp("quality")
    home = folder / "home"
    home.mkdir(mode=0o700)
    own_folder(folder / "apps")
    file = folder / "chart.ndjson"
    file.write_text("".join(json.dumps(resource) + "\n" for resource in chart()), encoding="utf-8")
    load_path(file, home)
    platform = open_site(folder, folder / "apps")
    asyncio.run(_answer(platform))
    platform.close()
    return folder


async def _answer(platform: Platform) -> None:
    for stage in STAGES:
        item = alignment.load_item(platform.store, "portal_reply")
        alignment.move_stage(platform.store, platform.ledger, item, stage, NOW, "owner", "test")
    app = platform.app("portal_reply")
    answers = [question.answer for question in change.lesson(app).questions]
    change.take_quiz(platform.store, platform.ledger, app, NURSE, answers, NOW)
    for n in range(PATIENTS):
        run = await run_event(
            platform.runtime,
            Event(
                id=f"e{n}",
                app="portal_reply",
                kind="Communication.created",
                at=NOW,
                patient=f"Patient/a{n}",
                focus=f"Communication/m{n}",
                unit="Location/clinic-01",
                user=NURSE,
            ),
        )
        assert run.status == "draft", (run.error, run.permit)
    await platform.fhir.aclose()


@pytest.fixture(scope="module")
def site(place: Path) -> Iterator[Platform]:
    """The site, opened."""
    platform = open_site(place, place / "apps")
    yield platform
    platform.close()
