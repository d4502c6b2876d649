"""The EHR of an installation: its endpoint, who we are there, and what we may read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from careplane._shelf import load
from careplane.codecs.smart import Scopes, app_scopes, joined, read_scope, read_scopes
from careplane.codecs.smart_assertion import ClientKey, public_keys, read_client_key
from careplane.connectors import FhirConnector
from careplane.errors import InputError, SettingsError
from careplane.records import JSON
from careplane.records.app import App
from careplane.server.client_keys import client_key, client_keys, key_path
from careplane.settings import Settings, read_private_file

SUBSCRIBING = "system/Subscription.crus"
"""What keeping our Subscriptions at the EHR takes."""


def open_fhir(settings: Settings, apps: Iterable[App]) -> FhirConnector:
    """The EHR: the FHIR endpoint of the settings, else the data that was loaded.

    Raises:
        SettingsError: the endpoint's settings do not go together, or ask for more than the apps declare.
    """
    if not settings.text("fhir_base_url"):
        loaded: FhirConnector = load("connectors", "fhir_files").open({"home": str(settings.home)})
        return loaded
    options = endpoint_options(settings, backend_scopes(settings, apps))
    connector: FhirConnector = open_item("fhir_r4", options)
    return connector


def open_item(item: str, options: dict[str, str]) -> Any:
    """An item that speaks to the EHR's endpoint; what is wrong with an option is told of the setting behind it."""
    try:
        return load("connectors", item).open(options)
    except InputError as error:
        name = "fhir_key_file" if error.field == "key" else f"fhir_{error.field}"
        raise SettingsError(error.message, field=name) from error


def endpoint_options(settings: Settings, scopes: str) -> dict[str, str]:
    """The settings of the EHR's endpoint as its connectors take them; ``scopes`` count for a backend service."""
    options = {
        "base_url": settings.text("fhir_base_url"),
        "timeout_seconds": f"{settings.number('fhir_timeout_seconds'):g}",
    }
    if not (settings.text("fhir_client_id") or settings.text("fhir_key_file")):
        return {**options, "token": settings.secret("fhir_token")}
    return {
        **options,
        "token": settings.secret("fhir_token"),
        "client_id": settings.text("fhir_client_id"),
        "key": _key_text(settings),
        "scopes": scopes,
        "token_url": settings.text("fhir_token_url"),
    }


def backend_scopes(settings: Settings, apps: Iterable[App]) -> str:
    """What is asked for: ``fhir_scopes``, else exactly what the apps that can run declare.

    Raises:
        SettingsError: ``fhir_scopes`` asks for more than the apps declare.
    """
    declared = declared_scopes(apps)
    given = settings.text("fhir_scopes")
    if not given:
        return str(declared)
    try:
        asked = read_scopes(given)
    except InputError as error:
        raise SettingsError(error.message, field="fhir_scopes") from error
    excess = [str(scope) for scope in asked.resources if not declared.allows(scope)]
    if excess or asked.others:
        more = ", ".join((*excess, *asked.others))
        raise SettingsError(f"asks for more than the apps declare: {more}", field="fhir_scopes")
    return given


def bulk_scopes(types: Iterable[str]) -> str:
    """What an export of some types takes; of none named, all."""
    return " ".join(f"system/{kind}.rs" for kind in types) or "system/*.rs"


def declared_scopes(apps: Iterable[App]) -> Scopes:
    """What the manifests of the apps that can run declare: reads, write-back, and keeping Subscriptions."""
    wanted = [scope for app in apps if app.runnable for scope in app_scopes(app.spec, "system")]
    subscribed = {
        trigger.on.partition(".")[0]
        for app in apps
        if app.runnable
        for trigger in app.spec.starts
        if trigger.kind == "subscription" and trigger.on
    }
    texts = [f"system/{kind}.rs" for kind in sorted(subscribed)] + ([SUBSCRIBING] if subscribed else [])
    wanted += [scope for scope in map(read_scope, texts) if scope is not None]
    return Scopes(resources=joined(wanted))


def published_keys(settings: Settings) -> JSON:
    """Our public keys as a JWK set, for ``/.well-known/jwks.json``: those of the home, and that of ``fhir_key_file``.

    Raises:
        SettingsError: a key file cannot be read, others may read it, or it holds no key that can sign.
    """
    given = [_given_key(settings)] if settings.text("fhir_key_file") else []
    return public_keys([*given, *client_keys(settings.home)])


def _given_key(settings: Settings) -> ClientKey:
    """The key of ``fhir_key_file``."""
    path = settings.text("fhir_key_file")
    text = read_private_file(Path(path), "fhir_key_file")
    try:
        return read_client_key(text)
    except InputError as error:
        raise SettingsError(error.message, file=path, field="fhir_key_file") from error


def _key_text(settings: Settings) -> str:
    """The private key that signs for us: of ``fhir_key_file``, else the one of the home, made when there is none."""
    if settings.text("fhir_key_file"):
        return read_private_file(Path(settings.text("fhir_key_file")), "fhir_key_file")
    client_key(settings.home, "RS384")
    return read_private_file(key_path(settings.home, "RS384"), "home")
