"""The portal: against a real FHIR server, and against endpoints that misbehave."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a ``sekmet-fhir`` server of its own."""
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    folder = tmp_path_factory.mktemp("portal")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}/fhir"
    (folder / "settings.yaml").write_text(f"base_url: {base}\ndata_dir: {folder}\nsimulator: {{enabled: false}}\n")
    command = [str(Path(sys.executable).with_name("sekmet")), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        [*command, "-c", "settings.yaml"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait(base, process)
            yield base
        finally:
            process.terminate()


def _wait(base: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, "the FHIR server ended"
        try:
            if httpx.get(f"{base}/metadata", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the FHIR server did not come up")


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


def test_a_message_is_in_the_portal_once_however_often_it_is_sent(server: str) -> None:
    httpx.put(f"{server}/Patient/p1", json={"resourceType": "Patient", "id": "p1"}).raise_for_status()
    httpx.put(f"{server}/Practitioner/d1", json={"resourceType": "Practitioner", "id": "d1"}).raise_for_status()
    first, second = send(server, times=2)
    assert first.outcome == second.outcome == "accepted"
    assert first.reference == second.reference
    held = httpx.get(f"{server}/{first.reference}").json()
    assert held["payload"] == [{"contentString": "All is well."}]
    assert held["recipient"] == [{"reference": "Patient/p1"}]
    assert held["sender"] == {"reference": "Practitioner/d1"}
    assert {label["code"] for label in held["meta"]["security"]} == {"AIAST", "HTEST"}
    found = httpx.get(f"{server}/Communication", params={"identifier": "urn:careplane:message|run-1:portal"}).json()
    assert len(found["entry"]) == 1


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
