"""The portal against endpoints that misbehave; what it promises on a real FHIR server is in the contract suite."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from careplane.connectors import portal
from careplane.errors import InputError
from careplane.records.message import Delivery, Outgoing

MESSAGE = Outgoing(
    id="run-1:portal", to="Patient/p1", text="All is well.", subject="A reply", sender="Practitioner/d1", synthetic=True
)


@contextmanager
def answering(status: int, body: bytes = b"{}") -> Iterator[str]:
    async def answer(_request: Request) -> Response:
        return Response(body, status_code=status)

    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join(10)
        listener.close()


def send(base: str, message: Outgoing = MESSAGE, times: int = 1) -> list[Delivery]:
    async def all_of_them() -> list[Delivery]:
        sender = portal.open({"base_url": base})
        try:
            return [await sender.send(message) for _ in range(times)]
        finally:
            await sender.aclose()

    return asyncio.run(all_of_them())


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(400, "refused"), (422, "refused"), (401, "later"), (403, "later"), (412, "refused"), (201, "later")],
)
def test_refusals_are_data_with_reasons(status: int, outcome: str) -> None:
    with answering(status) as base:
        (delivery,) = send(base)
    assert delivery.outcome == outcome
    assert delivery.reason


def test_nobody_there_is_later() -> None:
    (delivery,) = send("http://127.0.0.1:1")
    assert delivery.outcome == "later"


@pytest.mark.parametrize("to", ["", "Patient", "Patient/", "Practitioner/x", "Patient/a/b"])
def test_only_a_patient_is_written_to(to: str) -> None:
    with pytest.raises(InputError, match="to"):
        send("http://127.0.0.1:1", Outgoing(id="x", to=to, text="t"))


@pytest.mark.parametrize(
    "wrong", [{}, {"base_url": "http://portal.example.org"}, {"base_url": "http://127.0.0.1", "x": "y"}]
)
def test_settings_are_checked(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError):
        portal.open(wrong)
