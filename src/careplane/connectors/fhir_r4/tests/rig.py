"""The rig of ``fhir_r4``: a ``sekmet-fhir`` server of its own, a real FHIR R4 server on loopback."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from careplane.connectors.fhir_r4 import R4Connector
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
        yield Server({"base_url": server.base_url, "token": "tok-4711-secret"})


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    return {"base_url": f"http://{host}:{port}/fhir", "token": "tok-4711-secret", "timeout_seconds": "0.3"}


async def call(connector: R4Connector, words: str) -> object:
    return await connector.search("Patient", {"family": words})
