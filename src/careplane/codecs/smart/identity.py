"""Who launched: the id_token (OpenID Connect Core 1.0, section 3.1.3.7) and its ``fhirUser`` claim."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from careplane.codecs.jwt import Expected, verify
from careplane.codecs.smart.context import relative_reference
from careplane.errors import InputError, TokenError
from careplane.records import JSON, Record

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384")
USERS = ("Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Person")
MAX_AGE_SECONDS = 24 * 3600.0
"""An id_token that lives longer than a day does not tell who is there now."""


class Identity(Record, frozen=True):
    """Who the EHR says is there: its own name of them (``subject`` at ``issuer``), and the FHIR resource."""

    issuer: str
    subject: str
    fhir_user: str


def read_identity(
    token: str, keys: JSON, *, issuer: str, client_id: str, nonce: str, fhir_base: str, now: datetime
) -> Identity:
    """Who an id_token is about, once everything about it holds.

    Args:
        token: the id_token.
        keys: the JWK set of the issuer.
        issuer: the ``issuer`` of its smart-configuration.
        client_id: ours at that issuer; it must be the audience.
        nonce: what the authorization request carried.
        fhir_base: base URL of the EHR; ``fhirUser`` must lie below it, or be relative.
        now: aware.

    Raises:
        TokenError: signature, algorithm, issuer, audience, time or nonce do not hold, or it does not say who it is.
    """
    expected = Expected(
        issuer=issuer,
        audience=client_id,
        algorithms=ALGORITHMS,
        typ=None,
        needs=("iss", "sub", "aud", "exp", "iat", "nonce"),
        max_age=MAX_AGE_SECONDS,
        nonce=nonce,
        needs_kid=False,
    )
    claims = verify(token, keys, expected, now)
    _check_party(claims.all, client_id)
    user = claims.all.get("fhirUser", claims.all.get("profile"))
    return Identity(issuer=issuer, subject=claims.subject or "", fhir_user=_reference(user, fhir_base))


def _check_party(claims: JSON, client_id: str) -> None:
    """With several audiences ``azp`` must be us; with one it may be left out."""
    audience, party = claims.get("aud"), claims.get("azp")
    several = isinstance(audience, Sequence) and not isinstance(audience, str) and len(audience) > 1
    if (several or party is not None) and party != client_id:
        raise TokenError("The id_token was made for another client (azp).", "audience")


def _reference(user: Any, fhir_base: str) -> str:
    """``fhirUser`` as ``Type/id``."""
    if type(user) is not str:
        raise TokenError("The id_token does not say who launched (fhirUser). Ask for the scope fhirUser.", "claim")
    base = fhir_base.rstrip("/") + "/"
    relative = user.removeprefix(base)
    try:
        reference = relative_reference(relative, "fhirUser")
    except InputError as error:
        raise TokenError("The fhirUser of the id_token is no resource of this EHR.", "claim") from error
    if reference.partition("/")[0] not in USERS:
        raise TokenError("The fhirUser of the id_token is no person.", "claim")
    return reference
