"""Verifying a JSON Web Token against a set of public keys (RFC 7519, RFC 7515, RFC 8725), on ``joserfc``.

Nothing here is fetched and nothing kept: who may sign, where their keys are, and whether a ``jti`` was seen before is
the business of the caller, which ``peek`` gives the names to look up. A refusal says which rule failed and never what
the token holds, so that it can be told and logged.
"""

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, RSAKey

from careplane.errors import TokenError
from careplane.records import JSON, Record

ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""What may be asked for: neither ``none`` nor a shared secret (RFC 8725 section 3.1)."""

MAX_TOKEN_BYTES = 16_384
MAX_HEADER_BYTES = 4096
MIN_RSA_BITS = 2048
LEEWAY_SECONDS = 60.0
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC"}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


class Peek(Record, frozen=True):
    """What a token says of itself, before anything was verified: good for looking up keys, and for nothing else."""

    alg: str
    kid: str | None
    typ: str | None
    jku: str | None
    issuer: str | None


class Expected(Record, frozen=True):
    """What a token must be. ``audience`` must be its ``aud`` or one of them, exactly; ``needs`` are claims that must be
    there; ``max_age`` is the longest life in seconds, from ``iat`` to ``exp`` and from ``iat`` to now (``None``: any);
    ``typ`` the type that its header must name (``None``: any); ``nonce`` what it must repeat.
    """

    issuer: str
    audience: str
    algorithms: tuple[str, ...] = ("RS256", "RS384", "ES256", "ES384")
    typ: str | None = "JWT"
    needs: tuple[str, ...] = ("iss", "aud", "exp", "iat", "jti")
    max_age: float | None = 300.0
    leeway: float = LEEWAY_SECONDS
    nonce: str | None = None
    needs_kid: bool = True


class Claims(Record, frozen=True):
    """A token that holds. ``expires`` is in seconds since 1970; ``all`` are its claims."""

    issuer: str
    subject: str | None
    expires: float
    jti: str | None
    all: JSON


def peek(token: str) -> Peek:
    """Read header and issuer without trusting them.

    Raises:
        TokenError: it is no compact JWS of a JSON object, or too long.
    """
    header, claims = _parts(token)
    alg = header.get("alg")
    if type(alg) is not str:
        raise TokenError("The token names no algorithm.", "malformed")
    return Peek(
        alg=alg,
        kid=_text(header.get("kid")),
        typ=_text(header.get("typ")),
        jku=_text(header.get("jku")),
        issuer=_text(claims.get("iss")),
    )


def verify(token: str, keys: JSON, expected: Expected, now: datetime) -> Claims:
    """The claims of a token whose signature, type, issuer, audience and times hold.

    Args:
        token: the compact form.
        keys: a JWK set (``{"keys": [...]}``) of the issuer that is expected.
        expected: what must hold.
        now: aware.

    Raises:
        TokenError: something does not hold.
    """
    seen = peek(token)
    _check_header(seen, expected)
    candidates = _candidates(keys, seen)
    if not candidates:
        raise TokenError("The issuer publishes no key that fits the token's 'kid' and algorithm.", "key")
    if not any(_signed_by(token, key, seen.alg) for key in candidates):
        raise TokenError("The signature of the token does not hold.", "signature")
    _, claims = _parts(token)
    return _checked(claims, expected, now.timestamp())


def has_key(keys: JSON, kid: str | None) -> bool:
    """Whether a JWK set holds a key of this name; any key at all when no name is asked for."""
    given = keys.get("keys")
    listed = given if isinstance(given, list) else []
    return any(isinstance(one, dict) and kid in (None, one.get("kid")) for one in listed)


def _check_header(seen: Peek, expected: Expected) -> None:
    if seen.alg not in ASYMMETRIC or seen.alg not in expected.algorithms:
        allowed = ", ".join(expected.algorithms)
        raise TokenError(f"The algorithm of the token is not allowed; sign it with one of {allowed}.", "algorithm")
    if expected.typ is not None and (seen.typ or "").upper() != expected.typ.upper():
        raise TokenError(f"The header of the token must say: typ {expected.typ}.", "type")
    if expected.needs_kid and not seen.kid:
        raise TokenError("The header of the token must name its key (kid).", "key")


def _checked(claims: JSON, expected: Expected, now: float) -> Claims:
    for name in expected.needs:
        if claims.get(name) in (None, ""):
            raise TokenError(f"The token lacks the claim {name!r}.", "claim")
    if not isinstance(claims.get("jti"), str | None):
        raise TokenError("The claim 'jti' of the token must be a text.", "claim")
    if claims.get("iss") != expected.issuer:
        raise TokenError("The token is of another issuer.", "issuer")
    audience = claims.get("aud")
    if expected.audience not in (audience if isinstance(audience, list) else [audience]):
        raise TokenError("The token is for another audience; 'aud' must be the exact URL that is called.", "audience")
    if expected.nonce is not None and claims.get("nonce") != expected.nonce:
        raise TokenError("The token answers another request (nonce).", "nonce")
    expires = _check_times(claims, expected, now)
    return Claims(
        issuer=expected.issuer,
        subject=_text(claims.get("sub")),
        expires=expires,
        jti=_text(claims.get("jti")),
        all=claims,
    )


def _check_times(claims: Mapping[str, Any], expected: Expected, now: float) -> float:
    """``exp``, ``nbf``, ``iat`` and the age, each with the leeway of the clocks."""
    expires, issued, start = (_time(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None:
        raise TokenError("The token lacks the claim 'exp'.", "claim")
    if now >= expires + expected.leeway:
        raise TokenError("The token has expired.", "expired")
    for begin in (issued, start):
        if begin is not None and begin > now + expected.leeway:
            raise TokenError("The token is not valid yet; compare the clocks.", "early")
    if issued is not None and not _young(issued, expires, expected, now):
        raise TokenError(f"The token may live {expected.max_age:g} seconds at most.", "age")
    return expires


def _young(issued: float, expires: float, expected: Expected, now: float) -> bool:
    longest = expected.max_age
    return longest is None or (expires - issued <= longest and now - issued <= longest + expected.leeway)


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TokenError(f"The claim {name!r} of the token must be a number of seconds.", "claim")
    return float(value)


def _candidates(keys: JSON, seen: Peek) -> list[Key]:
    """The keys of the set that could have signed: by name, type, curve, use and algorithm. Nothing else is tried."""
    given = keys.get("keys")
    listed: Sequence[Any] = given if isinstance(given, list) else ()
    fitting = [one for one in listed if isinstance(one, dict) and _fits(one, seen)]
    return [key for key in map(_imported, fitting) if key is not None]


def _fits(key: JSON, seen: Peek) -> bool:
    if seen.kid is not None and key.get("kid") != seen.kid:
        return False
    if key.get("use", "sig") != "sig" or key.get("alg", seen.alg) != seen.alg:
        return False
    if key.get("kty") != _KEY_TYPES[seen.alg[:2]]:
        return False
    return key.get("crv") == _CURVES.get(seen.alg) if seen.alg in _CURVES else _long_enough(key)


def _long_enough(key: JSON) -> bool:
    """Whether an RSA modulus has 2,048 bits (RFC 7518 section 3.3)."""
    modulus = key.get("n")
    if type(modulus) is not str:
        return False
    try:
        return int.from_bytes(_decoded(modulus)).bit_length() >= MIN_RSA_BITS
    except (binascii.Error, ValueError):
        return False


def _imported(key: JSON) -> RSAKey | ECKey | None:
    """The public part of a key; ``None`` for one that is damaged, which must not spoil the others of its set."""
    public = {name: value for name, value in key.items() if name in ("kty", "n", "e", "crv", "x", "y")}
    try:
        imported = JWKRegistry.import_key(public)
        imported.public_key  # noqa: B018 - made when it is asked for, and then the numbers are checked
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return imported if isinstance(imported, RSAKey | ECKey) else None


def _signed_by(token: str, key: Key, alg: str) -> bool:
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    registry.max_header_length = MAX_HEADER_BYTES
    try:
        jws.deserialize_compact(token, key, registry=registry)
    except (JoseError, ValueError, TypeError):
        return False
    return True


def _parts(token: str) -> tuple[JSON, JSON]:
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenError(f"The token is longer than {MAX_TOKEN_BYTES} characters.", "malformed")
    pieces = token.split(".")
    if len(pieces) != 3 or not all(pieces[:2]):
        raise TokenError("This is not a signed token: three parts with dots between are needed.", "malformed")
    return _object(pieces[0]), _object(pieces[1])


def _object(piece: str) -> JSON:
    try:
        given = orjson.loads(_decoded(piece))
    except (binascii.Error, ValueError) as error:
        raise TokenError("A part of the token is not the base64url form of JSON.", "malformed") from error
    if type(given) is not dict:
        raise TokenError("A part of the token is not a JSON object.", "malformed")
    return given


def _decoded(piece: str) -> bytes:
    return base64.b64decode(piece + "=" * (-len(piece) % 4), altchars=b"-_", validate=True)


def _text(value: object) -> str | None:
    return value if type(value) is str else None
