"""JSON Web Tokens: real keys and signatures of joserfc; every rule that can fail, and the attacks of RFC 8725."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from careplane.codecs.jwt import ASYMMETRIC, MAX_TOKEN_BYTES, Expected, has_key, peek, verify
from careplane.errors import TokenError
from careplane.records import JSON

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ISSUER = "https://ehr.example.org"
URL = "https://careplane.example.org/cds-services"
EXPECTED = Expected(issuer=ISSUER, audience=URL)
RSA = RSAKey.generate_key(2048, {"kid": "r1"})
EC = {curve: ECKey.generate_key(curve, {"kid": curve}) for curve in ("P-256", "P-384", "P-521")}
PUBLIC: list[RSAKey | ECKey] = [RSA, *EC.values()]
KEYS: JSON = {"keys": [dict(key.as_dict(private=False)) for key in PUBLIC]}
SIGNERS = {"RS": RSA, "PS": RSA, "ES256": EC["P-256"], "ES384": EC["P-384"], "ES512": EC["P-521"]}


def claims(**changes: Any) -> JSON:
    at = int(NOW.timestamp())
    held = {"iss": ISSUER, "aud": URL, "iat": at, "exp": at + 300, "jti": "j-1", **changes}
    return {name: value for name, value in held.items() if value is not None}


def signed(held: JSON | None = None, alg: str = "ES384", key: Any = None, **header: Any) -> str:
    key = key or SIGNERS.get(alg) or SIGNERS[alg[:2]]
    names = {"alg": alg, "typ": "JWT", "kid": key.kid, **header}
    names = {name: value for name, value in names.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    registry.max_header_length = 4096
    payload = json.dumps(claims() if held is None else held)
    return jws.serialize_compact(names, payload, key, registry=registry)


def code(token: str, keys: JSON = KEYS, expected: Expected = EXPECTED, now: datetime = NOW) -> str:
    with pytest.raises(TokenError) as caught:
        verify(token, keys, expected, now)
    return caught.value.code


@pytest.mark.parametrize("alg", ASYMMETRIC)
def test_a_token_of_each_asymmetric_algorithm_holds_only_where_it_is_allowed(alg: str) -> None:
    token = signed(alg=alg)
    allowed = Expected(issuer=ISSUER, audience=URL, algorithms=(alg,))
    held = verify(token, KEYS, allowed, NOW)
    assert (held.issuer, held.jti, held.expires) == (ISSUER, "j-1", NOW.timestamp() + 300)
    others = tuple(one for one in ASYMMETRIC if one != alg)
    assert code(token, expected=Expected(issuer=ISSUER, audience=URL, algorithms=others)) == "algorithm"


def test_what_a_token_says_of_itself_can_be_read_before_it_is_trusted() -> None:
    seen = peek(signed(jku="https://ehr.example.org/jwks", x5t="an extra header"))
    assert (seen.alg, seen.kid, seen.typ) == ("ES384", "P-384", "JWT")
    assert (seen.issuer, seen.jku) == (ISSUER, "https://ehr.example.org/jwks")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "https://other.example.org"}, "issuer"),
        ({"aud": f"{URL}/"}, "audience"),
        ({"aud": [f"{URL}/a", f"{URL}/b"]}, "audience"),
        ({"aud": {"a": 1}}, "audience"),
        ({"exp": int(NOW.timestamp()) - 60}, "expired"),
        ({"exp": "soon"}, "claim"),
        ({"exp": True}, "claim"),
        ({"iat": None}, "claim"),
        ({"jti": None}, "claim"),
        ({"jti": ""}, "claim"),
        ({"jti": 5}, "claim"),
        ({"jti": ["j-1"]}, "claim"),
        ({"iat": int(NOW.timestamp()) + 61, "exp": int(NOW.timestamp()) + 90}, "early"),
        ({"nbf": int(NOW.timestamp()) + 61}, "early"),
        ({"exp": int(NOW.timestamp()) + 301}, "age"),
        ({"iat": int(NOW.timestamp()) - 361, "exp": int(NOW.timestamp()) - 59}, "age"),
    ],
)
def test_each_claim_is_checked(changes: JSON, why: str) -> None:
    assert code(signed(claims(**changes))) == why


def test_one_of_several_audiences_is_enough_and_a_nonce_must_come_back() -> None:
    token = signed(claims(aud=["https://other.example.org", URL], nonce="n-1"))
    asked = Expected(issuer=ISSUER, audience=URL, nonce="n-1")
    assert verify(token, KEYS, asked, NOW).all["nonce"] == "n-1"
    assert code(token, expected=Expected(issuer=ISSUER, audience=URL, nonce="n-2")) == "nonce"


def test_a_token_holds_until_the_leeway_after_its_end() -> None:
    token = signed()
    assert verify(token, KEYS, EXPECTED, NOW + timedelta(seconds=359)).jti == "j-1"
    assert code(token, now=NOW + timedelta(seconds=360)) == "expired"


def test_no_signature_and_shared_secrets_are_refused() -> None:
    """``alg: none``, and a public key used as the secret of an HMAC (RFC 8725 sections 2.1 and 3.1)."""
    head, payload, _ = signed().split(".")
    none = _encoded({"alg": "none", "typ": "JWT", "kid": "P-384"})
    assert code(f"{none}.{payload}.") == "algorithm"
    hmac_head = _encoded({"alg": "HS256", "typ": "JWT", "kid": "r1"})
    public = RSA.as_pem(private=False)
    made = hmac.new(public, f"{hmac_head}.{payload}".encode(), hashlib.sha256).digest()
    forged = f"{hmac_head}.{payload}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"
    anything = Expected(issuer=ISSUER, audience=URL, algorithms=("HS256", "RS256"))
    assert code(forged, expected=anything) == "algorithm"
    secret = OctKey.import_key("a secret that is long enough for HS256", {"kid": "s"})
    assert code(signed(alg="HS256", key=secret), {"keys": [dict(secret.as_dict())]}, anything) == "algorithm"
    assert code(f"{head}.{payload}.") == "signature"


def test_only_the_named_key_of_the_right_kind_may_have_signed() -> None:
    stranger = ECKey.generate_key("P-384", {"kid": "P-384"})
    assert code(signed(key=stranger)) == "signature"
    assert code(signed(kid="unknown")) == "key"
    assert code(signed(kid=None)) == "key"
    assert code(signed(), {"keys": [{**EC["P-384"].as_dict(private=False), "use": "enc"}]}) == "key"
    assert code(signed(), {"keys": [{**EC["P-384"].as_dict(private=False), "alg": "ES256"}]}) == "key"
    assert code(signed(), {"keys": [{**EC["P-256"].as_dict(private=False), "kid": "P-384"}]}) == "key"
    for broken in ({}, {"keys": None}, {"keys": [7, {"kid": "P-384", "kty": "EC", "crv": "P-384", "x": 1}]}):
        assert code(signed(), broken) == "key"


def test_a_damaged_key_does_not_spoil_its_set() -> None:
    damaged = {"kid": "P-384", "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}
    assert verify(signed(), {"keys": [damaged, *KEYS["keys"]]}, EXPECTED, NOW).jti == "j-1"


def test_a_short_rsa_key_is_no_key() -> None:
    short = {**RSA.as_dict(private=False), "n": base64.urlsafe_b64encode(b"\x80" + bytes(127)).decode().rstrip("=")}
    assert code(signed(alg="RS384"), {"keys": [short]}) == "key"


def test_the_type_of_the_token_is_asked_for() -> None:
    assert code(signed(typ="at+jwt")) == "type"
    assert code(signed(typ="")) == "type"
    assert verify(signed(typ="jwt"), KEYS, EXPECTED, NOW).jti == "j-1"
    assert verify(signed(typ=""), KEYS, Expected(issuer=ISSUER, audience=URL, typ=None), NOW).jti == "j-1"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c.d",
        "..",
        "e30.e30.",
        "bnVsbA.e30.x",
        "W10.W10.x",
        "!!.e30.x",
        "ä.ä.ä",
        "x" * MAX_TOKEN_BYTES + "x",
    ],
)
def test_what_is_no_token_is_said_to_be_none(token: str) -> None:
    assert code(token) == "malformed"


@given(token=st.text() | st.lists(st.text(alphabet="abcABC019-_=+/. é"), min_size=3, max_size=3).map(".".join))
def test_no_text_makes_the_reader_fall(token: str) -> None:
    with pytest.raises(TokenError):
        verify(token, KEYS, EXPECTED, NOW)


_NAMES = st.sampled_from(["iss", "aud", "exp", "iat", "jti", "nbf"])
_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.none() | st.booleans() | _NUMBERS | st.text() | st.lists(st.integers())


@given(payload=st.dictionaries(_NAMES, _VALUES))
def test_no_signed_claims_make_the_reader_fall(payload: JSON) -> None:
    with pytest.raises(TokenError):
        verify(signed(payload, alg="ES256"), KEYS, EXPECTED, NOW)


def test_a_refusal_never_tells_what_the_token_holds() -> None:
    for token in (signed(claims(iss="https://secret.example.org")), signed(claims(aud="https://secret.example.org"))):
        with pytest.raises(TokenError) as caught:
            verify(token, KEYS, EXPECTED, NOW)
        assert "secret" not in str(caught.value)
        assert token not in str(caught.value)


def test_a_key_set_says_whether_it_has_a_key() -> None:
    assert has_key(KEYS, "r1")
    assert has_key(KEYS, None)
    assert not has_key(KEYS, "r2")
    assert not has_key({"keys": []}, None)


def _encoded(part: JSON) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
