"""SMART on the wire: the specification's own examples, its rules, and what breaks them."""

import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from careplane._shelf import folder, items
from careplane.apps import read_app
from careplane.codecs import smart
from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.codecs.smart import ResourceScope, Scopes
from careplane.errors import CareplaneError, InputError, Refused, TokenError
from careplane.records import JSON

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
BASE = "https://ehr.example.org/fhir"
KEY = RSAKey.generate_key(2048, {"kid": "k1"})
KEYS: JSON = dict(KeySet([KEY]).as_dict(private=False))


def configuration(**changes: Any) -> bytes:
    """The example of the specification (2.2, "Sample response"), with changes; ``None`` takes a field out."""
    whole = {
        "issuer": "https://ehr.example.com",
        "jwks_uri": "https://ehr.example.com/.well-known/jwks.json",
        "authorization_endpoint": "https://ehr.example.com/auth/authorize",
        "token_endpoint": "https://ehr.example.com/auth/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "registration_endpoint": "https://ehr.example.com/auth/register",
        "scopes_supported": ["openid", "profile", "launch", "launch/patient", "patient/*.rs", "offline_access"],
        "response_types_supported": ["code"],
        "management_endpoint": "https://ehr.example.com/user/manage",
        "introspection_endpoint": "https://ehr.example.com/user/introspect",
        "revocation_endpoint": "https://ehr.example.com/user/revoke",
        "code_challenge_methods_supported": ["S256"],
        "capabilities": ["launch-ehr", "permission-patient", "client-public", "sso-openid-connect"],
    }
    return orjson.dumps({name: value for name, value in {**whole, **changes}.items() if value is not None})


def test_configuration_of_the_specification_is_read() -> None:
    read = smart.read_configuration(configuration())
    assert read.token_endpoint == "https://ehr.example.com/auth/token"
    assert read.can("launch-ehr")
    assert not read.can("launch-standalone")
    assert smart.configuration_url(BASE + "/") == f"{BASE}/.well-known/smart-configuration"


@pytest.mark.parametrize("field", ["token_endpoint", "grant_types_supported", "capabilities", "authorization_endpoint",
                                   "code_challenge_methods_supported", "issuer", "jwks_uri"])  # fmt: skip
def test_required_fields_of_the_configuration(field: str) -> None:
    with pytest.raises(InputError) as told:
        smart.read_configuration(configuration(**{field: None}))
    assert told.value.field == field
    assert "required and missing" in told.value.message


def test_what_is_required_depends_on_what_is_offered() -> None:
    backend = configuration(
        authorization_endpoint=None, issuer=None, jwks_uri=None, grant_types_supported=["client_credentials"],
        capabilities=["client-confidential-asymmetric"],
    )  # fmt: skip
    assert smart.read_configuration(backend).authorization_endpoint is None


@pytest.mark.parametrize("methods", [["plain"], [], ["S256", "plain"], "S256"])
def test_pkce_is_never_downgraded(methods: Any) -> None:
    with pytest.raises(InputError) as told:
        smart.read_configuration(configuration(code_challenge_methods_supported=methods))
    assert told.value.field == "code_challenge_methods_supported"


@pytest.mark.parametrize("url", [
    "http://ehr.example.com/token", "ftp://ehr.example.com/token", "https://user:pw@ehr.example.com/token",
    "https:///token", "//ehr.example.com/token", "javascript:alert(1)", "https://ehr.example.com/token#x",
    "https://ehr.example.com\\@evil.example/token", "https://ehr.example.com:99999/token", "https://e.example/ x",
    "http://127.0.0.1.evil.example/token", "https://ehr.example.com/\N{CYRILLIC SMALL LETTER A}", 7,
])  # fmt: skip
def test_endpoints_are_https_and_nothing_else(url: Any) -> None:
    with pytest.raises(InputError) as told:
        smart.read_configuration(configuration(token_endpoint=url))
    assert told.value.field == "token_endpoint"


def test_plain_http_is_for_loopback_only() -> None:
    read = smart.read_configuration(configuration(token_endpoint="http://127.0.0.1:9/token"))
    assert read.token_endpoint == "http://127.0.0.1:9/token"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"a":' * 5000, b" " * 300_000])
def test_what_is_no_configuration(body: bytes) -> None:
    with pytest.raises(InputError):
        smart.read_configuration(body)


def test_origins_are_written_as_browsers_do() -> None:
    assert smart.origin_of("https://EHR.example.org:443/x", "frame") == "https://ehr.example.org"
    assert smart.origin_of("http://[::1]:8080/", "frame") == "http://[::1]:8080"


# PKCE and the authorization request


def test_challenge_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert smart.challenge_of(verifier) == challenge
    assert smart.verifier_fits(verifier, challenge)
    assert not smart.verifier_fits(verifier[:-1] + "l", challenge)
    assert not smart.verifier_fits(challenge, challenge)


@pytest.mark.parametrize("verifier", ["", "short", "a" * 129, "a" * 42 + " ", "ä" * 50])
def test_weak_verifiers_are_refused(verifier: str) -> None:
    with pytest.raises(InputError):
        smart.challenge_of(verifier)
    assert not smart.verifier_fits(verifier, "x")


def _request(**changes: Any) -> smart.AuthorizationRequest:
    fields = {
        "client_id": "app", "redirect_uri": "https://app.example.org/smart/callback/a b", "aud": BASE,
        "scopes": smart.read_scopes("launch patient/Observation.rs?category=a|b&code=c"), "state": "s&t=1",
        "challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "launch": "xyz123", "nonce": "n",
    }  # fmt: skip
    return smart.AuthorizationRequest(**{**fields, **changes})


def test_authorize_url_carries_every_parameter_once() -> None:
    url = smart.authorize_url("https://ehr.example.com/auth/authorize?tenant=7", _request())
    query = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert query == {
        "tenant": ["7"], "response_type": ["code"], "client_id": ["app"], "state": ["s&t=1"], "aud": [BASE],
        "redirect_uri": ["https://app.example.org/smart/callback/a b"], "launch": ["xyz123"], "nonce": ["n"],
        "scope": ["launch patient/Observation.rs?category=a|b&code=c"], "code_challenge_method": ["S256"],
        "code_challenge": ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"],
    }  # fmt: skip
    assert "launch=" not in smart.authorize_url("https://e.example/a", _request(launch=None))


def test_answer_of_the_authorization_endpoint() -> None:
    assert smart.read_answer({"code": "c", "state": "s", "iss": "https://e.example"}).issuer == "https://e.example"
    with pytest.raises(Refused, match="access_denied") as told:
        smart.read_answer({"error": "access_denied", "error_description": "Ana Quill has restricted"})
    assert "Quill" not in str(told.value)
    with pytest.raises(Refused, match=r"\(unknown\)"):
        smart.read_answer({"error": "<script>"})
    for query in ({}, {"code": "c"}, {"state": "s"}, {"code": "c" * 5000, "state": "s"}):
        with pytest.raises(InputError):
            smart.read_answer(query)


# scopes


@pytest.mark.parametrize(("v1", "v2"), [
    ("patient/Observation.read", "patient/Observation.rs"), ("user/Patient.write", "user/Patient.cud"),
    ("patient/*.*", "patient/*.cruds"), ("system/*.read", "system/*.rs"), ("user/Task.*", "user/Task.cruds"),
])  # fmt: skip
def test_v1_means_what_v2_says(v1: str, v2: str) -> None:
    assert smart.read_scope(v1) == smart.read_scope(v2)
    assert str(smart.read_scope(v1)) == v2


@pytest.mark.parametrize("text", [
    "patient/Observation.rs", "user/*.cruds", "system/Patient.c",
    "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
    "patient/Condition.rs?category=problem-list-item&clinical-status=active",
])  # fmt: skip
def test_scopes_are_written_as_they_were_read(text: str) -> None:
    assert str(smart.read_scope(text)) == text


@pytest.mark.parametrize("word", ["openid", "fhirUser", "launch", "launch/patient", "offline_access", "profile"])
def test_other_words_are_no_access(word: str) -> None:
    assert smart.read_scope(word) is None
    assert smart.read_scopes(word) == Scopes(others=(word,))


@pytest.mark.parametrize("text", [
    "patient/Observation", "patient/Observation.", "patient/Observation.sr", "patient/Observation.rr",
    "patient/Observation.x", "patient/Nonsense.rs", "patient/.rs", "user/observation.rs", "patient/Observation.Read",
    "patient/Observation.rs?", "patient/Observation.rs?category",
    "system/*.rs?" + "&".join(f"a{n}=b" for n in range(30)),
])  # fmt: skip
def test_what_is_no_scope(text: str) -> None:
    with pytest.raises(InputError, match="scope"):
        smart.read_scope(text)


def test_a_flood_of_scopes_is_refused() -> None:
    for text in ("a" * 9000, "a " * 500):
        with pytest.raises(InputError):
            smart.read_scopes(text)


@pytest.mark.parametrize(("held", "wanted", "answer"), [
    ("patient/*.rs", "patient/Observation.r", True),
    ("patient/Observation.rs", "patient/Observation.rs?category=lab", True),
    ("patient/Observation.rs?category=lab", "patient/Observation.rs", False),
    ("patient/Observation.rs?category=lab", "patient/Observation.s?category=lab&code=x", True),
    ("patient/Observation.rs?category=lab", "patient/Observation.rs?category=vital", False),
    ("patient/Observation.r patient/Observation.s", "patient/Observation.rs", True),
    ("patient/Observation.rs", "patient/Observation.cruds", False),
    ("patient/Observation.rs", "patient/*.rs", False),
    ("user/*.cruds", "patient/Observation.r", False),
    ("openid patient/Observation.rs", "openid fhirUser", False),
    ("", "", True),
])  # fmt: skip
def test_what_implies_what(held: str, wanted: str, answer: bool) -> None:
    assert smart.read_scopes(held).implies(smart.read_scopes(wanted)) is answer


def test_excess_is_left_out() -> None:
    held = smart.read_scopes("openid patient/Observation.rs patient/Task.r")
    wanted = smart.read_scopes("openid fhirUser patient/Observation.cruds patient/Task.rs patient/Claim.r")
    assert str(held.without_excess(wanted)) == "openid patient/Observation.rs patient/Task.r"


LETTERS = st.sets(st.sampled_from("cruds"), min_size=1).map(lambda held: "".join(x for x in "cruds" if x in held))
SCOPE = st.builds(
    ResourceScope,
    level=st.sampled_from(["patient", "user", "system"]),
    type=st.sampled_from(["*", *sorted(RESOURCE_TYPES)[:8]]),
    interactions=LETTERS,
    params=st.lists(st.tuples(st.sampled_from(["category", "code", "a:in"]), st.text("ab|:/&=%? ä", min_size=1)),
                    max_size=3).map(lambda pairs: tuple(sorted(pairs))),
)  # fmt: skip


@given(st.lists(SCOPE, max_size=6))
def test_joined_scopes_are_the_same_access(scopes: list[ResourceScope]) -> None:
    before, after = Scopes(resources=tuple(scopes)), Scopes(resources=smart.joined(scopes))
    assert before.implies(after)
    assert after.implies(before)
    assert smart.read_scopes(str(after)) == after


@given(SCOPE, SCOPE, SCOPE)
def test_implication_is_transitive_and_reflexive(a: ResourceScope, b: ResourceScope, c: ResourceScope) -> None:
    assert a.implies(a)
    assert a.implies(c) or not (a.implies(b) and b.implies(c))


@given(st.text(max_size=60))
def test_any_text_is_scopes_or_a_clear_refusal(text: str) -> None:
    try:
        read = smart.read_scopes(text)
    except InputError:
        return
    assert smart.read_scopes(str(read)) == read


# token response, context, introspection


def token_response(**changes: Any) -> bytes:
    whole = {
        "access_token": "i8hweunweunweofiwweoijewiwe", "token_type": "bearer", "expires_in": 3600,
        "scope": "patient/Observation.rs patient/Patient.rs", "intent": "client-ui-name", "patient": "123",
        "encounter": "456", "need_patient_banner": False, "tenant": "t1",
        "fhirContext": [{"reference": "ImagingStudy/77"}, {"canonical": "http://x.example/Q|2", "role": "r"}],
    }  # fmt: skip
    return orjson.dumps({name: value for name, value in {**whole, **changes}.items() if value is not None})


def test_token_response_with_its_context() -> None:
    read = smart.read_token(token_response(), Scopes())
    context = read.context
    assert (context.patient, context.encounter, context.banner) == ("Patient/123", "Encounter/456", False)
    assert (context.intent, context.tenant) == ("client-ui-name", "t1")
    assert [item.reference for item in context.fhir_context] == ["ImagingStudy/77", None]
    assert [item.role for item in context.fhir_context] == ["launch", "r"]
    assert read.expires_in == 3600
    assert "i8hweunweunweofiwweoijewiwe" not in repr(read)


def test_without_scope_what_was_asked_is_granted_and_a_banner_is_shown_unless_told() -> None:
    asked = smart.read_scopes("launch patient/Patient.r")
    read = smart.read_token(token_response(scope=None, need_patient_banner=None, expires_in="300"), asked)
    assert read.scopes == asked
    assert read.context.banner is True
    assert read.expires_in == 300


@pytest.mark.parametrize("changes", [
    {"token_type": "mac"}, {"token_type": None}, {"access_token": None}, {"access_token": ""},
    {"access_token": "a b"}, {"access_token": "a\nb"}, {"access_token": 7}, {"expires_in": "soon"},
    {"expires_in": -1}, {"expires_in": True}, {"patient": "../x"}, {"patient": 7}, {"patient": "Encounter/1"},
    {"need_patient_banner": "yes"}, {"fhirContext": {}}, {"fhirContext": [{}]}, {"fhirContext": ["Patient/1"]},
    {"fhirContext": [{"reference": "http://evil.example/Patient/1"}]}, {"fhirContext": [{"reference": "X/1"}]},
    {"fhirContext": [{"reference": "Task/1", "role": ""}]}, {"fhirContext": [{"reference": "Task/1"}] * 101},
    {"intent": 4}, {"scope": ["a"]}, {"scope": "patient/Nothing.rs"}, {"id_token": ["x"]},
])  # fmt: skip
def test_what_is_no_token_response(changes: JSON) -> None:
    with pytest.raises(InputError):
        smart.read_token(token_response(**changes), Scopes())


def test_error_of_the_token_endpoint_is_a_word() -> None:
    assert smart.read_error(b'{"error":"invalid_grant","error_description":"Ana"}') == "invalid_grant"
    for body in (b"", b"[]", b'{"error":"<b>"}', b'{"error":7}', b"\xff"):
        assert smart.read_error(body) == "unknown"


def test_introspection() -> None:
    body = {"active": True, "scope": "openid patient/Patient.r", "client_id": "app", "exp": NOW.timestamp(),
            "patient": "1", "fhirUser": "Practitioner/p1"}  # fmt: skip
    read = smart.read_introspection(orjson.dumps(body))
    assert (read.active, read.expires, read.context.patient) == (True, NOW, "Patient/1")
    assert smart.read_introspection(b'{"active":false,"scope":"leaked"}') == smart.Introspection(active=False)
    for field in ("active", "scope", "client_id", "exp"):
        with pytest.raises(InputError) as told:
            smart.read_introspection(orjson.dumps({name: value for name, value in body.items() if name != field}))
        assert told.value.field == field


FIELDS = ("access_token", "token_type", "scope", "patient", "fhirContext", "reference", "identifier", "value", "active",
          "exp", "client_id", "expires_in")  # fmt: skip


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(FIELDS), inner, max_size=6), max_leaves=12))  # fmt: skip
def test_hostile_answers_are_refused_clearly(value: object) -> None:
    try:
        body = orjson.dumps(value)
    except TypeError:
        return  # an integer that JSON of orjson has no place for
    for read in (lambda: smart.read_token(body, Scopes()), lambda: smart.read_introspection(body),
                 lambda: smart.read_configuration(body)):  # fmt: skip
        with suppress(CareplaneError):
            read()


# id_token


def id_token(key: Any = KEY, header: JSON | None = None, **changes: Any) -> str:
    claims = {
        "iss": "https://ehr.example.org", "sub": "u-1", "aud": "careplane", "nonce": "n-1",
        "iat": NOW.timestamp(), "exp": (NOW + timedelta(minutes=5)).timestamp(), "fhirUser": f"{BASE}/Practitioner/p1",
    }  # fmt: skip
    held = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(header or {"alg": "RS256", "kid": "k1"}, held, key, algorithms=["RS256", "HS256"])


def identity(token: str, keys: JSON = KEYS) -> smart.Identity:
    return smart.read_identity(
        token, keys, issuer="https://ehr.example.org", client_id="careplane", nonce="n-1", fhir_base=BASE, now=NOW
    )


@pytest.mark.parametrize("user", [f"{BASE}/Practitioner/p1", "Practitioner/p1"])
def test_id_token_says_who_it_is(user: str) -> None:
    assert identity(id_token(fhirUser=user)) == smart.Identity(
        issuer="https://ehr.example.org", subject="u-1", fhir_user="Practitioner/p1"
    )
    assert identity(id_token(aud=["careplane", "other"], azp="careplane")).subject == "u-1"


@pytest.mark.parametrize(("changes", "code"), [
    ({"iss": "https://other.example.org"}, "issuer"), ({"aud": "another-app"}, "audience"),
    ({"aud": ["careplane", "other"]}, "audience"), ({"azp": "other"}, "audience"), ({"nonce": "n-2"}, "nonce"),
    ({"nonce": None}, "claim"), ({"sub": None}, "claim"), ({"exp": None}, "claim"), ({"iat": None}, "claim"),
    ({"exp": NOW.timestamp() - 120}, "expired"), ({"iat": NOW.timestamp() + 3600}, "early"),
    ({"exp": NOW.timestamp() + 90_000}, "age"), ({"fhirUser": None}, "claim"),
    ({"fhirUser": "https://evil.example/fhir/Practitioner/p1"}, "claim"), ({"fhirUser": "Device/d1"}, "claim"),
    ({"fhirUser": f"{BASE}/../Practitioner/p1"}, "claim"), ({"fhirUser": 7}, "claim"),
])  # fmt: skip
def test_id_tokens_that_do_not_hold(changes: JSON, code: str) -> None:
    with pytest.raises(TokenError) as told:
        identity(id_token(**changes))
    assert told.value.code == code


def test_id_token_without_a_real_signature_is_refused() -> None:
    secret = OctKey.import_key(orjson.dumps(KEYS))
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode()
    unsigned = f"{head}.{id_token().split('.')[1]}."
    for token in (unsigned, id_token(secret, {"alg": "HS256"})):
        with pytest.raises(TokenError) as told:
            identity(token)
        assert told.value.code == "algorithm"
    with pytest.raises(TokenError) as told:
        identity(id_token(RSAKey.generate_key(2048), {"alg": "RS256", "kid": "k1"}))
    assert told.value.code == "signature"
    with pytest.raises(TokenError) as told:
        identity(id_token(), {"keys": [ECKey.generate_key("P-384").as_dict(private=False)]})
    assert told.value.code == "key"


# the scopes of an app


def test_scopes_of_every_app_are_its_declared_reads_and_no_more() -> None:
    checked = 0
    for name in items("apps"):
        spec = read_app(folder("apps", name)).spec
        scopes = smart.app_scopes(spec, writes=False)
        assert {scope.type for scope in scopes} == {rule.resource for rule in spec.context}, name
        assert all(scope.interactions == "rs" for scope in scopes), name
        written = set(smart.app_scopes(spec)) - set(scopes)
        types = {scope.type for scope in written if "c" in scope.interactions}
        assert types == (set() if spec.output.kind == "text" else {spec.output.kind, "Provenance", "Device"}), name
        assert all(scope.level == "system" for scope in smart.app_scopes(spec, "system"))
        checked += 1
    assert checked > 10


def test_scopes_of_a_launch_say_who_where_and_what() -> None:
    spec = read_app(folder("apps", "previsit_summary")).spec
    scopes = smart.launch_scopes([spec])
    assert scopes.others == ("launch", "openid", "fhirUser")
    assert not any("c" in scope.interactions for scope in scopes.resources)
    assert smart.launch_scopes([spec], standalone=True).others[0] == "launch/patient"
    assert "offline_access" not in str(scopes)
