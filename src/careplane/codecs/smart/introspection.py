"""Token introspection (RFC 7662 as SMART App Launch 2.2 profiles it): is a token active, and for what."""

from datetime import UTC, datetime

from careplane.codecs.smart.context import LaunchContext, read_context
from careplane.codecs.smart.scopes import Scopes, read_scopes
from careplane.codecs.smart.tokens import read_object
from careplane.errors import InputError
from careplane.records import Record


class Introspection(Record, frozen=True):
    """What the server says of a token. An inactive one tells nothing else."""

    active: bool
    scopes: Scopes = Scopes()
    client_id: str = ""
    expires: datetime | None = None
    issuer: str | None = None
    subject: str | None = None
    fhir_user: str | None = None
    context: LaunchContext = LaunchContext()


def introspection_form(token: str) -> dict[str, str]:
    """The form that asks about a token (RFC 7662 section 2.1)."""
    return {"token": token}


def read_introspection(body: bytes) -> Introspection:
    """The answer of the introspection endpoint.

    Raises:
        InputError: ``active`` is missing, or an active token lacks what SMART requires (``scope``, ``client_id``,
            ``exp``).
    """
    given = read_object(body, "introspection")
    if type(given.get("active")) is not bool:
        raise InputError("must be true or false", field="active")
    if not given["active"]:
        return Introspection(active=False)
    for field, kinds in (("scope", (str,)), ("client_id", (str,)), ("exp", (int, float))):
        if type(given.get(field)) not in kinds:
            raise InputError("is required for an active token", field=field)
    return Introspection(
        active=True,
        scopes=read_scopes(given["scope"]),
        client_id=given["client_id"],
        expires=_moment(given["exp"]),
        issuer=_text(given.get("iss")),
        subject=_text(given.get("sub")),
        fhir_user=_text(given.get("fhirUser")),
        context=read_context(given),
    )


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise InputError("must be a time in seconds since 1970", field="exp") from error


def _text(value: object) -> str | None:
    return value if type(value) is str else None
