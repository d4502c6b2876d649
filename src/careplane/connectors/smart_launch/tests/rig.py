"""The rig of ``smart_launch``: the sandbox's SMART authorization server in front of a real FHIR server."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

from careplane.codecs.smart import LaunchContext, Scopes, TokenResponse, read_scopes
from careplane.codecs.smart_assertion import public_keys, read_client_key
from careplane.connectors.smart_launch import SmartClient
from careplane.connectors.smart_launch import open as open_client
from careplane.errors import TokenError, UpstreamRejected
from careplane.sandbox.ehr_server import EhrServer
from careplane.sandbox.smart import RegisteredClient, SmartEhr

REQUIRED = ("fhir_base_url", "client_id", "redirect_uri")
SECRETS = ("private_key",)
REDIRECT = "https://careplane.example.org/smart/callback/rig"
ASKED = read_scopes("launch openid fhirUser online_access patient/Patient.rs")
VERIFIER = secrets.token_urlsafe(48)
NONCE = "nonce-of-the-rig"
_RSA = RSAKey.generate_key(2048)
_EC = ECKey.generate_key("P-384")
_SIGNER = read_client_key(_RSA.as_pem(private=True))


@dataclass(frozen=True)
class Ehr:
    """A running EHR, with a client for each kind of credentials."""

    settings: Mapping[str, str]
    smart: SmartEhr
    patient: str

    def client(self, **changes: str) -> SmartClient:
        """Another client of the same EHR."""
        given = {**self.settings, **changes}
        return open_client({name: value for name, value in given.items() if value})

    def back(self, url: str) -> dict[str, str]:
        """What the browser brings back from the authorization endpoint."""
        answer = httpx.get(url, follow_redirects=False)
        assert answer.status_code == 302, answer.text
        assert answer.headers["location"].startswith(REDIRECT + "?")
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    def handle(self, client: str = "signer") -> str:
        """A launch that the EHR began."""
        context = LaunchContext(patient=self.patient, encounter="Encounter/e1", tenant="t1", intent="review")
        return self.smart.server.grants.launch(client, "Practitioner/p1", context)


@contextmanager
def peer(folder: Path) -> Iterator[Ehr]:
    if find_spec("sekmet") is None:
        pytest.skip("needs the extra 'sandbox' (sekmet-fhir)")
    with EhrServer(folder) as server, SmartEhr(server.base_url) as smart:
        made = httpx.post(f"{server.base_url}/Patient", json={"resourceType": "Patient", "birthDate": "1950-01-01"})
        keys = public_keys([_SIGNER, read_client_key(_EC.as_pem(private=True))])
        smart.register(RegisteredClient(id="signer", title="Signer", redirect_uris=(REDIRECT,), jwks=keys))
        smart.register(RegisteredClient(id="public", title="Public", redirect_uris=(REDIRECT,)))
        settings = {
            "fhir_base_url": smart.fhir_base,
            "client_id": "signer",
            "redirect_uri": REDIRECT,
            "private_key": _RSA.as_pem(private=True).decode(),
        }
        yield Ehr(settings, smart, f"Patient/{made.json()['id']}")


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    return {
        "fhir_base_url": f"http://{host}:{port}/fhir",
        "client_id": "signer",
        "redirect_uri": REDIRECT,
        "private_key": _RSA.as_pem(private=True).decode(),
        "timeout_seconds": "0.3",
    }


async def call(client: SmartClient, words: str) -> object:
    return await client.redeem(words, VERIFIER, Scopes())


async def _launched(client: SmartClient, ehr: Ehr, name: str = "signer") -> TokenResponse:
    begun = await client.begin(ASKED, verifier=VERIFIER, nonce=NONCE, launch=ehr.handle(name))
    back = ehr.back(begun.url)
    assert back["state"] == begun.state
    await client.check_issuer(back.get("iss"))
    return await client.redeem(back["code"], VERIFIER, begun.scopes)


async def it_finds_the_endpoints_and_keeps_them(client: SmartClient, ehr: Ehr) -> None:
    found = await client.discover()
    assert found.token_endpoint == ehr.smart.server.url("token")
    assert await client.discover() is found


async def a_launch_brings_a_token_with_its_context(client: SmartClient, ehr: Ehr) -> None:
    answer = await _launched(client, ehr)
    assert (answer.context.patient, answer.context.encounter) == (ehr.patient, "Encounter/e1")
    assert (answer.context.tenant, answer.context.intent) == ("t1", "review")
    assert answer.scopes == ASKED


async def a_code_works_once(client: SmartClient, ehr: Ehr) -> None:
    begun = await client.begin(ASKED, verifier=VERIFIER, nonce=NONCE, launch=ehr.handle())
    code = ehr.back(begun.url)["code"]
    first = await client.redeem(code, VERIFIER, ASKED)
    with pytest.raises(UpstreamRejected) as told:
        await client.redeem(code, VERIFIER, ASKED)
    assert told.value.code == "invalid_grant"
    assert (await client.introspect(first.access_token)).active is False


async def a_code_is_no_use_without_its_verifier(client: SmartClient, ehr: Ehr) -> None:
    begun = await client.begin(ASKED, verifier=VERIFIER, nonce=NONCE, launch=ehr.handle())
    with pytest.raises(UpstreamRejected) as told:
        await client.redeem(ehr.back(begun.url)["code"], secrets.token_urlsafe(48), ASKED)
    assert told.value.code == "invalid_grant"


async def it_signs_with_either_algorithm(_client: SmartClient, ehr: Ehr) -> None:
    for key in (_RSA, _EC):
        other = ehr.client(private_key=key.as_pem(private=True).decode())
        try:
            assert (await _launched(other, ehr)).context.patient == ehr.patient
        finally:
            await other.aclose()


async def a_key_that_is_not_registered_is_refused(_client: SmartClient, ehr: Ehr) -> None:
    other = ehr.client(private_key=RSAKey.generate_key(2048).as_pem(private=True).decode(), key_id=_SIGNER.kid)
    try:
        with pytest.raises(UpstreamRejected) as told:
            await _launched(other, ehr)
        assert told.value.code == "invalid_client"
    finally:
        await other.aclose()


async def a_public_client_says_its_name_only(_client: SmartClient, ehr: Ehr) -> None:
    other = ehr.client(client_id="public", private_key="")
    try:
        assert (await _launched(other, ehr, "public")).context.patient == ehr.patient
    finally:
        await other.aclose()


async def it_knows_who_launched(client: SmartClient, ehr: Ehr) -> None:
    answer = await _launched(client, ehr)
    assert (await client.identify(answer, NONCE)).fhir_user == "Practitioner/p1"
    with pytest.raises(TokenError) as told:
        await client.identify(answer, "another nonce")
    assert told.value.code == "nonce"


async def a_refresh_token_brings_its_successor(client: SmartClient, ehr: Ehr) -> None:
    first = await _launched(client, ehr)
    assert first.refresh_token is not None
    narrower = read_scopes("online_access patient/Patient.r")
    second = await client.refresh(first.refresh_token, first.scopes, narrower)
    assert second.scopes == narrower
    assert second.refresh_token not in (None, first.refresh_token)
    with pytest.raises(UpstreamRejected):
        await client.refresh(first.refresh_token, first.scopes)


async def it_asks_whether_a_token_is_active(client: SmartClient, ehr: Ehr) -> None:
    answer = await _launched(client, ehr)
    told = await client.introspect(answer.access_token)
    assert (told.active, told.client_id, told.context.patient) == (True, "signer", ehr.patient)
    assert (await client.introspect("unknown")).active is False


async def a_revoked_token_is_over(client: SmartClient, ehr: Ehr) -> None:
    answer = await _launched(client, ehr)
    await client.revoke(answer.access_token, "access_token")
    assert (await client.introspect(answer.access_token)).active is False
    await client.revoke(answer.access_token, "access_token")


async def it_reads_with_the_rights_of_the_person(client: SmartClient, ehr: Ehr) -> None:
    answer = await _launched(client, ehr)
    assert (await client.read(ehr.patient, answer.access_token))["birthDate"] == "1950-01-01"
    for reference, token in (("Practitioner/p1", answer.access_token), (ehr.patient, "unknown")):
        with pytest.raises(UpstreamRejected):
            await client.read(reference, token)


BEHAVIOURS = {
    "discovery": (it_finds_the_endpoints_and_keeps_them,),
    "authorization_code": (a_launch_brings_a_token_with_its_context, a_code_works_once),
    "pkce": (a_code_is_no_use_without_its_verifier,),
    "private_key_jwt": (it_signs_with_either_algorithm, a_key_that_is_not_registered_is_refused),
    "public_client": (a_public_client_says_its_name_only,),
    "id_token": (it_knows_who_launched,),
    "refresh": (a_refresh_token_brings_its_successor,),
    "introspection": (it_asks_whether_a_token_is_active,),
    "revocation": (a_revoked_token_is_over,),
    "read_as_user": (it_reads_with_the_rights_of_the_person,),
}
