"""``.well-known/smart-configuration``: what an EHR says of its authorization server (SMART App Launch 2.2,
"Conformance: using ``.well-known`` to publish capabilities")."""

from collections.abc import Mapping
from typing import Any

import orjson

from careplane.codecs.smart.urls import secure_url
from careplane.errors import InputError
from careplane.records import JSON, Record

PATH = ".well-known/smart-configuration"
MAX_BYTES = 262_144


class SmartConfiguration(Record, frozen=True):
    """The endpoints and abilities of one authorization server. Lists that it leaves out are empty, texts ``None``."""

    authorization_endpoint: str | None
    token_endpoint: str
    issuer: str | None = None
    jwks_uri: str | None = None
    introspection_endpoint: str | None = None
    revocation_endpoint: str | None = None
    management_endpoint: str | None = None
    grant_types: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    challenge_methods: tuple[str, ...] = ()
    auth_methods: tuple[str, ...] = ()
    signing_algorithms: tuple[str, ...] = ()
    iss_in_response: bool = False

    def can(self, capability: str) -> bool:
        """Whether the server claims a capability, such as ``launch-ehr``."""
        return capability in self.capabilities


def configuration_url(fhir_base: str) -> str:
    """Where the configuration of a FHIR server is: the path is appended to its base, query and slash aside."""
    return f"{fhir_base.rstrip('/')}/{PATH}"


def read_configuration(body: bytes) -> SmartConfiguration:
    """The configuration, with the fields that 2.2 requires checked.

    Raises:
        InputError: it is not JSON, a required field is missing or of the wrong type, an endpoint is not https, or
            PKCE with S256 is not offered (``plain`` must not be).
    """
    given = _object(body)
    capabilities = _texts(given, "capabilities", required=True)
    grants = _texts(given, "grant_types_supported", required=True)
    methods = _texts(given, "code_challenge_methods_supported", required=True)
    _check_challenges(methods)
    code = "authorization_code" in grants or any(one.startswith("launch") for one in capabilities)
    signs_on = "sso-openid-connect" in capabilities
    return SmartConfiguration(
        authorization_endpoint=_url(given, "authorization_endpoint", required=code),
        token_endpoint=_url(given, "token_endpoint", required=True) or "",
        issuer=_url(given, "issuer", required=signs_on),
        jwks_uri=_url(given, "jwks_uri", required=signs_on),
        introspection_endpoint=_url(given, "introspection_endpoint"),
        revocation_endpoint=_url(given, "revocation_endpoint"),
        management_endpoint=_url(given, "management_endpoint"),
        grant_types=grants,
        capabilities=capabilities,
        scopes=_texts(given, "scopes_supported"),
        challenge_methods=methods,
        auth_methods=_texts(given, "token_endpoint_auth_methods_supported"),
        signing_algorithms=_texts(given, "token_endpoint_auth_signing_alg_values_supported"),
        iss_in_response=given.get("authorization_response_iss_parameter_supported") is True,
    )


def _object(body: bytes) -> JSON:
    if len(body) > MAX_BYTES:
        raise InputError(f"is longer than {MAX_BYTES} bytes", field="smart-configuration")
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError("is not JSON", field="smart-configuration") from error
    if type(given) is not dict:
        raise InputError("is not a JSON object", field="smart-configuration")
    return given


def _check_challenges(methods: tuple[str, ...]) -> None:
    """S256 must be there and ``plain`` must not (2.2: "SHALL include S256 and SHALL NOT include plain")."""
    field = "code_challenge_methods_supported"
    if "S256" not in methods:
        raise InputError("must include S256: without it an intercepted code could be used by others", field=field)
    if "plain" in methods:
        raise InputError("must not include plain", field=field)


def _url(given: Mapping[str, Any], field: str, *, required: bool = False) -> str | None:
    value = given.get(field)
    if value is None and not required:
        return None
    if type(value) is not str or not value:
        raise InputError("is required and missing" if value is None else "must be a URL", field=field)
    return secure_url(value, field)


def _texts(given: Mapping[str, Any], field: str, *, required: bool = False) -> tuple[str, ...]:
    value = given.get(field)
    if value is None and not required:
        return ()
    if type(value) is not list or not all(type(one) is str for one in value):
        raise InputError("is required and missing" if value is None else "must be a list of texts", field=field)
    return tuple(value)
