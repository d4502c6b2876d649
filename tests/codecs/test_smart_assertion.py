"""Client assertions: what the specification demands of them, and that a standard verifier takes them."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, RSAKey

from careplane.codecs.jwt import Expected, peek, verify
from careplane.codecs.smart_assertion import (
    assertion_fields,
    client_assertion,
    public_keys,
    read_client_key,
)
from careplane.errors import InputError, TokenError

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
TOKEN_URL = "https://ehr.example.org/auth/token"
RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-384")


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize("source", [RSA, EC], ids=["RS384", "ES384"])
@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_assertion_says_who_to_whom_and_for_how_long(source: RSAKey | ECKey, form: str) -> None:
    text = source.as_pem(private=True) if form == "pem" else orjson.dumps(source.as_dict(private=True))
    key = read_client_key(text)
    token = client_assertion(key, "careplane", TOKEN_URL, NOW, "jti-1")
    head = peek(token)
    assert (head.alg, head.typ, head.kid) == (key.alg, "JWT", key.kid)
    expected = Expected(issuer="careplane", audience=TOKEN_URL, algorithms=("RS384", "ES384"), max_age=300.0)
    claims = verify(token, public_keys([key]), expected, NOW)
    assert (claims.subject, claims.jti) == ("careplane", "jti-1")
    assert claims.expires - NOW.timestamp() <= 300
    with pytest.raises(TokenError, match="expired"):
        verify(token, public_keys([key]), expected, NOW + timedelta(minutes=6))


def test_published_keys_hold_no_private_part() -> None:
    keys = [read_client_key(RSA.as_pem(private=True)), read_client_key(EC.as_pem(private=True), "ES384", "ec-1")]
    published = public_keys(keys)["keys"]
    assert [key["kid"] for key in published] == [keys[0].kid, "ec-1"]
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & {name for key in published for name in key}
    private = {str(keys[0].private["d"]), str(keys[1].private["d"])}
    assert not any(secret in f"{keys!r}{published!r}" for secret in private)


def test_name_of_a_key_is_its_thumbprint_and_stable() -> None:
    assert read_client_key(RSA.as_pem(private=True)).kid == RSA.thumbprint()


def test_the_form_names_the_type_of_assertion() -> None:
    assert assertion_fields("a.b.c") == {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "a.b.c",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"nonsense", "no private RSA key"),
        (b"{not json", "neither PEM nor a JWK"),
        (orjson.dumps(EC.as_dict(private=False)), "public key"),
        (_pem(rsa.generate_private_key(65537, 1024)), "shorter than 2048"),
        (_pem(ec.generate_private_key(ec.SECP256R1())), "P-384"),
    ],
)
def test_what_is_no_key_to_sign_with_is_refused(text: bytes, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_client_key(text)


def test_algorithm_must_fit_the_key() -> None:
    with pytest.raises(InputError, match="made for ES384"):
        read_client_key(EC.as_pem(private=True), "RS384")
