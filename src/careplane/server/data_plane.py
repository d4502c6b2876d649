"""The data plane alone: one process that serves the gateway's APIs on the raw listener, and nothing else.

It shares the home (ledger, store) of an installation, so any number of these may run beside ``careplane serve``. Apps
of the register and apps of its own file may call.
"""

import asyncio
import gc
import json
import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import uvloop

from careplane.gateway import Gateway, Routes, Standing, issue_key, keep_key, revoke_app_keys
from careplane.gateway.config import FileApp, GatewayFile, read_gateway_file
from careplane.gateway.listener import Listener
from careplane.gateway.plane import DataPlane
from careplane.gateway.telemetry import JsonLines
from careplane.ledger import open_ledger
from careplane.records.app import App, Entitlement
from careplane.server.binding import bind
from careplane.server.entitling import entitle, read_apps, region_of
from careplane.server.models import open_file_models
from careplane.server.parts import OpenParts, open_parts
from careplane.settings import Settings, secret_of
from careplane.store import Store, open_store
from careplane.store.grouping import GroupedWrites

GARBAGE = (10_000, 20, 20)
"""How many new objects there may be before the collector of cycles looks: a call makes some hundreds, few in cycles."""

GRACE_SECONDS = 20.0
"""How long calls under way may go on after the end was asked for."""
CUT_SECONDS = 5.0
"""How long those that were cut then may take to end."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A data plane that is open: what serves, and what is to be closed."""

    plane: DataPlane
    listener: socket.socket
    keys: dict[str, str]
    store: Store
    parts: OpenParts

    @property
    def address(self) -> str:
        """Where it listens."""
        host, port = self.listener.getsockname()[:2]
        return f"http://{host}:{port}"


def open_plane(path: Path, settings: Settings) -> Plane:
    """Open the data plane that a file describes; the file's ``home`` wins over that of the settings.

    Raises:
        SettingsError: the file does not hold, or the address cannot be bound.
    """
    file = read_gateway_file(path)
    if file.home:
        settings = settings.replace(home=file.home)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    _log(file.log_level)
    providers, routes = open_file_models(file)
    store = open_store(settings.database_url, settings.home)
    ledger = open_ledger(settings.home / "ledger")
    clock = partial(datetime.now, UTC)
    site_apps = Path(settings.text("apps_path"))
    standing = Standing(store, partial(_entitle, file, routes, store, site_apps, clock))
    standing.start()
    opened = open_parts(file, store, ledger, standing, settings, GroupedWrites(store))
    gateway = Gateway(providers, routes, ledger, clock, opened.parts)
    listener = bind(file.host, file.port)
    keys = {name: _key(store, name, app) for name, app in file.apps.items()}
    plane = DataPlane(gateway, standing, ledger, clock, file.secret("metrics_token"))
    return Plane(plane, listener, {name: key for name, key in keys.items() if key}, store, opened)


def _entitle(
    file: GatewayFile, routes: Routes, store: Store, site_apps: Path, clock: Callable[[], datetime], app: str
) -> Entitlement:
    own = file.apps.get(app)
    if own is not None:
        return own.entitlement(app)
    return entitle(store, _registered(site_apps), partial(region_of, routes), clock, app)


@cache
def _registered(site_apps: Path) -> dict[str, App]:
    """The folders of all apps, read when the first of them calls."""
    return read_apps(site_apps)


def _key(store: Store, name: str, app: FileApp) -> str:
    """The key of an app of the file: kept when the file names one, else made anew, told once."""
    now, site = datetime.now(UTC), app.site or None
    if app.key_env or app.key_file:
        keep_key(store, name, secret_of(app.key_env, app.key_file, f"apps.{name}"), now, site)
        return ""
    revoke_app_keys(store, name, now)
    return issue_key(store, name, now, site)


def _log(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def run_plane(opened: Plane, echo: Callable[[str], None], *, as_json: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; says where on one line, and the keys that were made."""
    told = {"address": opened.address, "keys": opened.keys}
    if as_json:
        echo(json.dumps(told))
    else:
        echo(f"Careplane gateway on {opened.address}")
        for app, key in opened.keys.items():
            echo(f"key of {app}: {key}")
    gc.collect()
    gc.freeze()  # what is loaded by now stays; looking through it again and again would cost every call
    gc.set_threshold(*GARBAGE)
    try:
        uvloop.run(_serve(opened))
    finally:
        opened.plane.standing.close()
        opened.parts.close()
        opened.store.close()


async def _serve(opened: Plane) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    connections: set[Listener] = set()
    server = await loop.create_server(
        lambda: Listener(opened.plane.serve, connections), sock=opened.listener, backlog=2048
    )
    tended = asyncio.ensure_future(opened.parts.tend())
    await ended.wait()
    tended.cancel()
    server.close()
    for connection in list(connections):
        connection.close()
    until = loop.time() + GRACE_SECONDS
    while connections and loop.time() < until:
        await asyncio.sleep(0.05)
    cut = [task for connection in list(connections) if (task := connection.abort()) is not None]
    if cut:  # each leaves its record, which the gateway waits for
        await asyncio.wait(cut, timeout=CUT_SECONDS)
    await opened.plane.gateway.aclose()
