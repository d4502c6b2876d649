"""An installation with synthetic data, and a real server on it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from careplane import alignment, change
from careplane.gateway import issue_key
from careplane.records import JSON
from careplane.records.portfolio import Stage
from careplane.server.asgi import asgi_app
from careplane.server.binding import bind
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.store.lake import load_path
from careplane.workflow.durable import Durable

NURSE = "Practitioner/p1"
WARD = "Location/ward-a"


def chart() -> list[JSON]:
    """One patient on a ward, who wrote a message."""
    ana, place = {"reference": "Patient/ana"}, {"location": {"reference": WARD}}
    return [
        {"resourceType": "Patient", "id": "ana", "name": [{"family": "Quill", "given": ["Ana"]}]},
        {"resourceType": "Practitioner", "id": "p1", "name": [{"family": "Okafor"}]},
        {"resourceType": "Communication", "id": "m1", "status": "completed", "subject": ana, "sender": ana,
         "sent": "2026-03-02T08:00:00-06:00", "payload": [{"contentString": "When is my next appointment?"}]},
        {"resourceType": "Encounter", "id": "e1", "status": "in-progress", "subject": ana, "location": [place],
         "class": {"code": "IMP"}, "reasonCode": [{"text": "Pneumonia"}], "period": {"start": "2026-03-01"}},
        {"resourceType": "Task", "id": "t1", "status": "requested", "encounter": {"reference": "Encounter/e1"},
         "description": "Transport home not arranged"},
    ]  # fmt: skip


@pytest.fixture
def platform(tmp_path: Path, home: Path) -> Iterator[Platform]:
    """An installation with one patient on a ward; all its apps are ideas."""
    file = tmp_path / "chart.ndjson"
    file.write_text("".join(json.dumps(resource) + "\n" for resource in chart()), encoding="utf-8")
    load_path(file, home)
    opened = open_platform(read_settings({}, home=str(home), timezone="America/Chicago"), synthetic=True)
    yield opened
    opened.close()


@pytest.fixture
def promote(platform: Platform) -> Callable[[str, Stage], None]:
    """Takes an app of the register from idea to a stage, one step at a time."""
    steps: tuple[Stage, ...] = ("intake", "shadow", "pilot")

    def act(app: str, to: Stage) -> None:
        for stage in steps[: steps.index(to) + 1]:
            item = alignment.load_item(platform.store, app)
            alignment.move_stage(platform.store, platform.ledger, item, stage, platform.clock(), "owner", "test")

    return act


@pytest.fixture
def train(platform: Platform) -> Callable[[str, str], None]:
    """Has a person pass the lesson of an app."""

    def act(app: str, person: str) -> None:
        known = platform.app(app)
        answers = [question.answer for question in change.lesson(known).questions]
        change.take_quiz(platform.store, platform.ledger, known, person, answers, platform.clock())

    return act


class Door:
    """The running server as a connected system sees it; ``durable`` is its worker."""

    def __init__(self, client: httpx.Client, durable: Durable, key: str) -> None:
        self.client, self.durable, self.key = client, durable, key

    def post(self, body: Any, key: str | None = None) -> httpx.Response:
        """Post an event with the key of the app, or with another one (empty: none)."""
        sent = self.key if key is None else key
        headers = {"Authorization": f"Bearer {sent}"} if sent else {}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post("/events", content=content, headers=headers)


@pytest.fixture
def door(platform: Platform) -> Iterator[Door]:
    """A real server on loopback with its durable worker, and a key of portal_reply."""
    key = issue_key(platform.store, "portal_reply", datetime.now(UTC))
    durable = Durable(platform.runtime, platform.home)
    durable.start()
    try:
        with served(platform, durable) as address, httpx.Client(base_url=address, trust_env=False) as client:
            yield Door(client, durable, key)
    finally:
        durable.stop()


@contextmanager
def served(platform: Platform, durable: Durable) -> Iterator[str]:
    """The whole server on a free port of 127.0.0.1; gives its address."""
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(asgi_app(platform, durable), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        # the socket listens already, so the first request waits until the server takes it
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
