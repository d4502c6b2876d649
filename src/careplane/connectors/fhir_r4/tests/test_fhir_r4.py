"""The FHIR REST connector: against a real FHIR server, and against an endpoint that misbehaves as told."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from careplane.connectors import fhir_r4
from careplane.connectors.fhir_r4 import R4Connector
from careplane.errors import Conflict, InputError, Refused, UpstreamError
from careplane.records import JSON

BASE = "https://ehr.test/fhir"
Answer = Callable[[Request], Response]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a ``sekmet-fhir`` server of its own."""
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    folder = tmp_path_factory.mktemp("ehr")
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
            _wait_until_up(base, process)
            yield base
        finally:
            process.terminate()


def _wait_until_up(base: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, "the FHIR server ended"
        try:
            if httpx.get(f"{base}/metadata", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the FHIR server did not come up")


def patient(number: int) -> JSON:
    identifier = [{"system": "urn:careplane:test", "value": str(number)}]
    return {"resourceType": "Patient", "identifier": identifier, "active": True, "name": [{"family": "Synthetic"}]}


@asynccontextmanager
async def connected(base: str) -> AsyncIterator[R4Connector]:
    connector = fhir_r4.open({"base_url": base})
    try:
        yield connector
    finally:
        await connector.aclose()


def test_a_resource_makes_the_round_trip(server: str) -> None:
    async def journey() -> None:
        async with connected(server) as ehr:
            target = await ehr.create(patient(1), if_none_exist="identifier=urn:careplane:test|1")
            assert await ehr.create(patient(1), if_none_exist="identifier=urn:careplane:test|1") == target
            held = await ehr.read(target)
            assert held is not None
            assert await ehr.update({**held, "active": False}) == target
            changed = await ehr.read(target)
            assert changed is not None
            assert changed["active"] is False
            assert await ehr.read("Patient/there-is-none") is None

    asyncio.run(journey())


def test_pages_are_followed_up_to_the_limit(server: str) -> None:
    async def journey() -> tuple[int, int]:
        async with connected(server) as ehr:
            for number in range(100, 107):
                await ehr.create(patient(number), if_none_exist=f"identifier=urn:careplane:test|{number}")
            every = await ehr.search("Patient", {"family": "Synthetic", "_count": "2"})
            some = await ehr.search("Patient", {"family": "Synthetic", "_count": "2"}, limit=3)
            assert len({item["id"] for item in every}) == len(every)
            return len(every), len(some)

    every, some = asyncio.run(journey())
    assert every >= 7
    assert some == 3


def test_a_ward_has_its_own_tasks_and_an_unheeded_parameter_is_no_answer(server: str) -> None:
    async def journey() -> None:
        async with connected(server) as ehr:
            for ward in "ab":
                at = {"location": {"reference": f"Location/ward-{ward}"}}
                await ehr.update({"resourceType": "Location", "id": f"ward-{ward}", "status": "active"})
                await ehr.update({"resourceType": "Encounter", "id": f"e{ward}", "status": "in-progress",
                                  "class": {"code": "IMP"}, "location": [at]})  # fmt: skip
                await ehr.update({"resourceType": "Task", "id": f"t{ward}", "status": "requested", "intent": "order",
                                  "encounter": {"reference": f"Encounter/e{ward}"}, **at})  # fmt: skip
            query = {"encounter.location": "ward-a", "encounter.status": "in-progress", "status": "requested,accepted"}
            assert [item["id"] for item in await ehr.search("Task", query)] == ["ta"]
            with pytest.raises(UpstreamError, match="did not heed the search parameter location"):
                await ehr.search("Task", {"location": "ward-a"})

    asyncio.run(journey())


def against(answer: Answer, work: Callable[[R4Connector], Awaitable[object]]) -> tuple[object, list[float]]:
    """Run ``work`` on a connector whose endpoint answers as told; also gives the pauses it took."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def endpoint(request: Request) -> Response:
        return answer(request)

    app = Starlette(routes=[Route("/{path:path}", endpoint, methods=["GET", "POST", "PUT"])])

    async def session() -> object:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
            return await work(R4Connector(lambda: client, sleep))

    return asyncio.run(session()), pauses


def in_turn(*answers: Response) -> Answer:
    remaining = iter(answers)
    return lambda _request: next(remaining)


FOUND = JSONResponse({"resourceType": "Patient", "id": "p"})


def test_a_busy_server_is_asked_again_after_the_pause_it_names() -> None:
    answer = in_turn(Response(status_code=429, headers={"Retry-After": "3"}), Response(status_code=502), FOUND)
    found, pauses = against(answer, lambda ehr: ehr.read("Patient/p"))
    assert found == {"resourceType": "Patient", "id": "p"}
    assert pauses[0] == 3.0
    assert 0 < pauses[1] < 1


def test_a_server_that_stays_down_is_an_error_without_identifiers() -> None:
    with pytest.raises(UpstreamError, match="GET Patient") as caught:
        against(lambda _request: Response(status_code=500), lambda ehr: ehr.read("Patient/secret-id"))
    assert "secret-id" not in str(caught.value)


def test_a_create_whose_fate_is_unknown_is_sent_once_unless_conditional() -> None:
    seen: list[str] = []

    def failing(request: Request) -> Response:
        seen.append(request.method)
        return Response(status_code=500)

    with pytest.raises(UpstreamError):
        against(failing, lambda ehr: ehr.create(patient(1)))
    assert seen == ["POST"]
    with pytest.raises(UpstreamError):
        against(failing, lambda ehr: ehr.create(patient(1), if_none_exist="identifier=x|1"))
    assert len(seen) == 5


def test_a_next_page_on_another_host_is_not_fetched() -> None:
    page = {"resourceType": "Bundle", "link": [{"relation": "next", "url": "https://evil.test/fhir?page=2"}]}
    with pytest.raises(UpstreamError, match="another host"):
        against(lambda _request: JSONResponse(page), lambda ehr: ehr.search("Patient", {}))


def test_only_matches_of_the_type_come_back() -> None:
    entries = [
        {"resource": {"resourceType": "Patient", "id": "p"}, "search": {"mode": "match"}},
        {"resource": {"resourceType": "Organization", "id": "o"}, "search": {"mode": "include"}},
        {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}},
    ]
    bundle = JSONResponse({"resourceType": "Bundle", "entry": entries})
    found, _ = against(lambda _request: bundle, lambda ehr: ehr.search("Patient", {}))
    assert found == [{"resourceType": "Patient", "id": "p"}]


@pytest.mark.parametrize(("status", "error"), [(412, Conflict), (409, Conflict), (401, Refused), (422, UpstreamError)])
def test_refusals_of_a_write_have_their_own_error(status: int, error: type[Exception]) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "invalid", "diagnostics": "Ann Smith"}]}
    with pytest.raises(error) as caught:
        against(lambda _request: JSONResponse(outcome, status), lambda ehr: ehr.update({**patient(1), "id": "p"}))
    assert "Ann" not in str(caught.value)


def test_an_answer_that_is_not_json_is_an_error() -> None:
    with pytest.raises(UpstreamError, match="not JSON"):
        against(lambda _request: Response("<html>"), lambda ehr: ehr.read("Patient/p"))


def test_nobody_listening_is_an_error_that_says_what_to_check() -> None:
    async def never(_seconds: float) -> None:
        return None

    async def session() -> None:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:1/fhir") as client:
            await R4Connector(lambda: client, never).read("Patient/p")

    with pytest.raises(UpstreamError, match="base_url"):
        asyncio.run(session())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"base_url": "ftp://ehr.test"},
        {"base_url": "https://user:word@ehr.test/fhir"},
        {"base_url": BASE, "timeout_seconds": "soon"},
        {"base_url": BASE, "verify": "false"},
    ],
)
def test_settings_are_checked(settings: dict[str, str]) -> None:
    with pytest.raises(InputError):
        fhir_r4.open(settings)


def test_one_connector_serves_several_event_loops(server: str) -> None:
    connector = fhir_r4.open({"base_url": server})
    with asyncio.Runner() as one, asyncio.Runner() as other:
        for loop in (one, other, one):
            assert loop.run(connector.search("Patient", {"_count": "1"}, 1)) is not None
        for loop in (one, other):
            loop.run(connector.aclose())
