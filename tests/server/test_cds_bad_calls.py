"""Calls of hooks that must not be answered with cards: tokens that do not hold, bodies that are no call, hostile FHIR.

Each gets a status of its own and an OperationOutcome, is on record, and no other call is disturbed.
"""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from careplane.codecs.cdshooks.document import api_document
from careplane.connectors import _jwks
from careplane.governance.cds_trust import trust_client
from careplane.records import JSON
from careplane.sandbox.cds_client import CdsClient
from careplane.server import strangers
from careplane.server.cds import MAX_CALL_BYTES

from .hook_site import ALL, CONTEXT, Site, hook_site

CALL: JSON = {
    "hook": "patient-view",
    "hookInstance": "d1577c69",
    "context": CONTEXT,
    "prefetch": {"patient": {"resourceType": "Patient", "id": "ana"}, "condition": None},
}
FUZZ = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.generate],  # each try is a call of a real server, so a failure is shown as it was found
    report_multiple_bugs=False,
)
THREADS = pytest.mark.filterwarnings("ignore:Do not use the `random` module")
"""Hypothesis sees that random numbers were drawn while it made up a call: by the threads of the server."""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One installation for all tests of the module."""
    with hook_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def site(installation: Site) -> Iterator[Site]:
    """The installation as this test finds it; afterwards it still answers an honest call."""
    installation.begin()
    yield installation
    installation.trust(own_reads=True)
    assert len(installation.ask("quick_one").cards) == 1


def post(site: Site, body: Any, service: str = "quick_one", token: str | None = None, **headers: str) -> httpx.Response:
    url = f"{site.base}/cds-services/{service}"
    signed = site.ehr.token(url) if token is None else token
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Authorization": f"Bearer {signed}", "Content-Type": "application/json", **headers}
    return httpx.post(url, content=content, headers=named, trust_env=False, timeout=60)


def refused(answer: httpx.Response, status: int) -> str:
    """The text of a refusal, which is an OperationOutcome of that status."""
    assert answer.status_code == status, answer.text
    (issue,) = answer.json()["issue"]
    assert (answer.json()["resourceType"], issue["severity"]) == ("OperationOutcome", "error")
    return str(issue["diagnostics"])


def test_discovery_and_feedback_need_a_token_too(site: Site) -> None:
    """Line 13."""
    for method, path in (("GET", ""), ("POST", "/quick_one"), ("POST", "/quick_one/feedback"), ("POST", "/nothing")):
        answer = httpx.request(method, f"{site.base}/cds-services{path}", trust_env=False)
        assert "Bearer JWT" in refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("header", "claims", "why"),
    [
        ({}, {"aud": "{base}/cds-services"}, "audience"),
        ({}, {"aud": "{url}/"}, "audience"),
        ({}, {"aud": "{base}/cds-services/quick_two"}, "audience"),
        ({}, {"aud": None}, "'aud'"),
        ({}, {"iss": "https://stranger.example.org"}, "not trusted"),
        ({}, {"iss": None}, "not trusted"),
        ({}, {"exp": 1_000_000_000}, "expired"),
        ({}, {"iat": 4_000_000_000, "exp": 4_000_000_100}, "not valid yet"),
        ({}, {"exp": 4_000_000_000}, "seconds at most"),
        ({}, {"iat": None}, "'iat'"),
        ({}, {"jti": None}, "'jti'"),
        ({"jku": "http://127.0.0.1:9/jwks"}, {}, "jku"),
        ({"kid": "unknown"}, {}, "no key"),
        ({"kid": None}, {}, "kid"),
        ({"typ": "at+jwt"}, {}, "typ JWT"),
    ],
)
def test_a_token_that_does_not_hold_opens_nothing(site: Site, header: JSON, claims: JSON, why: str) -> None:
    """Line 13."""
    url = f"{site.base}/cds-services/quick_one"
    filled = {
        name: one.format(base=site.base, url=url) if isinstance(one, str) else one for name, one in claims.items()
    }
    answer = post(site, CALL, token=site.ehr.token(url, header, **filled))
    assert why in refused(answer, 401)
    assert site.runs("quick_one") == []
    assert site.facts("cds.refused")[0]["status"] == 401


def test_strangers_cannot_fill_the_ledger(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as held:
        held.setattr(strangers, "MOST_A_MINUTE", 0)
        for _ in range(3):
            refused(post(site, CALL, token="not.a.token"), 401)
        assert site.facts("cds.refused") == []
    refused(post(site, CALL, token="not.a.token"), 401)
    assert [one["not_recorded_before"] for one in site.facts("cds.refused")] == [3]


def test_only_so_many_refusals_a_minute_are_put_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "MOST_A_MINUTE", 2)
    times = iter((0.0, 1.0, 2.0, 59.0, 60.0, 61.0))
    meter = strangers.Strangers(lambda: next(times))
    assert [meter.take() for _ in range(6)] == [0, 0, None, None, 2, 0]


def test_a_token_without_signature_or_of_a_shared_secret_opens_nothing(site: Site) -> None:
    url = f"{site.base}/cds-services/quick_one"
    _, payload, signature = site.ehr.token(url).split(".")
    for alg in ("none", "HS256"):
        head = (
            base64.urlsafe_b64encode(json.dumps({"alg": alg, "typ": "JWT", "kid": "x"}).encode()).decode().rstrip("=")
        )
        assert "algorithm" in refused(post(site, CALL, token=f"{head}.{payload}.{signature}"), 401)
    with CdsClient(site.base) as stranger:
        stranger.issuer, stranger.jku = site.ehr.issuer, site.ehr.jku
        refused(post(site, CALL, token=stranger.token(url)), 401)


def test_a_token_is_good_for_one_call(site: Site) -> None:
    token = site.ehr.token(f"{site.base}/cds-services/quick_one")
    assert post(site, CALL, token=token).status_code == 200
    assert "used before" in refused(post(site, CALL, token=token), 401)


def test_the_tenant_must_be_the_one_that_was_agreed(site: Site) -> None:
    site.trust(own_reads=True, tenant="north")
    url = f"{site.base}/cds-services/quick_one"
    assert "tenant" in refused(post(site, CALL), 401)
    assert post(site, CALL, token=site.ehr.token(url, tenant="north")).status_code == 200


def test_a_rotated_key_is_found_and_the_old_one_counts_no_longer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jwks, "PAUSE_SECONDS", 0.0)
    url = f"{site.base}/cds-services/quick_one"
    old = site.ehr.token(url)
    site.ehr.rotate()
    assert post(site, CALL).status_code == 200
    refused(post(site, CALL, token=old), 401)


def test_keys_that_cannot_be_fetched_open_nothing(site: Site) -> None:
    with CdsClient(site.base) as gone:
        trust_client(site.platform.store, site.platform.ledger, gone.trust())
        url = f"{site.base}/cds-services/quick_one"
        token = gone.token(url)
    assert "cannot be fetched" in refused(post(site, CALL, token=token), 401)


def test_pages_of_a_trusted_ehr_may_call_and_no_others(site: Site) -> None:
    """Line 14."""
    url = f"{site.base}/cds-services/quick_one"
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    mine = httpx.options(url, headers={"Origin": site.ehr.issuer, **asking}, trust_env=False)
    assert mine.status_code == 204
    assert mine.headers["access-control-allow-origin"] == site.ehr.issuer
    assert "Authorization" in mine.headers["access-control-allow-headers"]
    other = httpx.options(url, headers={"Origin": "https://evil.example.org", **asking}, trust_env=False)
    assert "access-control-allow-origin" not in other.headers
    assert post(site, CALL, Origin=site.ehr.issuer).headers["access-control-allow-origin"] == site.ehr.issuer


def test_other_methods_and_services_are_said_to_be_none(site: Site) -> None:
    answer = httpx.get(f"{site.base}/cds-services/quick_one", trust_env=False)
    refused(answer, 405)
    assert answer.headers["allow"] == "POST, OPTIONS"
    refused(httpx.put(f"{site.base}/cds-services", trust_env=False), 405)
    for service in ("nothing", "quick_on", "..%2Fquick_one", "%00", "previsit_summary%0a"):
        url = f"{site.base}/cds-services/{service}"
        answer = httpx.post(url, json=CALL, headers={"Authorization": "Bearer x.y.z"}, trust_env=False)
        assert answer.status_code in (401, 404, 405)
    refused(post(site, CALL, "nothing"), 404)


BAD: tuple[tuple[Any, str], ...] = (
    (b"", "empty"),
    (b"{", "not valid JSON"),
    (b"\xff\xfe{}", "not valid JSON"),
    (b"[]", "object"),
    (b'{"hook": "patient-view", "hook": "order-sign"}', "twice"),
    ({}, "hook"),
    ({**CALL, "hook": "order-sign"}, "patient-view"),
    ({**CALL, "hook": 7}, "Expected `str`"),
    ({**CALL, "hookInstance": ""}, "length"),
    ({**CALL, "hookInstance": "a\nb"}, "regex"),
    ({**CALL, "context": []}, "Expected `object`"),
    ({**CALL, "context": {**CONTEXT, "patientId": 7}}, "FHIR id"),
    ({**CALL, "context": {**CONTEXT, "patientId": "../secret"}}, "FHIR id"),
    ({**CALL, "context": {**CONTEXT, "userId": "p1"}}, "Type/id"),
    ({**CALL, "prefetch": []}, "Expected `object"),
    ({**CALL, "prefetch": {"patient": {"resourceType": "Patient", "id": "bea"}}}, "another Patient"),
    ({**CALL, "fhirServer": 3}, "Expected `str"),
    ({**CALL, "fhirAuthorization": {}}, "access_token"),
    ({**CALL, "context": {"userId": "Practitioner/p1"}}, "context cannot ask"),
)


@pytest.mark.parametrize(("body", "why"), BAD)
def test_what_is_no_call_is_told_by_field(site: Site, body: Any, why: str) -> None:
    told = refused(post(site, body), 400)
    assert why in told
    assert not {"bea", "secret"} & set(told.split())
    assert site.runs("quick_one") == []


def test_a_call_may_not_be_deep_or_long(site: Site) -> None:
    deep = b'{"hook": "patient-view", "hookInstance": "x", "context": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}"
    assert "nested" in refused(post(site, deep), 400)
    ten_million = {**CALL, "prefetch": {"patient": {"resourceType": "Patient", "id": "ana", "x": "y" * 10_000_000}}}
    assert str(MAX_CALL_BYTES) in refused(post(site, ten_million), 413)

    def pieces() -> Iterator[bytes]:
        for _ in range(MAX_CALL_BYTES // 65_536 + 2):
            yield b" " * 65_536

    url = f"{site.base}/cds-services/quick_one"
    headers = {"Authorization": f"Bearer {site.ehr.token(url)}", "Content-Type": "application/json"}
    refused(httpx.post(url, content=pieces(), headers=headers, trust_env=False, timeout=60), 413)
    assert "Content-Type" in post(site, CALL, **{"Content-Type": "text/plain"}).json()["issue"][0]["expression"]


HOSTILE: tuple[JSON, ...] = (
    {"name": 5, "birthDate": {"a": []}, "communication": "x"},
    {"name": [[]], "contained": [{"resourceType": "Patient", "id": "bea"}], "link": [{"other": {"reference": "#p"}}]},
    {"name": [{"family": ["a"], "given": {"b": 1}}], "meta": 4, "text": {"div": "<script>alert(1)</script>"}},
    {"name": [{"family": "x" * 200_000}]},
    {"name": [{"family": "\u0000\u202e[click](http://evil.example.org) ![x](http://evil.example.org/x.png)"}]},
    {"contained": [{"resourceType": "Patient", "id": "a", "link": [{"other": {"reference": "#a"}}]}]},
)


@pytest.mark.parametrize("more", HOSTILE)
def test_hostile_resources_neither_fall_nor_get_through(site: Site, more: JSON) -> None:
    coding: JSON = {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/ana"}, "code": more}
    sent = {"patient": {"resourceType": "Patient", "id": "ana", **more},
            "condition": {"resourceType": "Bundle", "entry": [{"resource": coding}] * 3}}  # fmt: skip
    answer = post(site, {**CALL, "prefetch": sent, "hookInstance": f"hostile-{hash(json.dumps(more))}"})
    assert answer.status_code in (200, 400)
    assert "<script>" not in answer.text
    assert "](http" not in answer.text


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from(["patient", "user", "condition", "other"])
_TYPES = st.sampled_from(["Patient", "Condition", "Bundle", "OperationOutcome", "Nothing"])
_RESOURCE = st.fixed_dictionaries(
    {"resourceType": _TYPES, "id": st.sampled_from(["ana", "bea", ""])},
    optional={"entry": _JSON, "link": _JSON, "subject": _JSON, "name": _JSON},
)


@pytest.mark.slow
@FUZZ
@THREADS
@given(
    context=st.dictionaries(st.sampled_from(["patientId", "userId", "encounterId", "draftOrders", "x"]), _JSON),
    prefetch=st.dictionaries(_KEYS, _JSON | _RESOURCE, max_size=3),
)
def test_no_call_makes_the_service_fall(installation: Site, context: JSON, prefetch: JSON) -> None:
    fresh = {**CALL, "hookInstance": str(uuid4())}
    for body in ({**fresh, "context": {**CONTEXT, **context}}, {**fresh, "prefetch": prefetch}):
        answer = post(installation, body, ALL)
        assert answer.status_code in (200, 400, 412), answer.text
        assert ("cards" in answer.json()) == (answer.status_code == 200)


SCHEMA = schemathesis.openapi.from_dict(api_document())
OPERATIONS = [one.ok() for one in SCHEMA.get_all_operations() if isinstance(one, Ok)]


@pytest.mark.slow
@FUZZ
@given(data=st.data())
@THREADS
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_every_answer_is_one_that_the_document_promises(installation: Site, operation: Any, data: Any) -> None:
    case = data.draw(operation.as_strategy())
    path = case.formatted_path
    url = f"{installation.base}{path}"
    answer = case.call(base_url=installation.base, headers={"Authorization": f"Bearer {installation.ehr.token(url)}"})
    case.validate_response(answer)


def test_the_document_is_published(site: Site) -> None:
    answer = httpx.get(f"{site.base}/cds-services/openapi.json", trust_env=False)
    assert answer.json() == api_document()


def test_many_bad_calls_at_once_do_not_disturb_a_good_one(site: Site) -> None:
    async def all_at_once() -> tuple[httpx.Response, list[httpx.Response]]:
        url = f"{site.base}/cds-services/quick_one"

        async def send(client: httpx.AsyncClient, body: bytes) -> httpx.Response:
            signed = {"Authorization": f"Bearer {site.ehr.token(url)}", "Content-Type": "application/json"}
            return await client.post(url, content=body, headers=signed)

        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            good = json.dumps({**CALL, "hookInstance": "good"}).encode()
            bodies = [b"{", b"[" * 50_000, b"x" * (MAX_CALL_BYTES + 1), json.dumps({**CALL, "hook": "x"}).encode()] * 4
            first, *rest = await asyncio.gather(*(send(client, body) for body in (good, *bodies)))
            return first, rest

    good, bad = asyncio.run(all_at_once())
    assert len(good.json()["cards"]) == 1
    assert {answer.status_code for answer in bad} == {400, 413}
