"""How a client proves who it is without a shared secret: an assertion signed with its own key.

Source: SMART App Launch 2.2, "Client authentication: asymmetric (public key)" and "Backend services"; RFC 7523. The
algorithms are RS384 and ES384; the public half of the key is published as a JWK set.
"""

import warnings
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, get_args

import orjson
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, RSAKey

from careplane.errors import InputError
from careplane.records import JSON, Record

Algorithm = Literal["RS384", "ES384"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE_SECONDS = 240
"""Below the five minutes that the specification allows, so that a clock that is a little ahead does no harm."""

MIN_RSA_BITS = 2048


class ClientKey(Record, frozen=True):
    """A private key with its name. ``private`` is the JWK; the text of a key never shows it."""

    kid: str
    alg: Algorithm
    private: JSON

    def __repr__(self) -> str:
        return f"ClientKey(kid={self.kid!r}, alg={self.alg!r})"

    @property
    def public(self) -> JSON:
        """The public half, as it is published."""
        parts = ("kty", "crv", "x", "y", "n", "e")
        held = {name: self.private[name] for name in parts if name in self.private}
        return {**held, "kid": self.kid, "alg": self.alg, "use": "sig", "key_ops": ["verify"]}


def read_client_key(text: str | bytes, alg: Algorithm | None = None, kid: str | None = None) -> ClientKey:
    """A key from a private key in PEM or from a private JWK; its name is its thumbprint unless one is given (RFC 7638).

    Raises:
        InputError: it is no private RSA key of 2,048 bits or more, and no private key on P-384; or ``alg`` needs the
            other kind.
    """
    key = _imported(text.encode() if isinstance(text, str) else text)
    found: Algorithm = "RS384" if isinstance(key, RSAKey) else "ES384"
    if not key.is_private:
        raise InputError("holds a public key; the private one is needed to sign", field="key")
    if alg is not None and alg != found:
        raise InputError(f"cannot sign with {alg}: the key is made for {found}", field="key")
    if isinstance(key, RSAKey) and key.private_key and key.private_key.key_size < MIN_RSA_BITS:
        raise InputError(f"is shorter than {MIN_RSA_BITS} bits", field="key")
    if isinstance(key, ECKey) and key.curve_name != "P-384":
        raise InputError("must be on the curve P-384", field="key")
    named = kid or _text(key.as_dict(private=False).get("kid")) or key.thumbprint()
    return ClientKey(kid=named, alg=found, private=dict(key.as_dict(private=True)))


def client_assertion(key: ClientKey, client_id: str, token_url: str, now: datetime, jti: str) -> str:
    """A signed statement that the client is there: issuer and subject are the client, the audience is the token URL.

    Args:
        key: signs it.
        client_id: as the other side registered us.
        token_url: the token endpoint, exactly as it is called.
        now: aware.
        jti: unique for each assertion; draw it at random.
    """
    issued = int(now.timestamp())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": token_url,
        "iat": issued,
        "exp": issued + LIFE_SECONDS,
        "jti": jti,
    }
    header = {"alg": key.alg, "kid": key.kid, "typ": "JWT"}
    private: RSAKey | ECKey = (RSAKey if key.alg == "RS384" else ECKey).import_key(key.private)
    return jwt.encode(header, claims, private, algorithms=list(get_args(Algorithm)))


def assertion_fields(assertion: str) -> dict[str, str]:
    """What an assertion adds to the form of a token request (RFC 7523 section 2.2)."""
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def public_keys(keys: Iterable[ClientKey]) -> JSON:
    """The JWK set that others verify our assertions with."""
    return {"keys": [key.public for key in keys]}


def _imported(given: bytes) -> RSAKey | ECKey:
    value: Any = given
    if given.lstrip().startswith(b"{"):
        try:
            value = orjson.loads(given)
        except orjson.JSONDecodeError as error:
            raise InputError("is neither PEM nor a JWK", field="key") from error
    for kind in (RSAKey, ECKey):
        try:
            with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # its length is checked by us
                return kind.import_key(value)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    raise InputError("holds no private RSA key and none on P-384 (PEM or JWK)", field="key")


def _text(value: object) -> str | None:
    return value if type(value) is str and value else None
