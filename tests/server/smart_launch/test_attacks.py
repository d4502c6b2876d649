"""What must not work: forged, replayed, mixed-up and downgraded launches, each with a page that says so."""

import base64
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import func, select

from careplane.codecs.smart import LaunchContext
from careplane.console import accounts
from careplane.governance.ehrs import load_ehr, register_ehr
from careplane.records import JSON
from careplane.records.launch import Ehr
from careplane.sandbox.smart import AuthorizationServer, Grant, RegisteredClient
from careplane.store import save
from careplane.store.tables import sessions, smart_ehrs, smart_launches

ANA = LaunchContext(patient="Patient/ana")


def no_session(site: Any) -> bool:
    """Whether nobody got in."""
    with site.platform.store.read() as connection:
        return bool(connection.execute(select(func.count()).select_from(sessions)).scalar_one() == 0)


def refused(site: Any, page: httpx.Response, status: int, *words: str) -> None:
    """A page of ours that says what and the way out, frames nothing, keeps nothing and let nobody in."""
    assert page.status_code == status, page.text
    assert "The way out:" in page.text
    for word in words:
        assert word in page.text, page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert no_session(site)


def records(site: Any) -> int:
    """How many refusals this test put on record."""
    folder = site.platform.home / "ledger"
    return sum(path.read_bytes().count(b'"launch.refused"') for path in folder.rglob("*") if path.is_file())


def step(site: Any, browser: Any, context: LaunchContext = ANA) -> str:
    """Launch up to the point where the EHR sends the browser back; gives that URL, not yet opened."""
    to_ehr = browser.get(site.launch_url(context)).headers["location"]
    return str(browser.get(to_ehr).headers["location"])


def changed(url: str, **values: str | None) -> str:
    """A URL with some parameters changed; ``None`` takes one out."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **values}
    kept = {name: value for name, value in query.items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(kept)))


# who may launch


@pytest.mark.parametrize("issuer", [
    "https://evil.example/fhir", "http://127.0.0.1:1/fhir", "{base}/../fhir", "{base}@evil.example", "{base}?x=1",
    "{base}x", "javascript:alert(1)",
])  # fmt: skip
def test_an_issuer_that_was_not_registered(site, browser, issuer: str) -> None:  # type: ignore[no-untyped-def]
    iss = issuer.replace("{base}", site.ehr.fhir_base)
    page = browser.get(f"{site.address}/smart/launch?{urlencode({'iss': iss, 'launch': 'x'})}")
    refused(site, page, 403, "not registered here", "careplane smart add")
    assert "evil" not in page.text


@pytest.mark.parametrize(
    "query", ["", "iss=a", "launch=a", "iss=a&iss=b&launch=c", "iss=&launch=c", "iss={long}&launch=c"]
)
def test_what_is_no_launch(site, browser, query: str) -> None:  # type: ignore[no-untyped-def]
    before = records(site)
    page = browser.get(f"{site.address}/smart/launch?{query.replace('{long}', 'a' * 5000)}")
    refused(site, page, 400, "must be given once")
    assert records(site) == before, "what anybody can send does not fill the ledger"


def test_http_is_no_issuer_beyond_loopback(platform) -> None:  # type: ignore[no-untyped-def]
    ehr = Ehr(name="x", issuer="http://ehr.example.org/fhir", client_id="c", added_at=datetime.now(UTC), added_by="a")
    with pytest.raises(Exception, match="must be an https:// URL"):
        register_ehr(platform.store, platform.ledger, ehr)


def test_an_app_that_is_not_ours_or_does_not_run(site, browser) -> None:  # type: ignore[no-untyped-def]
    refused(site, browser.get(site.launch_url(ANA, app="nothing")), 404, "no such app")
    refused(site, browser.get(site.launch_url(ANA, app="discharge_summary")), 403, "does not run")


def test_open_redirects_lead_nowhere(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    for more in ("redirect_uri=https://evil.example", "next=//evil.example", "target_link_uri=https://evil.example"):
        to_ehr = browser.get(f"{site.launch_url(ANA)}&{more}").headers["location"]
        assert to_ehr.startswith(site.ehr.server.url("authorize") + "?")
        assert parse_qs(urlsplit(to_ehr).query)["redirect_uri"] == [site.redirect_uri()]
    back = changed(step(site, browser), next="https://evil.example", redirect_uri="https://evil.example")
    assert browser.get(back).headers["location"] == "/review/run-one"
    page = browser.get(
        changed(browser.get(site.launch_url(ANA)).headers["location"], redirect_uri="https://evil.example")
    )
    assert page.status_code == 400, "the EHR sends nobody to an address that is not registered, exactly"


def test_a_foreign_host_name_is_not_answered(site) -> None:  # type: ignore[no-untyped-def]
    answer = httpx.get(f"{site.address}/smart/launch?iss=a&launch=b", headers={"Host": "evil.example"})
    assert answer.status_code == 421


# the way back


@pytest.mark.parametrize("state", ["x" * 43, ""])
def test_a_state_that_is_not_ours(site, browser, state: str) -> None:  # type: ignore[no-untyped-def]
    back = step(site, browser)
    page = browser.get(changed(back, state=state or None))
    refused(site, page, 403 if state else 400)


def test_a_launch_that_began_in_another_browser(site, browser, http) -> None:  # type: ignore[no-untyped-def]
    """Login CSRF: a victim's browser is sent to the callback of an attacker's launch."""
    back = step(site, browser)
    victim = type(browser)(http)
    refused(site, victim.get(back), 403, "another browser")
    host = httpx.URL(site.address).netloc.decode()
    victim.jar[host] = dict.fromkeys(browser.jar[host], "a" * 43)
    refused(site, victim.get(back), 403, "another browser")


def test_a_callback_works_once(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    back = step(site, browser)
    held = dict(browser.jar[httpx.URL(site.address).netloc.decode()])
    assert browser.get(back).status_code == 303
    with site.platform.store.write() as connection:
        connection.execute(sessions.delete())
    browser.jar[httpx.URL(site.address).netloc.decode()] = held
    refused(site, browser.get(back), 403, "used already")


def test_a_code_of_another_launch(site, browser, http) -> None:  # type: ignore[no-untyped-def]
    """A stolen code put into one's own launch: PKCE ties the code to the launch that asked for it."""
    stolen = parse_qs(urlsplit(step(site, type(browser)(http))).query)["code"][0]
    refused(site, browser.get(changed(step(site, browser), code=stolen)), 502, "invalid_grant")


def test_a_launch_that_took_too_long(site, browser) -> None:  # type: ignore[no-untyped-def]
    back = step(site, browser)
    with site.platform.store.write() as connection:
        old = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(timespec="microseconds")
        connection.execute(smart_launches.update().values(expires_at=old))
    refused(site, browser.get(back), 403, "older than ten minutes")


def test_an_ehr_that_says_no(site, browser) -> None:  # type: ignore[no-untyped-def]
    back = changed(step(site, browser), code=None, error="access_denied", error_description="Ana Quill is restricted")
    page = browser.get(back)
    refused(site, page, 403, "access_denied")
    assert "Quill" not in page.text


# two EHRs


def _second(site: Any) -> Ehr:
    other = Ehr(name="other", issuer="https://other.example.org/fhir", client_id="careplane", same_chart=True,
                added_at=datetime.now(UTC), added_by="admin")  # fmt: skip
    return register_ehr(site.platform.store, site.platform.ledger, other)


@pytest.mark.parametrize("says_issuer", [True, False])
def test_an_answer_that_comes_back_as_another_ehrs(open_site, browser, says_issuer: bool) -> None:  # type: ignore[no-untyped-def]
    """Mix-up (RFC 9700 section 4.4): each EHR has an address of its own to come back to."""
    site = open_site(says_issuer=says_issuer)
    _second(site)
    back = step(site, browser).replace("/smart/callback/main", "/smart/callback/other")
    refused(site, browser.get(back), 403, "another EHR")


@pytest.mark.parametrize("issuer", ["https://other.example.org", None])
def test_an_answer_that_names_another_issuer_or_none(site, browser, issuer: str | None) -> None:  # type: ignore[no-untyped-def]
    """RFC 9207: who promises to name itself must."""
    refused(site, browser.get(changed(step(site, browser), iss=issuer)), 401, "another EHR")


def test_two_ehrs_may_not_share_an_issuer(site) -> None:  # type: ignore[no-untyped-def]
    again = Ehr(name="again", issuer=site.ehr.fhir_base + "/", client_id="c", same_chart=True,
                added_at=datetime.now(UTC), added_by="a")  # fmt: skip
    with pytest.raises(Exception, match="registered already"):
        register_ehr(site.platform.store, site.platform.ledger, again)


@pytest.mark.parametrize("chart", ["", "https://chart.example.org/fhir"])
def test_an_ehr_of_another_chart_cannot_launch(open_site, browser, monkeypatch, chart: str) -> None:  # type: ignore[no-untyped-def]
    """One registered before that rule, or before fhir_base_url was changed: refused at the door and on the way back."""
    site = open_site()
    back = step(site, browser)
    with site.platform.store.write() as connection:
        old = load_ehr(site.platform.store, "main").__replace__(same_chart=False)
        save(connection, smart_ehrs, old, name=old.name, issuer=old.issuer)
    monkeypatch.setitem(vars(site.platform.settings)["_values"], "fhir_base_url", chart)
    words = ("may be somebody else", "--same-chart")
    refused(site, browser.get(back), 403, *words)
    refused(site, browser.get(site.launch_url(ANA)), 403, *words)
    refused(site, browser.get(f"{site.address}/smart/standalone?ehr=main"), 403, *words)
    monkeypatch.setitem(vars(site.platform.settings)["_values"], "fhir_base_url", site.ehr.fhir_base + "/")
    assert browser.go(site.launch_url(ANA)).url.path == "/review", "the chart that is read needs no word for it"


# who it is


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


class Lying(AuthorizationServer):
    """An EHR whose id_tokens are changed by a test."""

    changes: ClassVar[JSON] = {}
    forge: ClassVar[str] = ""

    def id_token(self, grant: Grant) -> str:
        now = int(self.grants.now())
        claims = {"iss": self.issuer, "sub": "p1", "aud": grant.client, "iat": now, "exp": now + 300,
                  "nonce": grant.nonce, "fhirUser": f"{self.fhir_base}/Practitioner/p1", **self.changes}  # fmt: skip
        held = {name: value for name, value in claims.items() if value is not None}
        if self.forge in ("none", "HS256"):
            head, body = (_encoded(orjson.dumps(part)) for part in ({"alg": self.forge, "kid": "sandbox-1"}, held))
            secret = self.key.as_pem(private=False)
            mark = hmac.digest(secret, f"{head}.{body}".encode(), "sha256") if self.forge == "HS256" else b""
            return f"{head}.{body}.{_encoded(mark)}"
        key = RSAKey.generate_key(2048) if self.forge == "other key" else self.key
        return jwt.encode({"alg": "RS256", "kid": "sandbox-1"}, held, key)


@pytest.mark.parametrize(("changes", "forge", "word"), [
    ({"aud": "another-app"}, "", "audience"), ({"aud": ["careplane", "x"]}, "", "another client"),
    ({"nonce": "of another launch"}, "", "nonce"), ({"nonce": None}, "", "nonce"),
    ({"iss": "https://other.example.org"}, "", "another issuer"), ({"exp": 1_700_000_000}, "", "expired"),
    ({"fhirUser": None}, "", "fhirUser"), ({"fhirUser": "https://evil.example/Practitioner/p1"}, "", "fhirUser"),
    ({}, "none", "algorithm"), ({}, "HS256", "algorithm"), ({}, "other key", "signature"),
])  # fmt: skip
def test_id_tokens_that_do_not_hold(open_site, browser, draft, changes: JSON, forge: str, word: str) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    site = open_site(type("Forging", (Lying,), {"changes": changes, "forge": forge}))
    page = browser.go(site.launch_url(ANA))
    refused(site, page, 401, word)
    assert "Marker" not in page.text


def test_the_unchanged_id_token_of_that_ehr_is_fine(open_site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    assert browser.go(open_site(Lying).launch_url(ANA)).url.path == "/review/run-one"


def test_somebody_without_an_account_is_told_who_can_grant_it(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    before = records(site)
    page = browser.go(site.launch_url(ANA, user="Practitioner/p9"))
    refused(site, page, 403, "nobody of that name has an account", "--person Practitioner/p9")
    assert records(site) == before + 1, "on record, as the EHR vouched for the person"
    assert [account.id for account in accounts.find_accounts(site.platform.store)] == ["nia"], "none was made"


def test_a_disabled_account_stays_out(site, browser, account) -> None:  # type: ignore[no-untyped-def]
    account("old", "Practitioner/p9", "clinician")
    store = site.platform.store
    accounts.save_account(store, accounts.load_account(store, "old").__replace__(disabled=True))
    refused(site, browser.go(site.launch_url(ANA, user="Practitioner/p9")), 403, "is disabled")


def test_two_accounts_of_one_person_are_not_guessed_between(site, browser, account) -> None:  # type: ignore[no-untyped-def]
    account("twin", "Practitioner/p1", "clinician")
    refused(site, browser.go(site.launch_url(ANA)), 403, "several accounts")


def test_a_launch_gives_no_role(site, browser, account, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one", user="Practitioner/p9")
    account("money", "Practitioner/p9", "finance")
    page = browser.go(site.launch_url(ANA, user="Practitioner/p9"))
    assert page.status_code == 403
    assert "you need the role" in page.text
    assert "Marker" not in page.text


# which patient


def test_the_draft_of_another_patient_than_the_one_that_is_open(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("other", patient="ben")
    page = browser.go(site.launch_url(LaunchContext(patient="Patient/ana", app_context="run-other")))
    refused(site, page, 403, "another patient")
    assert "Marker" not in page.text


def test_no_patient_is_open(site, browser) -> None:  # type: ignore[no-untyped-def]
    refused(site, browser.go(site.launch_url(LaunchContext())), 403, "No patient is open")


def test_a_patient_whom_the_chart_does_not_have(site, browser) -> None:  # type: ignore[no-untyped-def]
    refused(site, browser.go(site.launch_url(LaunchContext(patient="Patient/nobody"))), 502, "GET Patient")


def test_another_tenant(agree, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    site = agree(tenant="north")
    for tenant in ("south", None):
        refused(site, browser.go(site.launch_url(LaunchContext(patient="Patient/ana", tenant=tenant))), 403, "tenant")
    good = LaunchContext(patient="Patient/ana", tenant="north")
    assert browser.go(site.launch_url(good)).url.path == "/review/run-one"


# sessions


def test_a_session_that_was_planted_is_not_taken_over(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    """Session fixation: whoever planted a cookie must not share the session that follows."""
    draft("one")
    host = httpx.URL(site.address).netloc.decode()
    browser.jar[host] = {"careplane_launch": "planted"}
    browser.go(site.launch_url(ANA))
    first = browser.jar[host]["careplane_launch"]
    assert first != "planted"
    browser.go(site.launch_url(ANA))
    second = browser.jar[host]["careplane_launch"]
    assert second != first
    with site.platform.store.read() as connection:
        assert connection.execute(select(func.count()).select_from(sessions)).scalar_one() == 1
    browser.jar[host] = {"careplane_launch": first}
    assert browser.get(f"{site.address}/review/run-one").status_code == 401


# an EHR that is not as it must be


class Downgraded(AuthorizationServer):
    """An EHR that offers PKCE without a hash."""

    def configuration(self) -> JSON:
        return {**super().configuration(), "code_challenge_methods_supported": ["S256", "plain"]}


class Insecure(AuthorizationServer):
    """An EHR whose token endpoint was moved to plain http elsewhere."""

    def configuration(self) -> JSON:
        return {**super().configuration(), "token_endpoint": "http://evil.example/token"}


@pytest.mark.parametrize(("server", "word"), [(Downgraded, "plain"), (Insecure, "https")])
def test_a_downgraded_ehr(open_site, browser, server: type[AuthorizationServer], word: str) -> None:  # type: ignore[no-untyped-def]
    site = open_site(server)
    page = browser.get(site.launch_url(ANA))
    refused(site, page, 502, word)
    assert "evil" not in page.text


def test_an_ehr_that_is_away(site, browser) -> None:  # type: ignore[no-untyped-def]
    _second(site)
    url = f"{site.address}/smart/standalone?ehr=other"
    refused(site, browser.get(url), 502, "could not be reached")
    refused(site, browser.get(f"{site.address}/smart/standalone?ehr=none"), 404, "Registered: main, other")


def test_a_client_that_the_ehr_does_not_know_by_this_key(site, browser) -> None:  # type: ignore[no-untyped-def]
    stranger = RSAKey.generate_key(2048, {"kid": "x", "alg": "RS384"})
    known = site.ehr.server.clients["careplane"]
    keys = {"keys": [stranger.as_dict(private=False)]}
    site.ehr.register(RegisteredClient(id=known.id, title=known.title, redirect_uris=known.redirect_uris,
                                       launch_url=known.launch_url, jwks=keys))  # fmt: skip
    refused(site, browser.go(site.launch_url(ANA)), 502, "invalid_client")
