"""The rig of ``portal``: a ``sekmet-fhir`` server of its own, a real FHIR R4 server on loopback."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from careplane.connectors.portal import PortalSender
from careplane.errors import UpstreamError
from careplane.records.message import Outgoing
from careplane.sandbox.ehr_server import EhrServer

REQUIRED = ("base_url",)
SECRETS = ("token",)


@dataclass(frozen=True)
class Server:
    """A running FHIR server."""

    settings: Mapping[str, str]


@contextmanager
def peer(folder: Path) -> Iterator[Server]:
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    with EhrServer(folder) as server:
        for kind, ident in (("Patient", "p1"), ("Practitioner", "d1")):
            resource = {"resourceType": kind, "id": ident}
            httpx.put(f"{server.base_url}/{kind}/{ident}", json=resource).raise_for_status()
        yield Server({"base_url": server.base_url, "token": "tok-4711-secret"})


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    return {"base_url": f"http://{host}:{port}/fhir", "token": "tok-4711-secret", "timeout_seconds": "0.3"}


async def call(connector: PortalSender, words: str) -> object:
    """A delivery that did not succeed as an error, which is how the suite takes it."""
    delivery = await connector.send(Outgoing(id=words, to=f"Patient/{words}", text=words))
    if delivery.outcome != "accepted":
        raise UpstreamError(f"{delivery.outcome}: {delivery.reason}")
    return delivery


async def a_message_is_in_the_chart_once(connector: PortalSender, server: Server) -> None:
    message = Outgoing(
        id="run-1:portal", to="Patient/p1", text="All is well.", sender="Practitioner/d1", synthetic=True
    )
    first, second = await connector.send(message), await connector.send(message)
    assert first.outcome == second.outcome == "accepted"
    assert first.reference == second.reference
    held = httpx.get(f"{server.settings['base_url']}/{first.reference}").json()
    assert held["payload"] == [{"contentString": "All is well."}]
    assert held["recipient"] == [{"reference": "Patient/p1"}]
    assert held["sender"] == {"reference": "Practitioner/d1"}
    assert {label["code"] for label in held["meta"]["security"]} == {"AIAST", "HTEST"}


BEHAVIOURS = {"send": (a_message_is_in_the_chart_once,), "idempotent": (a_message_is_in_the_chart_once,)}
