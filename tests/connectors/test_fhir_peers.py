"""Other FHIR clients on the same server: what one writes the other finds."""

import asyncio
from collections.abc import Iterator

import pytest

from careplane.connectors import fhir_r4
from careplane.sandbox.ehr_server import EhrServer

pytest.importorskip("sekmet", reason="needs the extra 'sandbox' (sekmet-fhir)")


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EhrServer(tmp_path_factory.mktemp("ehr")) as server:
        yield server.base_url


def patient(number: int) -> dict[str, object]:
    identifier = [{"system": "urn:careplane:peer", "value": str(number)}]
    return {"resourceType": "Patient", "identifier": identifier, "name": [{"family": "Peerless"}]}


def test_fhirpy_finds_what_we_write_and_we_what_it_writes(base_url: str) -> None:
    from fhirpy import AsyncFHIRClient

    async def session() -> None:
        ours = fhir_r4.open({"base_url": base_url})
        theirs = AsyncFHIRClient(base_url)
        for number in range(25):
            if number % 2:
                await ours.create(patient(number))
            else:
                await theirs.resource("Patient", **patient(number)).save()
        found = await ours.search("Patient", {"family": "Peerless", "_count": "4"})
        same = await theirs.resources("Patient").search(family="Peerless").limit(4).fetch_all()
        assert sorted(one["id"] for one in found) == sorted(one["id"] for one in same)
        assert len(found) == 25
        held = await theirs.reference("Patient", found[0]["id"]).to_resource()
        read = await ours.read(f"Patient/{found[0]['id']}")
        assert read is not None
        assert read == held.serialize()  # type: ignore[no-untyped-call]
        await ours.aclose()

    asyncio.run(session())


def test_fhirclient_reads_what_we_write(base_url: str) -> None:
    from fhirclient import client  # type: ignore[import-untyped]
    from fhirclient.models.patient import Patient  # type: ignore[import-untyped]

    async def written() -> str:
        ours = fhir_r4.open({"base_url": base_url})
        target = await ours.create(patient(99))
        await ours.aclose()
        return target.partition("/")[2]

    server = client.FHIRClient(settings={"app_id": "careplane-test", "api_base": base_url}).server
    read = Patient.read(asyncio.run(written()), server)
    assert read.identifier[0].value == "99"
    assert read.name[0].family == "Peerless"
