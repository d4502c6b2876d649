"""The token endpoint: what is asked (a code, a refresh, revocation) and what it answers (RFC 6749, RFC 7009)."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from careplane.codecs.smart.context import LaunchContext, read_context
from careplane.codecs.smart.scopes import Scopes, read_scopes
from careplane.errors import InputError
from careplane.records import JSON, Record

MAX_BYTES = 262_144
MAX_TOKEN_CHARACTERS = 32_768
_ERROR = re.compile(r"[a-z_]{1,40}")
_TOKEN = re.compile(r"[\x21-\x7e]+")


class TokenResponse(Record, frozen=True):
    """An access token with what it is good for. ``expires_in`` is in seconds. Its text never shows a token."""

    access_token: str
    scopes: Scopes
    context: LaunchContext = LaunchContext()
    expires_in: float | None = None
    refresh_token: str | None = None
    id_token: str | None = None

    def __repr__(self) -> str:
        return f"TokenResponse(scopes={str(self.scopes)!r}, expires_in={self.expires_in})"


def code_form(code: str, redirect_uri: str, verifier: str) -> dict[str, str]:
    """The form that trades an authorization code for a token (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }


def refresh_form(refresh_token: str, scopes: Scopes | None = None) -> dict[str, str]:
    """The form that trades a refresh token; ``scopes`` may only narrow what was granted (RFC 6749 section 6)."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return form if scopes is None else {**form, "scope": str(scopes)}


def revocation_form(token: str, hint: str = "refresh_token") -> dict[str, str]:
    """The form that ends a token (RFC 7009 section 2.1)."""
    return {"token": token, "token_type_hint": hint}


def read_token(body: bytes, asked: Scopes) -> TokenResponse:
    """The answer of the token endpoint. Without ``scope`` it granted what was ``asked`` (RFC 6749 section 5.1).

    Raises:
        InputError: it is no token response.
    """
    given = read_object(body, "token response")
    if str(given.get("token_type", "")).lower() != "bearer":
        raise InputError("must be Bearer", field="token_type")
    scope = given.get("scope")
    if scope is not None and type(scope) is not str:
        raise InputError("must be a text", field="scope")
    return TokenResponse(
        access_token=_token(given, "access_token", required=True) or "",
        scopes=asked if scope is None else read_scopes(scope),
        context=read_context(given),
        expires_in=_seconds(given.get("expires_in")),
        refresh_token=_token(given, "refresh_token"),
        id_token=_token(given, "id_token"),
    )


def read_error(body: bytes) -> str:
    """The error code of a refused request (RFC 6749 section 5.2), ``unknown`` when there is none. Its description is
    left out: it may repeat what was sent."""
    try:
        given = orjson.loads(body[:MAX_BYTES])
    except orjson.JSONDecodeError:
        return "unknown"
    word = given.get("error") if type(given) is dict else None
    return word if type(word) is str and _ERROR.fullmatch(word) else "unknown"


def read_object(body: bytes, what: str) -> JSON:
    """A JSON object of the other side.

    Raises:
        InputError: it is none, or too long.
    """
    if len(body) > MAX_BYTES:
        raise InputError(f"is longer than {MAX_BYTES} bytes", field=what)
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError("is not JSON", field=what) from error
    if type(given) is not dict:
        raise InputError("is not a JSON object", field=what)
    return given


def _token(given: Mapping[str, Any], field: str, *, required: bool = False) -> str | None:
    value = given.get(field)
    if value is None and not required:
        return None
    if type(value) is not str or len(value) > MAX_TOKEN_CHARACTERS or not _TOKEN.fullmatch(value):
        raise InputError("is missing or no token", field=field)
    return value


def _seconds(value: object) -> float | None:
    """``expires_in``; some servers send it as text."""
    if value is None:
        return None
    if type(value) is str and value.isdecimal() and len(value) < 12:
        value = int(value)
    if type(value) not in (int, float) or not 0 <= value < 1e12:  # type: ignore[operator] # a number by then
        raise InputError("must be a number of seconds", field="expires_in")
    return float(value)  # type: ignore[arg-type] # a number by then
