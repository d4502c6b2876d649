"""The authorization request and its answer: PKCE with S256 (RFC 7636), ``state``, ``aud``, ``launch``, ``iss``."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from careplane.codecs.smart.scopes import Scopes
from careplane.errors import InputError, Refused
from careplane.records import Record

VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
MAX_VALUE_CHARACTERS = 4096
_CODE_WORD = re.compile(r"[a-z_]{1,40}")


class AuthorizationRequest(Record, frozen=True):
    """What the browser carries to the authorization endpoint. ``aud`` is the FHIR base URL of the EHR, exactly as it
    launched; ``launch`` is its opaque handle (``None``: standalone); ``nonce`` ties the id_token to this request."""

    client_id: str
    redirect_uri: str
    scopes: Scopes
    state: str
    aud: str
    challenge: str
    launch: str | None = None
    nonce: str | None = None


def challenge_of(verifier: str) -> str:
    """The S256 code challenge of a verifier (RFC 7636 section 4.2).

    Raises:
        InputError: the verifier is not 43 to 128 unreserved characters.
    """
    if not VERIFIER.fullmatch(verifier):
        raise InputError("must be 43 to 128 letters, digits or -._~", field="code_verifier")
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def verifier_fits(verifier: str, challenge: str) -> bool:
    """Whether a verifier is the one behind a challenge, in constant time."""
    return bool(VERIFIER.fullmatch(verifier)) and hmac.compare_digest(challenge_of(verifier), challenge)


def authorize_url(endpoint: str, request: AuthorizationRequest) -> str:
    """The URL to send the browser to; parameters that the endpoint has of its own are kept."""
    fields = {
        "response_type": "code",
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "scope": str(request.scopes),
        "state": request.state,
        "aud": request.aud,
        "code_challenge": request.challenge,
        "code_challenge_method": "S256",
        "launch": request.launch,
        "nonce": request.nonce,
    }
    query = urlencode({name: value for name, value in fields.items() if value is not None})
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"


class AuthorizationAnswer(Record, frozen=True):
    """What came back with the browser: a code for our ``state``, and the issuer where it says so (RFC 9207)."""

    code: str
    state: str
    issuer: str | None = None


def read_answer(query: Mapping[str, str]) -> AuthorizationAnswer:
    """The answer of the authorization endpoint.

    Raises:
        Refused: the EHR said no; its error code is told, its free text is not (it may name a person).
        InputError: there is neither a code nor an error, or a value is too long.
    """
    if query.get("error"):
        word = query["error"] if _CODE_WORD.fullmatch(query["error"]) else "unknown"
        raise Refused([f"The EHR did not authorize the launch ({word})."], _way_out(word))
    code, state = (_value(query, name) for name in ("code", "state"))
    return AuthorizationAnswer(code=code, state=state, issuer=query.get("iss"))


def _value(query: Mapping[str, str], name: str) -> str:
    value = query.get(name, "")
    if not 0 < len(value) <= MAX_VALUE_CHARACTERS:
        raise InputError("is missing or too long in the answer of the EHR", field=name)
    return value


def _way_out(word: str) -> str:
    known = {
        "access_denied": "Launch again from the EHR, and allow the access it asks about.",
        "invalid_scope": "Ask the administrator of the EHR to allow the scopes of this app.",
        "unauthorized_client": "Ask the administrator of the EHR to register this app.",
    }
    return known.get(word, "Launch again from the EHR; if it happens again, ask its administrator.")
