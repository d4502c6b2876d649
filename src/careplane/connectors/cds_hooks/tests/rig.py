"""The rig of ``cds_hooks``: an EHR that calls hooks, with a real FHIR server (``sekmet-fhir``) behind its tokens."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from careplane.codecs.cdshooks import HookCall, read_call
from careplane.connectors.cds_hooks import HookConnector
from careplane.errors import InputError, UpstreamError, UpstreamLacks
from careplane.records import JSON
from careplane.sandbox.ehr_server import EhrServer

REQUIRED = ("fhir_base_url",)
SECRETS: tuple[str, ...] = ()
TEMPLATES = {
    "patient": "Patient/{{context.patientId}}",
    "observation": "Observation?patient={{context.patientId}}&code=4548-4&_count=50",
}
MANY = 25


@dataclass(frozen=True)
class Server:
    """A running FHIR server with two patients, ``ana`` (with 25 observations) and ``bea``."""

    settings: Mapping[str, str]
    base_url: str


@contextmanager
def peer(folder: Path) -> Iterator[Server]:
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    with EhrServer(folder) as server:
        with httpx.Client(base_url=server.base_url, trust_env=False) as client:
            for ident in ("ana", "bea"):
                _put(client, {"resourceType": "Patient", "id": ident, "active": True})
            for number in range(MANY):
                _put(client, observation("ana", number))
            _put(client, observation("bea", MANY))
        yield Server({"fhir_base_url": server.base_url}, server.base_url)


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    return {"fhir_base_url": f"http://{host}:{port}/fhir", "timeout_seconds": "0.3"}


async def call(connector: HookConnector, words: str) -> object:
    data = connector.data(hook(connector.base_url, scope="user/*.read"), TEMPLATES)
    return await data.search("Patient", {"family": words})


def _put(client: httpx.Client, resource: JSON) -> None:
    client.put(f"/{resource['resourceType']}/{resource['id']}", json=resource).raise_for_status()


def observation(patient: str, number: int) -> JSON:
    """A synthetic laboratory value."""
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "subject": {"reference": f"Patient/{patient}"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
        "valueQuantity": {"value": 6 + number / 10, "unit": "%"},
    }


def hook(base_url: str, prefetch: JSON | None = None, scope: str = "", **context: Any) -> HookCall:
    """A call of ``patient-view`` about ``ana``; with a scope it brings a token."""
    body: JSON = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"patientId": "ana", "userId": "Practitioner/p1", **context},
        "prefetch": prefetch or {},
    }
    if scope:
        body["fhirServer"] = base_url
        body["fhirAuthorization"] = {
            "access_token": "tok-4711-secret",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": scope,
            "subject": "careplane",
        }
    return read_call(orjson.dumps(body), hooks=("patient-view",))


async def it_takes_what_was_sent_and_null_for_nothing(connector: HookConnector, peer: Server) -> None:
    sent = {"patient": {"resourceType": "Patient", "id": "ana", "gender": "female"}, "observation": None}
    data = connector.data(hook(peer.base_url, sent), TEMPLATES)
    held = await data.read("Patient/ana")
    assert held is not None
    assert held["gender"] == "female"
    assert await data.search("Observation", {"code": "4548-4", "patient": "ana"}, 50) == ()
    with pytest.raises(UpstreamLacks):
        await data.search("Condition", {"patient": "ana"})


async def it_follows_the_pages_of_what_was_sent(connector: HookConnector, peer: Server) -> None:
    page = await asyncio.to_thread(
        lambda: httpx.get(f"{peer.base_url}/Observation?patient=ana&code=4548-4&_count=10", trust_env=False).json()
    )
    assert len(page["entry"]) == 10
    data = connector.data(hook(peer.base_url, {"observation": page}, "patient/Observation.rs"), TEMPLATES)
    assert len(await data.search("Observation", {"patient": "ana", "code": "4548-4"}, 50)) == MANY
    alone = connector.data(hook(peer.base_url, {"observation": page}), TEMPLATES)
    assert len(await alone.search("Observation", {"patient": "ana", "code": "4548-4"}, 10)) == 10
    with pytest.raises(UpstreamLacks, match="first page"):
        await alone.search("Observation", {"patient": "ana", "code": "4548-4"}, 50)


async def it_fetches_what_is_missing_or_failed(connector: HookConnector, peer: Server) -> None:
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    call = hook(peer.base_url, {"observation": failed}, "patient/Patient.read patient/Observation.read")
    data = connector.data(call, TEMPLATES)
    held = await data.read("Patient/ana")
    assert held is not None
    assert held["id"] == "ana"
    assert len(await data.search("Observation", {"patient": "ana", "code": "4548-4"}, 50)) == MANY
    assert await data.search("Observation", {"patient": "ana", "code": "none"}, 50) == ()


async def it_gives_nothing_of_another_patient(connector: HookConnector, peer: Server) -> None:
    bea = {"resourceType": "Patient", "id": "bea"}
    lies: tuple[JSON, ...] = (
        {"patient": bea},
        {"observation": observation("bea", 1)},
        {"observation": {"resourceType": "Bundle", "entry": [{"resource": observation("bea", 1)}]}},
    )
    for lie in lies:
        with pytest.raises(InputError, match="another"):
            connector.data(hook(peer.base_url, lie), TEMPLATES)
    data = connector.data(hook(peer.base_url, scope="user/*.rs"), TEMPLATES)
    with pytest.raises(UpstreamError, match="another patient"):
        await data.search("Observation", {"patient": "bea", "code": "4548-4"}, 50)


async def a_token_opens_its_scopes_on_its_own_server(connector: HookConnector, peer: Server) -> None:
    for scope in ("patient/Condition.read", "patient/Observation.r", "launch openid", "patient/Nothing.read"):
        data = connector.data(hook(peer.base_url, scope=scope), TEMPLATES)
        with pytest.raises(UpstreamLacks):
            await data.search("Observation", {"patient": "ana", "code": "4548-4"}, 50)
    narrow = connector.data(hook(peer.base_url, scope="patient/Observation.rs?code=4548-4"), TEMPLATES)
    assert len(await narrow.search("Observation", {"patient": "ana", "code": "4548-4"}, 50)) == MANY
    with pytest.raises(UpstreamLacks):
        await narrow.search("Observation", {"patient": "ana"}, 50)
    with pytest.raises(InputError, match="FHIR server"):
        connector.data(hook("http://127.0.0.1:9/fhir", scope="user/*.rs"), TEMPLATES)


BEHAVIOURS = {
    "prefetch": (it_takes_what_was_sent_and_null_for_nothing,),
    "prefetch_pages": (it_follows_the_pages_of_what_was_sent,),
    "missing_prefetch": (it_fetches_what_is_missing_or_failed,),
    "own_patient_only": (it_gives_nothing_of_another_patient,),
    "scoped_token": (a_token_opens_its_scopes_on_its_own_server,),
}
