"""An EHR's authorization server, as a SMART App Launch 2.2 client sees it.

``open({"fhir_base_url": "https://ehr.example.org/fhir", "client_id": "careplane", "redirect_uri": "https://..."})``;
these three are required. With ``private_key`` (PEM or JWK) the client proves itself by a signed assertion, without it
is a public client; PKCE is used in both cases. ``key_id`` names the key, ``timeout_seconds`` bounds one exchange.
Certificates are always verified and redirects never followed.
"""

from collections.abc import Mapping

from careplane.codecs.smart import secure_url
from careplane.codecs.smart_assertion import read_client_key
from careplane.connectors.smart_launch.client import Begun, SmartClient
from careplane.connectors.smart_launch.exchange import Exchange
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "Begun", "SmartClient", "open"]

CAPABILITIES = frozenset(
    {
        *("discovery", "authorization_code", "pkce", "private_key_jwt", "public_client", "id_token"),
        *("refresh", "introspection", "revocation", "read_as_user"),
    }
)

_REQUIRED = ("fhir_base_url", "client_id", "redirect_uri")
_SETTINGS = (*_REQUIRED, "key_id", "private_key", "timeout_seconds")


def open(settings: Mapping[str, str]) -> SmartClient:  # noqa: A001 - the name that the shelf fixes
    """The client of one EHR; nothing is sent yet.

    Raises:
        InputError: an unknown or missing setting, a URL that is not https (http only on loopback), a key that cannot
            sign, or a time-out that is not a number of seconds.
    """
    unknown = sorted(set(settings) - set(_SETTINGS))
    if unknown:
        raise InputError(f"unknown setting; known: {', '.join(_SETTINGS)}", field=unknown[0])
    for name in _REQUIRED:
        if not settings.get(name):
            raise InputError("is needed", field=name)
    key = settings.get("private_key")
    return SmartClient(
        fhir_base=secure_url(settings["fhir_base_url"], "fhir_base_url"),
        client_id=settings["client_id"],
        redirect_uri=secure_url(settings["redirect_uri"], "redirect_uri"),
        key=read_client_key(key, kid=settings.get("key_id") or None) if key else None,
        exchange=Exchange(_seconds(settings.get("timeout_seconds", "15"))),
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise InputError("must be a number of seconds", field="timeout_seconds") from error
    if not 0 < seconds <= 120:
        raise InputError("must be above 0 and at most 120 seconds", field="timeout_seconds")
    return seconds
