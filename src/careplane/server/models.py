"""Models: the providers and routes of an installation, from the gateway's file or from the plain settings."""

from collections.abc import Callable, Mapping
from pathlib import Path

from careplane._shelf import load
from careplane.errors import SettingsError
from careplane.gateway.config import GatewayFile, default_routes, provider_settings, read_gateway_file
from careplane.gateway.routing import LOCAL, Route, Routes, Target
from careplane.providers import Provider
from careplane.settings import Settings


def gateway_file(settings: Settings) -> GatewayFile | None:
    """The file that the settings name, if they do."""
    path = settings.text("gateway_file")
    return read_gateway_file(Path(path)) if path else None


def open_models(settings: Settings, file: GatewayFile | None) -> tuple[Mapping[str, Provider], Routes]:
    """The providers and routes of an installation.

    With a file they are those of the file. Without, the route ``default`` leads to the provider that the setting
    ``model`` names; it also goes by its own name.
    """
    if file is not None:
        return open_file_models(file)
    name = settings.text("model")
    given = {
        "base_url": settings.text("openai_base_url"),
        "model": settings.text("openai_model"),
        "api_key": settings.secret("openai_api_key"),
        "timeout": settings.text("model_timeout_seconds"),
    }
    provider = _opened(name, given, lambda field: _PLAIN.get(field, field))
    target = Target(
        provider=name,
        model=provider.model,
        region=model_region(settings),
        baa=settings.text("openai_baa") == "True",
        embeddings=provider.embed is not None,
    )
    return {name: provider}, Routes(Route(alias=alias, targets=(target,)) for alias in ("default", name))


def open_file_models(file: GatewayFile) -> tuple[Mapping[str, Provider], Routes]:
    """The providers and routes of a gateway's file."""
    opened: dict[str, Provider] = {
        name: _opened(str(given["kind"]), provider_settings(name, given), f"providers.{name}.{{}}".format)
        for name, given in file.providers.items()
    }
    return opened, Routes(default_routes(file), deidentified_needs_baa=file.deidentified_needs_baa)


_PLAIN = {"base_url": "openai_base_url", "model": "openai_model", "timeout": "model_timeout_seconds"}
"""Settings of a provider, as the plain settings call them."""


def _opened(kind: str, given: Mapping[str, str], called: Callable[[str], str]) -> Provider:
    """A provider, opened; an error names the setting as whoever wrote it knows it.

    Raises:
        NotFound: no such item.
        SettingsError: a setting is missing or wrong.
    """
    try:
        provider: Provider = load("providers", kind).open(given)
    except SettingsError as error:
        raise SettingsError(error.message, file=error.file, field=called(error.field or "")) from error
    return provider


def model_region(settings: Settings) -> str:
    """Where the default route's model runs: the providers that ship run inside this installation."""
    inside = settings.text("model") in ("scripted", "local")
    return LOCAL if inside else settings.text("openai_region")
