"""The rig of ``fhir_r4``: a ``sekmet-fhir`` server of its own, which asks for a token and gives them as SMART says."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey, RSAKey

from careplane.codecs.smart_assertion import public_keys, read_client_key
from careplane.connectors import fhir_r4
from careplane.connectors.fhir_r4 import R4Connector
from careplane.errors import Refused
from careplane.sandbox.ehr_server import EhrServer

REQUIRED = ("base_url",)
SECRETS = ("token",)
TOKEN = "tok-4711-secret"
KEYS = {
    "RS384": orjson.dumps(RSAKey.generate_key(2048).as_dict(private=True)).decode(),
    "ES384": orjson.dumps(ECKey.generate_key("P-384").as_dict(private=True)).decode(),
}


@dataclass(frozen=True)
class Server:
    """A running FHIR server; ``backend`` are settings for SMART backend services by algorithm."""

    settings: Mapping[str, str]
    backend: Mapping[str, Mapping[str, str]]


@contextmanager
def peer(folder: Path) -> Iterator[Server]:
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    clients = [
        {"client_id": f"careplane-{alg}", "jwks": public_keys([read_client_key(key)]), "scopes": "system/Patient.cruds"}
        for alg, key in KEYS.items()
    ]
    auth = {"types": ["bearer", "smart"], "tokens": [TOKEN], "smart_clients": clients, "token_lifetime": 300}
    with EhrServer(folder, options={"server_auth": {**auth, "enforce_scopes": True}}) as server:
        base = {"base_url": server.base_url}
        backend = {
            alg: {**base, "client_id": f"careplane-{alg}", "key": key, "scopes": "system/Patient.cruds"}
            for alg, key in KEYS.items()
        }
        yield Server({**base, "token": TOKEN}, backend)


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    return {"base_url": f"http://{host}:{port}/fhir", "token": TOKEN, "timeout_seconds": "0.3"}


async def call(connector: R4Connector, words: str) -> object:
    return await connector.search("Patient", {"family": words})


async def a_signed_assertion_gets_a_token_that_is_used(_connector: R4Connector, server: Server) -> None:
    for settings in server.backend.values():
        ehr = fhir_r4.open(settings)
        target = await ehr.create({"resourceType": "Patient", "active": True})
        found = await asyncio.gather(*(ehr.read(target) for _ in range(5)))
        assert all(one is not None and one["active"] for one in found)
        await ehr.aclose()


async def what_the_scopes_leave_out_is_refused(_connector: R4Connector, server: Server) -> None:
    ehr = fhir_r4.open(server.backend["RS384"])
    with pytest.raises(Refused, match="scopes"):
        await ehr.search("Observation", {"patient": "p"})
    await ehr.aclose()


async def a_key_that_the_server_does_not_know_gets_none(_connector: R4Connector, server: Server) -> None:
    other = orjson.dumps(RSAKey.generate_key(2048).as_dict(private=True)).decode()
    ehr = fhir_r4.open({**server.backend["RS384"], "key": other})
    with pytest.raises(Refused, match="invalid_client"):
        await ehr.read("Patient/p")
    await ehr.aclose()


async def without_a_token_nothing_is_answered(_connector: R4Connector, server: Server) -> None:
    ehr = fhir_r4.open({"base_url": server.settings["base_url"]})
    with pytest.raises(Refused, match="401"):
        await ehr.read("Patient/p")
    await ehr.aclose()
    assert httpx.get(f"{server.settings['base_url']}/Patient").status_code == 401


BEHAVIOURS = {
    "token": (
        a_signed_assertion_gets_a_token_that_is_used,
        what_the_scopes_leave_out_is_refused,
        a_key_that_the_server_does_not_know_gets_none,
        without_a_token_nothing_is_answered,
    )
}
