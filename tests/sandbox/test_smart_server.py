"""The sandbox's authorization server: public SMART clients use it, and it refuses what a real one should."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fhirclient import client as fhirclient  # type: ignore[import-untyped]
from fhirpy import AsyncFHIRClient
from joserfc.jwk import ECKey, RSAKey

from careplane.codecs.smart import LaunchContext, challenge_of
from careplane.codecs.smart_assertion import ClientKey, assertion_fields, client_assertion, public_keys, read_client_key
from careplane.sandbox.ehr_server import EhrServer
from careplane.sandbox.smart import RegisteredClient, SmartEhr

REDIRECT = "https://app.example.org/callback"
VERIFIER = "v" * 50
RSA = read_client_key(RSAKey.generate_key(2048).as_pem(private=True))
EC = read_client_key(ECKey.generate_key("P-384").as_pem(private=True))
LAB = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"


def _observation(ident: str, patient: str, code: str) -> dict[str, Any]:
    category = {"coding": [{"system": LAB.partition("|")[0], "code": code}]}
    return {"resourceType": "Observation", "id": ident, "status": "final", "category": [category],
            "code": {"text": "Synthetic"}, "subject": {"reference": f"Patient/{patient}"}}  # fmt: skip


CHART = (
    {
        "resourceType": "Patient",
        "id": "ana",
        "name": [{"family": "Quill", "given": ["Ana"]}],
        "birthDate": "1950-02-03",
    },
    {"resourceType": "Patient", "id": "ben", "name": [{"family": "Okoro"}]},
    {"resourceType": "Practitioner", "id": "p1", "name": [{"family": "Okafor"}]},
    _observation("lab", "ana", "laboratory"),
    _observation("vital", "ana", "vital-signs"),
    _observation("bens", "ben", "laboratory"),
)


@pytest.fixture(scope="module")
def ehr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmartEhr]:
    """A SMART EHR with two synthetic patients, a public client and one that signs."""
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    with EhrServer(tmp_path_factory.mktemp("fhir")) as server, SmartEhr(server.base_url) as smart:
        for one in CHART:
            httpx.put(f"{server.base_url}/{one['resourceType']}/{one['id']}", json=one).raise_for_status()
        launch = "https://app.example.org/launch"
        smart.register(RegisteredClient(id="public", title="Public", redirect_uris=(REDIRECT,), launch_url=launch))
        keys = public_keys([RSA, EC])
        smart.register(RegisteredClient(id="service", title="Service", redirect_uris=(REDIRECT,), jwks=keys))
        yield smart


Authorize = Callable[..., dict[str, str]]


@pytest.fixture
def authorize(ehr: SmartEhr) -> Authorize:
    """Goes to the authorization endpoint as a browser would; gives what it brings back."""

    def act(**changes: str | None) -> dict[str, str]:
        handle = ehr.server.grants.launch("public", "Practitioner/p1", LaunchContext(patient="Patient/ana"))
        query = {"response_type": "code", "client_id": "public", "redirect_uri": REDIRECT, "state": "s", "nonce": "n",
                 "scope": "launch patient/*.rs", "aud": ehr.fhir_base, "launch": handle,
                 "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256", **changes}  # fmt: skip
        sent = {name: value for name, value in query.items() if value is not None}
        answer = httpx.get(ehr.server.url("authorize"), params=sent)
        if answer.status_code != 302:
            return {"status": str(answer.status_code), "text": answer.text}
        found = parse_qs(urlsplit(answer.headers["location"]).query)
        return {name: values[0] for name, values in found.items()}

    return act


def redeem(ehr: SmartEhr, code: str, **changes: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER,
            "client_id": "public", **changes}  # fmt: skip
    return httpx.post(ehr.server.url("token"), data=form)


def token_for(ehr: SmartEhr, authorize: Authorize, scope: str) -> str:
    """An access token with some scopes, for Ana."""
    body = redeem(ehr, authorize(scope=f"launch {scope}")["code"]).json()
    return str(body["access_token"])


def get(ehr: SmartEhr, path: str, token: str) -> httpx.Response:
    return httpx.get(f"{ehr.fhir_base}/{path}", headers={"Authorization": f"Bearer {token}"})


def test_fhirclient_launches_with_pkce_and_reads(ehr: SmartEhr) -> None:
    """The public Python client of SMART Health IT, as it comes."""
    handle = ehr.server.grants.launch("public", "Practitioner/p1", LaunchContext(patient="Patient/ana"))
    settings = {"app_id": "public", "api_base": ehr.fhir_base, "redirect_uri": REDIRECT, "launch_token": handle,
                "scope": "launch openid fhirUser patient/Patient.read patient/Observation.read"}  # fmt: skip
    app: Any = fhirclient.FHIRClient(settings=settings)
    app.prepare()
    back = httpx.get(app.authorize_url).headers["location"]
    app.handle_callback(back)
    assert app.ready
    assert app.patient is not None
    assert app.human_name(app.patient.name[0]) == "Ana Quill"


def test_fhirpy_reads_with_a_token(ehr: SmartEhr, authorize: Authorize) -> None:
    async def act() -> None:
        token = token_for(ehr, authorize, "patient/Observation.rs patient/Patient.r")
        client = AsyncFHIRClient(ehr.fhir_base, authorization=f"Bearer {token}")
        found = await client.resources("Observation").search(patient="ana").fetch()
        assert sorted(one["id"] for one in found) == ["lab", "vital"]
        assert (await client.reference("Patient", "ana").to_resource())["birthDate"] == "1950-02-03"

    asyncio.run(act())


@pytest.mark.parametrize(("changes", "answer"), [
    ({"redirect_uri": REDIRECT + "/"}, {"status": "400"}),
    ({"redirect_uri": "https://evil.example"}, {"status": "400"}),
    ({"client_id": "nobody"}, {"status": "400"}), ({"response_type": "token"}, {"error": "unsupported_response_type"}),
    ({"code_challenge_method": "plain"}, {"error": "invalid_request"}),
    ({"code_challenge": None}, {"error": "invalid_request"}),
    ({"aud": "https://evil.example/fhir"}, {"error": "invalid_request"}), ({"aud": None}, {"error": "invalid_request"}),
    ({"state": None}, {"error": "invalid_request"}), ({"launch": "made-up"}, {"error": "invalid_request"}),
    ({"scope": "patient/Nothing.rs"}, {"error": "invalid_scope"}),
])  # fmt: skip
def test_authorization_requests_that_do_not_hold(
    authorize: Authorize, changes: dict[str, str], answer: dict[str, str]
) -> None:
    told = authorize(**changes)
    assert answer.items() <= told.items()
    assert "code" not in told


def test_a_launch_handle_and_a_code_work_once(ehr: SmartEhr, authorize: Authorize) -> None:
    handle = ehr.server.grants.launch("public", "Practitioner/p1", LaunchContext(patient="Patient/ana"))
    code = authorize(launch=handle)["code"]
    assert authorize(launch=handle)["error"] == "invalid_request"
    first = redeem(ehr, code)
    assert first.headers["cache-control"] == "no-store"
    assert get(ehr, "Patient/ana", first.json()["access_token"]).status_code == 200
    assert redeem(ehr, code).json() == {"error": "invalid_grant"}
    assert get(ehr, "Patient/ana", first.json()["access_token"]).status_code == 401, "what grew from it ends"


@pytest.mark.parametrize("changes", [
    {"redirect_uri": "https://evil.example"}, {"code_verifier": "w" * 50}, {"code_verifier": ""}, {"code": "made-up"},
])  # fmt: skip
def test_codes_that_do_not_fit_their_request(ehr: SmartEhr, authorize: Authorize, changes: dict[str, str]) -> None:
    code = authorize()["code"]
    answer = redeem(ehr, **{"code": code, **changes})
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(("scope", "path", "status"), [
    ("patient/Observation.rs", "Observation?patient=ana", 200), ("patient/Observation.rs", "Observation/lab", 200),
    ("patient/Observation.read", "Observation/lab", 200), ("patient/*.read", "Patient/ana", 200),
    ("patient/Observation.r", "Observation?patient=ana", 403), ("patient/Observation.s", "Observation/lab", 403),
    ("patient/Observation.rs", "Patient/ana", 403), ("patient/*.rs", "Patient/ben", 403),
    ("patient/*.rs", "Observation/bens", 403), ("patient/*.rs", "Observation?patient=ben", 403),
    ("patient/*.rs", "Observation", 403), ("user/*.rs", "Observation/bens", 200),
    (f"patient/Observation.rs?category={LAB}", f"Observation?patient=ana&category={LAB}", 200),
    (f"patient/Observation.rs?category={LAB}", "Observation?patient=ana", 403),
    (f"patient/Observation.rs?category={LAB}", "Observation/lab", 200),
    (f"patient/Observation.rs?category={LAB}", "Observation/vital", 403),
    ("patient/*.rs", "Patient/ana/$everything", 403), ("patient/*.rs", "Patient/ana/_history", 403),
    ("patient/*.rs", "metadata", 200),
])  # fmt: skip
def test_the_fhir_api_holds_an_app_to_its_scopes(
    ehr: SmartEhr, authorize: Authorize, scope: str, path: str, status: int
) -> None:
    answer = get(ehr, path, token_for(ehr, authorize, scope))
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["resourceType"] == "OperationOutcome"


def test_writing_needs_a_scope_and_stays_with_the_patient(ehr: SmartEhr, authorize: Authorize) -> None:
    def post(token: str, patient: str) -> int:
        body = {"resourceType": "Communication", "status": "completed", "subject": {"reference": f"Patient/{patient}"}}
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(f"{ehr.fhir_base}/Communication", json=body, headers=headers).status_code

    reads = token_for(ehr, authorize, "patient/Communication.rs")
    writes = token_for(ehr, authorize, "patient/Communication.c")
    assert (post(reads, "ana"), post(writes, "ben"), post(writes, "ana")) == (403, 403, 201)


def test_without_a_token_nothing_is_told(ehr: SmartEhr) -> None:
    answer = httpx.get(f"{ehr.fhir_base}/Patient/ana")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "Quill" not in answer.text


def assertion(
    ehr: SmartEhr, key: ClientKey = RSA, client: str = "service", jti: str = "", **changes: Any
) -> dict[str, str]:
    audience = changes.get("audience", ehr.server.url("token"))
    now = changes.get("now", datetime.now(UTC))
    return assertion_fields(client_assertion(key, client, audience, now, jti or f"{datetime.now(UTC).timestamp()}"))


def backend(ehr: SmartEhr, proof: dict[str, str], scope: str = "system/Observation.rs") -> httpx.Response:
    return httpx.post(ehr.server.url("token"), data={"grant_type": "client_credentials", "scope": scope, **proof})


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS384", "ES384"])
def test_a_backend_service_gets_system_scopes_for_five_minutes(ehr: SmartEhr, key: ClientKey) -> None:
    answer = backend(ehr, assertion(ehr, key)).json()
    assert (answer["token_type"], answer["scope"], answer["expires_in"]) == ("bearer", "system/Observation.rs", 300)
    assert get(ehr, "Observation/bens", answer["access_token"]).status_code == 200
    assert get(ehr, "Patient/ana", answer["access_token"]).status_code == 403
    for scope in ("patient/Observation.rs", "openid system/Observation.rs", "", "system/Nothing.r"):
        assert backend(ehr, assertion(ehr, key), scope).json() == {"error": "invalid_scope"}, scope


def test_assertions_that_do_not_hold(ehr: SmartEhr) -> None:
    stranger = read_client_key(RSAKey.generate_key(2048).as_pem(private=True), kid=RSA.kid)
    old = datetime.now(UTC) - timedelta(minutes=10)
    proofs = [
        assertion(ehr, stranger), assertion(ehr, client="nobody"), assertion(ehr, client="public"),
        assertion(ehr, audience="https://evil.example/token"), assertion(ehr, now=old),
        {**assertion(ehr), "client_assertion_type": "other"}, {"client_id": "service"}, {"client_assertion": "a.b.c"},
    ]  # fmt: skip
    for proof in proofs:
        answer = backend(ehr, proof)
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    once = assertion(ehr, jti="the same")
    assert backend(ehr, once).status_code == 200
    assert backend(ehr, once).status_code == 401, "a jti works once"


def test_pages_say_that_they_are_synthetic_and_escape_what_they_show(ehr: SmartEhr) -> None:
    for path in ("/", "/chart/ana", "/chart/nobody"):
        assert "Synthetic data" in httpx.get(f"{ehr.address}{path}").text
    bad = httpx.post(f"{ehr.address}/launch", data={"client": "public", "patient": "<script>", "user": "p1"})
    assert bad.status_code == 400
    query = {"client_id": "public", "redirect_uri": REDIRECT, "response_type": "code",
             "state": '"><script>x', "aud": ehr.fhir_base,
             "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"}  # fmt: skip
    asked = httpx.get(ehr.server.url("authorize"), params=query)
    assert asked.status_code == 200
    assert "<script>x" not in asked.text
