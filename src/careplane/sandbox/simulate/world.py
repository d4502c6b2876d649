"""The throw-away installation of a simulation: synthetic patients in a real EHR, a real server, trained staff."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket

import uvicorn

from careplane import alignment, change
from careplane.records.app import App
from careplane.records.people import Person
from careplane.records.portfolio import Stage
from careplane.sandbox.dataset import generate
from careplane.sandbox.ehr import Ehr
from careplane.sandbox.ehr_server import free_port
from careplane.sandbox.resources import IDENTIFIERS
from careplane.sandbox.staff import Staff
from careplane.server.asgi import asgi_app
from careplane.server.binding import bind
from careplane.server.mllp import listening
from careplane.server.platform import Platform, open_platform
from careplane.server.schedules import open_schedules
from careplane.settings import default_settings
from careplane.store import save
from careplane.store.tables import people
from careplane.workflow.durable import Durable

SEED, PATIENTS = 7, 240
STAGES: tuple[Stage, ...] = ("intake", "shadow", "pilot")
BY = "simulation"

Progress = Callable[[str], None]


@dataclass(slots=True)
class World:
    """What a simulation acts in; ``address`` is the server's, ``ehr_url`` the EHR's, ``dataset`` the folder of the
    synthetic health system."""

    platform: Platform
    durable: Durable
    address: str
    ehr_url: str
    mllp_port: int
    erp_folder: Path
    dataset: Path
    staff: dict[str, Person]
    trained: set[tuple[str, str]] = field(default_factory=set)

    def train(self, app: App, person: str | None) -> None:
        """Have a person pass the lesson of an app, once."""
        if person is None or (app.id, person) in self.trained:
            return
        right = [question.answer for question in change.lesson(app).questions]
        change.take_quiz(self.platform.store, self.platform.ledger, app, person, right, self.platform.clock())
        self.trained.add((app.id, person))

    def someone(self, *jobs: str, unit: str | None = None) -> Person:
        """A member of the staff with one of these jobs, in the unit if somebody is there."""
        able = [person for person in self.staff.values() if not jobs or person.job in jobs] or list(self.staff.values())
        return next((person for person in able if person.unit == unit), able[0])


@contextmanager
def open_world(folder: Path, *, apps_path: str = "", model: str = "scripted", progress: Progress) -> Iterator[World]:
    """Build the installation in an empty folder and serve it until the block ends.

    Args:
        folder: an empty folder; the caller removes it.
        apps_path: the site's own app folders, read beside those that ship.
        model: the model behind the drafts.
        progress: told what is being done.

    Raises:
        MissingExtra: the sandbox EHR is not installed.
    """
    dataset = folder / "sandbox"
    progress("Generating synthetic patients")
    generate(dataset, SEED, patients=PATIENTS)
    with ExitStack() as stack:
        progress("Starting their EHR (FHIR R4)")
        ehr = stack.enter_context(Ehr(dataset, folder / "ehr"))
        progress("Starting a server")
        listener = stack.enter_context(bind("127.0.0.1", 0))
        address, mllp_port = f"http://127.0.0.1:{listener.getsockname()[1]}", free_port()
        erp_folder = folder / "erp"
        erp_folder.mkdir()
        settings = default_settings(
            home=str(folder / "home"),
            apps_path=apps_path,
            model=model,
            fhir_base_url=ehr.base_url,
            public_url=address,
            erp_path=str(erp_folder),
            mllp_port=mllp_port,
            mllp_systems=f"MRN={IDENTIFIERS}mrn, VISIT={IDENTIFIERS}visit",
        )
        platform = open_platform(settings, synthetic=True)
        stack.callback(platform.close)
        staff = Staff.open(dataset).people
        _enrol(platform, staff.values())
        durable = Durable(platform.runtime, platform.home, open_schedules(platform))
        durable.start()
        stack.callback(durable.stop)
        stack.enter_context(_served(platform, durable, listener))
        stack.enter_context(listening(platform, durable, progress))
        yield World(platform, durable, address, ehr.base_url, mllp_port, erp_folder, dataset, dict(staff))


def _enrol(platform: Platform, staff: Iterable[Person]) -> None:
    """Put the staff on the list, and every app that runs into a pilot."""
    store, ledger = platform.store, platform.ledger
    with store.write() as connection:
        for person in staff:
            save(connection, people, person, id=person.id, unit=person.unit, job=person.job)
    for app in platform.apps.values():
        for stage in STAGES if app.runnable else ():
            item = alignment.load_item(store, app.id)
            alignment.move_stage(store, ledger, item, stage, platform.clock(), BY, "a simulation")


@contextmanager
def _served(platform: Platform, durable: Durable, listener: socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(asgi_app(platform, durable), log_level="error", server_header=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="careplane-simulation")
    thread.start()
    try:
        # the socket listens already, so the first request waits until the server takes it
        yield
    finally:
        server.should_exit = True
        thread.join()
