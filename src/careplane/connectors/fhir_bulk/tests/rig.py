"""The rig of ``fhir_bulk``: a ``sekmet-fhir`` server with some patients, which exports."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

import httpx
import orjson
import pytest

from careplane.codecs.fhir_bulk import ExportRequest
from careplane.connectors.fhir_bulk import BulkConnector
from careplane.errors import Conflict
from careplane.sandbox.ehr_server import EhrServer

REQUIRED = ("base_url",)
SECRETS = ("token",)
TOKEN = "tok-4711-secret"


@dataclass(frozen=True)
class Server:
    """A FHIR server, and a folder for exports."""

    settings: Mapping[str, str]
    folder: Path

    def put(self, kind: str, ident: str, **more: object) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        body = {"resourceType": kind, "id": ident, **more}
        url = f"{self.settings['base_url']}/{kind}/{ident}"
        httpx.put(url, json=body, headers=headers, trust_env=False).raise_for_status()


@contextmanager
def peer(folder: Path) -> Iterator[Server]:
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    options: dict[str, object] = {
        "server_auth": {"types": ["bearer"], "tokens": [TOKEN]},
        "simulator": {"enabled": False, "delay_seconds": 0.1},
    }
    with EhrServer(folder / "ehr", options=options) as server:
        here = Server({"base_url": server.base_url, "token": TOKEN}, folder)
        for n in range(5):
            here.put("Patient", f"p{n}", active=True)
            here.put("Observation", f"o{n}", status="final", subject={"reference": f"Patient/p{n}"})
        members = [{"entity": {"reference": f"Patient/p{n}"}} for n in range(2)]
        here.put("Group", "some", type="person", actual=True, member=members)
        yield here


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    return {"base_url": f"http://{host}:{port}/fhir", "token": TOKEN, "timeout_seconds": "0.3"}


async def call(connector: BulkConnector, words: str) -> object:
    return await connector.export(ExportRequest(level="group", group=words), Path(mkdtemp(prefix="careplane-")) / "x")


def ids(file: Path) -> list[str]:
    return sorted(orjson.loads(line)["id"] for line in file.read_bytes().splitlines())


async def each_level_gives_whole_files(bulk: BulkConnector, server: Server) -> None:
    every = await bulk.export(ExportRequest(types=("Patient", "Observation")), server.folder / "system")
    assert every.counts == {"Observation": 5, "Patient": 5}
    assert ids(server.folder / "system/Patient.1.ndjson") == [f"p{n}" for n in range(5)]
    some = await bulk.export(ExportRequest("group", "some", types=("Patient",)), server.folder / "group")
    assert some.counts == {"Patient": 2}
    patients = await bulk.export(ExportRequest("patient", types=("Observation",)), server.folder / "patient")
    assert patients.counts == {"Observation": 5}
    assert not list(server.folder.rglob("*.part"))


async def a_filter_narrows_its_type(bulk: BulkConnector, server: Server) -> None:
    server.put("Observation", "draft", status="preliminary")
    request = ExportRequest(types=("Observation",), type_filters=("Observation?status=preliminary",))
    await bulk.export(request, server.folder / "filter")
    assert ids(server.folder / "filter/Observation.1.ndjson") == ["draft"]


async def since_gives_what_changed(bulk: BulkConnector, server: Server) -> None:
    first = await bulk.export(ExportRequest(types=("Basic", "Patient")), server.folder / "first")
    time.sleep(1.1)  # the server counts in whole seconds
    server.put("Basic", "later", code={"text": "synthetic"})
    later = await bulk.export(ExportRequest(types=("Basic", "Patient"), since=first.at), server.folder / "later")
    assert later.counts == {"Basic": 1}
    assert later.at > first.at


async def what_is_there_is_not_asked_for_again(bulk: BulkConnector, server: Server) -> None:
    request, folder = ExportRequest(types=("Patient",)), server.folder / "again"
    first = await bulk.export(request, folder)
    before = (folder / "Patient.1.ndjson").stat().st_mtime_ns
    assert await bulk.export(request, folder) == first
    assert (folder / "Patient.1.ndjson").stat().st_mtime_ns == before
    with pytest.raises(Conflict, match="something else"):
        await bulk.export(ExportRequest(types=("Observation",)), folder)


async def what_is_cancelled_is_gone_at_the_server(bulk: BulkConnector, server: Server) -> None:
    request, folder = ExportRequest(types=("Patient",)), server.folder / "kept"
    await bulk.export(request, folder, keep=True)
    url = orjson.loads((folder / "export.json").read_bytes())["status_url"]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(url, headers=headers, trust_env=False).status_code == 200
    assert await bulk.cancel(folder, request)
    assert not await bulk.cancel(folder, request)
    assert httpx.get(url, headers=headers, trust_env=False).status_code == 404
    done = await bulk.export(request, server.folder / "gone")
    assert done.counts == {"Patient": 5}
    url = orjson.loads((server.folder / "gone/export.json").read_bytes())["status_url"]
    assert httpx.get(url, headers=headers, trust_env=False).status_code == 404


BEHAVIOURS = {
    "export": (each_level_gives_whole_files, a_filter_narrows_its_type),
    "incremental": (since_gives_what_changed,),
    "resume": (what_is_there_is_not_asked_for_again,),
    "cancel": (what_is_cancelled_is_gone_at_the_server,),
}
