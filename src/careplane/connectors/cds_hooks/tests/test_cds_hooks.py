"""The data of a hook call: what the contract suite does not ask; the EHR is a small server that misbehaves as told."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import orjson
import pytest

from careplane.codecs.cdshooks import HookCall, read_call
from careplane.codecs.cdshooks.templates import search_query
from careplane.connectors import cds_hooks
from careplane.connectors.cds_hooks import HookData
from careplane.connectors.cds_hooks.fetching import MOST_PAGES
from careplane.errors import InputError, UpstreamError, UpstreamLacks
from careplane.records import JSON

TOKEN = "tok-4711-secret"
TEMPLATES = {
    "patient": "Patient/{{context.patientId}}",
    "condition": "Condition?patient={{context.patientId}}&_count=20",
}
ANA = {"resourceType": "Patient", "id": "ana"}


def condition(number: int, patient: str = "ana") -> JSON:
    return {"resourceType": "Condition", "id": f"c{number}", "subject": {"reference": f"Patient/{patient}"}}


def bundle(*resources: Any, **more: Any) -> JSON:
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources], **more}


def call(base: str | None = None, prefetch: JSON | None = None, **context: Any) -> HookCall:
    body: JSON = {
        "hook": "order-sign",
        "hookInstance": "h-1",
        "context": {"patientId": "ana", "userId": "Practitioner/p1", **context},
        "prefetch": prefetch or {},
    }
    if base:
        token = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "user/*.rs", "subject": "c"}
        body |= {"fhirServer": base, "fhirAuthorization": token}
    return read_call(orjson.dumps(body), hooks=("order-sign",))


@contextmanager
def ehr(pages: Mapping[str, Any], asked: list[tuple[str, str]] | None = None) -> Iterator[str]:
    """An EHR whose answers are given by path and query; any other is 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append((self.path, self.headers.get("Authorization", "")))
            status, body = pages.get(self.path, (404, {}))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Own:
    """This installation's own way to the EHR."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def read(self, reference: str) -> JSON | None:
        self.asked.append((reference,))
        return ANA if reference == "Patient/ana" else None

    async def search(self, resource: str, query: Mapping[str, str], limit: int = 100) -> Sequence[JSON]:
        self.asked.append((resource, *query, str(limit)))
        return [condition(1)]

    async def aclose(self) -> None:
        return


def using(hook: HookCall, act: Callable[[HookData], Awaitable[object]], base: str = "http://127.0.0.1:9",
          own: Own | None = None) -> Any:  # fmt: skip
    async def session() -> object:
        connector = cds_hooks.open({"fhir_base_url": base, "timeout_seconds": "2"})
        data = connector.data(hook, TEMPLATES, own)
        try:
            return await act(data)
        finally:
            await data.aclose()
            await connector.aclose()

    return asyncio.run(session())


SELF = [{"relation": "self", "url": "Condition?patient=ana"}]


def test_the_own_connection_gives_what_the_ehr_did_not() -> None:
    own = Own()

    async def act(data: HookData) -> None:
        assert await data.read("Patient/ana") == ANA
        assert await data.read("Patient/ana") == ANA
        assert await data.search("Condition", {"patient": "ana", "_sort": "-date"}, 20) == (condition(1),)

    using(call(), act, own=own)
    assert own.asked == [("Patient/ana",), ("Condition", "_sort", "patient", "20")]


def test_what_cannot_be_had_is_named_by_type_alone() -> None:
    async def act(data: HookData) -> None:
        wanted = [(search_query("Condition", {"patient": "ana"}), 20)]
        await data.require([*wanted, (search_query("Observation", {"patient": "ana"}), 20)])

    with pytest.raises(UpstreamLacks, match="Observation") as caught:
        using(call(prefetch={"condition": None}), act)
    assert caught.value.what == ("Observation",)
    assert "ana" not in str(caught.value)


def test_drafts_of_the_hook_itself_can_be_read() -> None:
    order = {"resourceType": "ServiceRequest", "id": "draft", "subject": {"reference": "Patient/ana"}}

    async def act(data: HookData) -> None:
        assert await data.search("ServiceRequest", {"_id": "draft"}, 1) == (order,)

    using(call(draftOrders=bundle(order)), act)
    with pytest.raises(InputError, match="another patient"):
        using(call(draftOrders=bundle({**order, "subject": {"reference": "Patient/bea"}})), act)


def test_one_question_is_asked_once_with_the_token_of_the_call() -> None:
    asked: list[tuple[str, str]] = []
    pages = {"/Condition?patient=ana&_count=20": (200, bundle(condition(1), link=SELF))}
    with ehr(pages, asked) as base:

        async def act(data: HookData) -> None:
            many = await asyncio.gather(*(data.search("Condition", {"patient": "ana"}, 20) for _ in range(10)))
            assert many == [(condition(1),)] * 10

        using(call(base), act, base)
    assert asked == [("/Condition?patient=ana&_count=20", f"Bearer {TOKEN}")]


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (403, {}, "HTTP 403"),
        (302, {}, "HTTP 302"),
        (200, b"<html>", "not JSON"),
        (200, [], "not an object"),
        (200, {"resourceType": "OperationOutcome"}, "error"),
        (200, bundle(condition(1)), "did not heed"),
        (200, bundle(condition(1, "bea"), link=SELF), "another patient"),
        (200, bundle({"resourceType": "Observation"}, link=SELF), "another type"),
        (200, bundle(7, link=SELF), "no resource"),
        (200, {"resourceType": "Bundle", "entry": {}, "link": SELF}, "list"),
        (200, bundle(link=[*SELF, 3, {"relation": "next", "url": "http://elsewhere.test/x"}]), "another host"),
        (200, bundle(link=[*SELF, {"relation": "next", "url": "/Condition?patient=ana&_count=20"}]), "circle"),
    ],
)
def test_an_answer_that_is_not_one_is_said_to_be_none(status: int, body: Any, why: str) -> None:
    pages = {"/Condition?patient=ana&_count=20": (status, body)}
    with ehr(pages) as base, pytest.raises(UpstreamError, match=why) as caught:
        using(call(base), lambda data: data.search("Condition", {"patient": "ana"}, 20), base)
    assert TOKEN not in str(caught.value)
    assert "ana" not in str(caught.value)


def test_pages_without_anything_on_them_come_to_an_end() -> None:
    asked: list[tuple[str, str]] = []
    first = "/Condition?patient=ana&_count=20"
    places = [first, *(f"/Condition?patient=ana&page={n}" for n in range(2 * MOST_PAGES))]
    pages = {here: (200, bundle(link=[*SELF, {"relation": "next", "url": after}])) for here, after in pairwise(places)}
    with ehr(pages, asked) as base, pytest.raises(UpstreamError, match="never end"):
        using(call(base), lambda data: data.search("Condition", {"patient": "ana"}, 20), base)
    assert len(asked) == MOST_PAGES


@pytest.mark.parametrize(
    ("prefetch", "why"),
    [
        ({"patient": 7}, "resource or null"),
        ({"patient": []}, "resource or null"),
        ({"patient": {}}, "another type"),
        ({"patient": {"resourceType": "Patient"}}, "another Patient"),
        ({"patient": {**ANA, "id": ["ana"]}}, "another Patient"),
        ({"patient": condition(1)}, "another type"),
        ({"condition": bundle(condition(1), condition(2, "bea"))}, "another patient"),
        ({"condition": bundle({**condition(1), "subject": [{"reference": "Patient/bea"}]})}, "another patient"),
        ({"condition": {"resourceType": "Bundle", "entry": 3}}, "list"),
        ({"condition": {"resourceType": "Bundle", "entry": [3]}}, "no resource"),
    ],
)
def test_prefetch_that_lies_is_refused(prefetch: JSON, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        using(call(prefetch=prefetch), lambda data: data.read("Patient/ana"))
    assert caught.value.field == f"prefetch.{next(iter(prefetch))}"


def test_included_resources_and_warnings_of_a_search_are_left_out() -> None:
    entries = [
        {"resource": condition(1)},
        {"resource": {"resourceType": "Practitioner", "id": "p1"}, "search": {"mode": "include"}},
        {"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "warning"}]}, "search": 3},
    ]
    sent = {"condition": {"resourceType": "Bundle", "entry": entries}}
    found = using(call(prefetch=sent), lambda data: data.search("Condition", {"patient": "ana"}, 20))
    assert found == (condition(1),)


def test_keys_that_were_not_asked_for_are_not_looked_at() -> None:
    found = using(call(prefetch={"other": {"resourceType": "Patient", "id": "bea"}, "patient": ANA}),
                  lambda data: data.read("Patient/ana"))  # fmt: skip
    assert found == ANA


def test_settings_are_checked() -> None:
    for settings, field in (
        ({"fhir_base_url": "ftp://x"}, "fhir_base_url"),
        ({"fhir_base_url": "https://u:p@x"}, "fhir_base_url"),
        ({"fhir_base_url": "https://x", "timeout_seconds": "0"}, "timeout_seconds"),
        ({"fhir_base_url": "https://x", "timeout_seconds": "soon"}, "timeout_seconds"),
    ):
        with pytest.raises(InputError) as caught:
            cds_hooks.open(settings)
        assert caught.value.field == field
