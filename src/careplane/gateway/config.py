"""The gateway's file: providers, routes, limits, and (for a data plane alone) apps of its own. TOML.

A provider is a table of settings with a ``kind``, the name of an item on the shelf; a secret is named, never written
here: ``api_key_env = "NAME"`` or ``api_key_file = "PATH"`` (mode 600) becomes ``api_key`` when the file is read. The
reference is ``docs/reference/gateway-file.md``.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from careplane.errors import SettingsError
from careplane.gateway.budgets import Budget
from careplane.gateway.limits import Quota
from careplane.gateway.routing import Route, Target
from careplane.records import Record
from careplane.records.app import DataPolicy, Entitlement, GuardRules, PhiPolicy
from careplane.records.app import Route as AppRoute
from careplane.settings import secret_of

_SECRETS = ("_env", "_file")
_NOT_SECRET = frozenset({"ca_file"})


Subject = Annotated[str, Meta(pattern=r"^(app|site|key):[A-Za-z0-9_.\-]{1,64}$")]
"""Whom a limit or budget is for: ``app:portal_reply``, ``site:north``, ``key:key-1a2b3c4d``."""


AppName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]


class FileApp(Record, frozen=True):
    """An app of a data plane that runs alone, without a register: for load tests, and for trying.

    ``models`` are the aliases it may name, the first is its default. ``site`` ties its key to one. Without ``key_env``
    and ``key_file`` a key is made at each start and told on standard output.
    """

    phi: PhiPolicy = "deidentified"
    models: Annotated[tuple[str, ...], Meta(min_length=1)] = ("default",)
    regions: tuple[str, ...] = ("local",)
    surrogates: str = "bracketed"
    dates: str = "surrogate"
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000)] = 32768
    tools: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    injection: str = "flag"
    cache: bool = False
    site: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.\-]{0,64}$")] = ""
    key_env: str = ""
    key_file: str = ""

    def entitlement(self, name: str) -> Entitlement:
        """What the app may do."""
        policy = {"phi": self.phi, "regions": self.regions, "surrogates": self.surrogates, "dates": self.dates}
        return Entitlement(
            app=name,
            version="0.0.0",
            data_policy=msgspec.convert(policy, DataPolicy),
            guards=msgspec.convert({"tools": self.tools, "links": self.links, "injection": self.injection}, GuardRules),
            route=AppRoute(model=self.models[0], also=self.models[1:], max_tokens=min(self.max_tokens, 32768)),
            cache=self.cache,
        )


class GatewayFile(Record, frozen=True):
    """The file. ``home`` holds the ledger and the store of a data plane alone; ``price_file`` is a site's own."""

    providers: dict[str, dict[str, str | int | float | bool]] = msgspec.field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    apps: dict[AppName, FileApp] = msgspec.field(default_factory=dict)
    limits: dict[Subject, Quota] = msgspec.field(default_factory=dict)
    budgets: dict[Subject, Budget] = msgspec.field(default_factory=dict)
    cache_bytes: Annotated[int, Meta(ge=0)] = 64 * 1024 * 1024
    cache_seconds: Annotated[float, Meta(gt=0)] = 3600.0
    deidentified_needs_baa: bool = True
    price_file: str = ""
    home: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    metrics_token_env: str = ""
    metrics_token_file: str = ""
    traces_endpoint: str = ""
    traces_ratio: Annotated[float, Meta(ge=0, le=1)] = 1.0
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "warning"

    def secret(self, name: str) -> str:
        """A secret that the file names, or ``""``."""
        return secret_of(str(getattr(self, f"{name}_env")), str(getattr(self, f"{name}_file")), name)


def read_gateway_file(path: Path) -> GatewayFile:
    """Read and check the file.

    Raises:
        SettingsError: it cannot be read, or a table or value is not one; the field is named.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", file=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"is not TOML: {error}", file=path) from error
    try:
        file = msgspec.convert(given, GatewayFile)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        field = where.rstrip("`").removeprefix("$.").removeprefix("$") or None
        raise SettingsError(what, file=path, field=field) from error
    _check(file, path)
    _check_apps(file, path)
    return file


def _check(file: GatewayFile, path: Path) -> None:
    for name, provider in file.providers.items():
        if not isinstance(provider.get("kind"), str):
            told = "names the item on the shelf, such as openai_compatible"
            raise SettingsError(told, file=path, field=f"providers.{name}.kind")
    seen: set[tuple[object, ...]] = set()
    for route in file.routes:
        whom = (route.alias, frozenset(route.apps), frozenset(route.tiers))
        if whom in seen:
            told = f"there are two routes {route.alias!r} for the same apps and tiers: put the targets into one"
            raise SettingsError(told, file=path, field="routes")
        seen.add(whom)
        shadow = () if route.shadow is None else (route.shadow.target,)
        for target in (*route.targets, *route.fallbacks, *shadow):
            if target.provider not in file.providers:
                known = ", ".join(file.providers) or "none"
                told = f"names a provider {target.provider!r} that is not in the file (there are: {known})"
                raise SettingsError(told, file=path, field=f"routes.{route.alias}")


def _check_apps(file: GatewayFile, path: Path) -> None:
    aliases = {route.alias for route in default_routes(file)}
    for name, app in file.apps.items():
        try:
            app.entitlement(name)
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at `$.")
            raise SettingsError(what, file=path, field=f"apps.{name}.{where.rstrip('`')}") from error
        if unknown := [model for model in app.models if model not in aliases]:
            told = f"no route has the alias {unknown[0]!r} (there are: {', '.join(sorted(aliases)) or 'none'})"
            raise SettingsError(told, file=path, field=f"apps.{name}.models")


def provider_settings(name: str, given: Mapping[str, object]) -> dict[str, str]:
    """The settings that a provider is opened with: text, secrets read from where the file says they are.

    Raises:
        SettingsError: a secret is missing or its file is not private.
    """
    settings: dict[str, str] = {}
    for key, value in given.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        stem = next((key.removesuffix(end) for end in _SECRETS if key.endswith(end)), "")
        if stem and key not in _NOT_SECRET:
            env, file = (text, "") if key.endswith("_env") else ("", text)
            settings[stem] = secret_of(env, file, f"providers.{name}.{key}")
        elif key != "kind":
            settings[key] = text
    return settings


def default_routes(file: GatewayFile) -> tuple[Route, ...]:
    """The routes of the file; without any, ``default`` leads to its only provider."""
    if file.routes or len(file.providers) != 1:
        return file.routes
    return (Route(alias="default", targets=(Target(provider=next(iter(file.providers))),)),)
