"""The FHIR REST connector: against a real FHIR server, and against an endpoint that misbehaves as told."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from careplane.connectors import fhir_r4
from careplane.connectors._credential import Fixed
from careplane.connectors._endpoint import Endpoint
from careplane.connectors.fhir_r4 import R4Connector
from careplane.errors import Conflict, InputError, Refused, UpstreamError
from careplane.records import JSON
from careplane.sandbox.ehr_server import EhrServer

BASE = "https://ehr.test/fhir"
Answer = Callable[[Request], Response]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a ``sekmet-fhir`` server of its own."""
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    with EhrServer(tmp_path_factory.mktemp("ehr")) as running:
        yield running.base_url


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
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await work(R4Connector(Endpoint(BASE, lambda: client, Fixed(""), sleep=sleep)))

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
        async with httpx.AsyncClient() as client:
            await R4Connector(Endpoint("http://127.0.0.1:1/fhir", lambda: client, Fixed(""), sleep=never)).read(
                "Patient/p"
            )

    with pytest.raises(UpstreamError, match="base_url"):
        asyncio.run(session())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"base_url": "ftp://ehr.test"},
        {"base_url": "http://ehr.test/fhir", "token": "tok"},
        {"base_url": "http://ehr.test/fhir"},
        {"base_url": "http://127.0.0.1.ehr.test/fhir"},
        {"base_url": "https://user:word@ehr.test/fhir"},
        {"base_url": BASE, "timeout_seconds": "soon"},
        {"base_url": BASE, "verify": "false"},
        {"base_url": BASE, "client_id": "c"},
        {"base_url": BASE, "client_id": "c", "key": "not a key", "scopes": "system/Patient.rs"},
        {"base_url": BASE, "token": "t", "client_id": "c", "key": "k", "scopes": "system/Patient.rs"},
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


DEEP = b'{"resourceType":"Patient","id":"p","extension":' + b"[" * 900 + b"]" * 900 + b"}"
LOOP = {"resourceType": "Bundle", "link": [{"relation": "next", "url": f"{BASE}/Patient?_count=100"}]}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"resourceType":"Patient","id":"p","x":"' + b"y" * 10_000_000 + b'"}', "larger than 8 MB"),
        (DEEP, "nested deeper"),
        (b"[" * 100_000, "not JSON, or nested too deeply"),
        (b'{"resourceType":"Patient","id":"other"}', "another resource"),
        (b'{"resourceType":"Observation","id":"p"}', "another type"),
        (b'{"resourceType":5,"id":"p"}', "resourceType"),
        (b'{"resourceType":"Patient","id":{"a":1}}', "not a FHIR id"),
        (b'{"resourceType":"Patient","id":"p","meta":[]}', "meta"),
        (b'["Smith"]', "not a JSON object"),
        (b'{"resourceType":"Patient","id":"p","name":"Smith', "not JSON"),
    ],
    ids=["10 MB", "deep", "deeper", "other id", "other type", "type", "id", "meta", "list", "half"],
)
def test_a_hostile_resource_is_a_typed_error_that_tells_nothing_of_it(content: bytes, told: str) -> None:
    with pytest.raises(UpstreamError, match=told) as caught:
        against(lambda _request: Response(content), lambda ehr: ehr.read("Patient/p"))
    assert "Smith" not in str(caught.value)


@pytest.mark.parametrize(
    ("bundle", "told"),
    [
        (LOOP, "do not come to an end"),
        ({"resourceType": "Bundle", "entry": "Smith"}, "entries that are none"),
        ({"resourceType": "Bundle", "entry": [5]}, "entries that are none"),
        ({"resourceType": "Bundle", "entry": [{"resource": "Smith"}]}, "not a JSON object"),
        ({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Smith"}}]}, "not a resource"),
        ({"resourceType": "Patient", "id": "p"}, "not a Bundle"),
        ({"resourceType": "Bundle", "link": [{"relation": "next", "url": "http://[::1"}]}, "no URL"),
        ({"resourceType": "Bundle", "link": [{"relation": "next", "url": "//evil.test/"}]}, "another host"),
    ],
)
def test_a_hostile_page_is_a_typed_error(bundle: JSON, told: str) -> None:
    with pytest.raises(UpstreamError, match=told) as caught:
        against(lambda _request: JSONResponse(bundle), lambda ehr: ehr.search("Patient", {}))
    assert "Smith" not in str(caught.value)


@pytest.mark.parametrize("odd", [{"link": "x"}, {"link": [5, {"relation": "next", "url": 5}]}, {"entry": None}])
def test_a_page_of_wrong_types_that_matter_to_nobody_is_read(odd: JSON) -> None:
    found = None
    if odd.get("entry", ()) is None:
        odd = {}
    found, _ = against(
        lambda _request: JSONResponse({"resourceType": "Bundle", **odd}), lambda ehr: ehr.search("Patient", {})
    )
    assert found == []


def test_a_version_told_only_by_the_header_is_there(server: str) -> None:
    told = JSONResponse({"resourceType": "Patient", "id": "p"}, headers={"ETag": 'W/"7"'})
    found, _ = against(lambda _request: told, lambda ehr: ehr.read("Patient/p"))
    assert found == {"resourceType": "Patient", "id": "p", "meta": {"versionId": "7"}}


def test_hostile_answers_disturb_nobody_else(server: str) -> None:
    """While an endpoint answers 10 MB of nonsense, another one is read as ever."""
    nonsense = Response(b"[" * 10_000_000)

    async def session() -> float:
        async def endpoint(_request: Request) -> Response:
            return nonsense

        app = Starlette(routes=[Route("/{path:path}", endpoint)])
        good = fhir_r4.open({"base_url": server})
        target = await good.create(patient(1))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            bad = R4Connector(Endpoint(BASE, lambda: client, Fixed("")))
            tried = asyncio.gather(*(bad.read("Patient/p") for _ in range(5)), return_exceptions=True)
            begun = time.monotonic()
            assert await good.read(target) is not None
            took = time.monotonic() - begun
            assert all(isinstance(one, UpstreamError) for one in await tried)
        await good.aclose()
        return took

    assert asyncio.run(session()) < 5
