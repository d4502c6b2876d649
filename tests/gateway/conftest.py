"""A real gateway on a free loopback port, with its ledger and store in a temporary folder."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop
from starlette.applications import Starlette
from starlette.routing import Mount

from careplane.errors import Refused
from careplane.gateway import DataPlane, Gateway, Parts, Route, Routes, Standing, Target, issue_key
from careplane.gateway.asgi import asgi
from careplane.gateway.exchange import Handler
from careplane.gateway.listener import Listener
from careplane.gateway.routing import Timeouts
from careplane.ledger import Ledger, open_ledger
from careplane.providers import ChatRequest, Chunk, Price, Provider
from careplane.records.app import DataPolicy, Entitlement
from careplane.records.app import Route as AppRoute
from careplane.store import Store, open_store

from .obliging import Obliging, allowed

Serving = Callable[[Starlette], AbstractContextManager[str]]
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


TIMEOUTS = Timeouts()


def clock() -> datetime:
    return NOW


@dataclass(frozen=True)
class Site:
    """A running gateway."""

    url: str
    key: str
    gateway: Gateway
    store: Store
    ledger: Ledger


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds that takes a moment to be known everywhere."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def echoing(pieces: Callable[[ChatRequest], Iterator[str]]) -> Provider:
    """A provider that answers with pieces made from the request."""

    async def chat(request: ChatRequest) -> AsyncIterator[Chunk]:
        for piece in pieces(request):
            yield Chunk(text=piece)
        yield Chunk(finish_reason="stop", input_tokens=11, output_tokens=7)

    return Provider(name="echo", model="echo-1", chat=chat, price=Price(input=1.0, output=2.0))


@contextmanager
def listening(handler: Handler) -> Iterator[str]:
    """Serve exchanges on the raw listener in a thread of its own until the block ends; gives the address."""
    loop = uvloop.new_event_loop()
    connections: set[Listener] = set()

    async def start() -> Any:
        return await loop.create_server(lambda: Listener(handler, connections), "127.0.0.1", 0)

    async def stop() -> None:
        server.close()
        for connection in list(connections):
            connection.abort()
        for _ in range(3):
            await asyncio.sleep(0)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*others, return_exceptions=True)
        await loop.shutdown_asyncgens()

    server = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def gateway_of(
    providers: Mapping[str, Provider], ledger: Ledger, parts: Parts | None = None, timeouts: Timeouts = TIMEOUTS
) -> Gateway:
    """A gateway with a route of the same name to each provider, all inside."""
    routes = [
        Route(
            alias=name,
            targets=(Target(provider=name, embeddings=provider.embed is not None),),
            timeouts=timeouts,
        )
        for name, provider in providers.items()
    ]
    return Gateway(providers, Routes(routes), ledger, clock, parts)


@contextmanager
def site(
    folder: Path,
    serving: Serving,
    providers: Mapping[str, Provider],
    policy: DataPolicy | None = None,
    *,
    raw: bool = True,
    parts: Parts | None = None,
    entitlement: Entitlement | None = None,
) -> Iterator[Site]:
    """A gateway that is served until the block ends, on the raw listener or by an ASGI server."""
    folder.mkdir(parents=True, exist_ok=True)
    store = open_store(f"sqlite:///{folder / 'careplane.db'}")
    ledger = open_ledger(folder / "ledger")
    own = entitlement or Entitlement(
        app="an_app",
        version="1.0.0",
        data_policy=policy or DataPolicy(phi="deidentified"),
        route=AppRoute(model="default", max_tokens=300),
    )

    def entitle(app: str) -> Entitlement:
        if app != own.app:
            raise Refused([f"{app} is not on the register."], "Register it.")
        return own

    standing = Standing(store, entitle)
    parts = parts or Parts()
    parts.stops = standing.stops
    gateway = gateway_of(providers, ledger, parts)
    standing.start()
    plane = DataPlane(gateway, standing, ledger, clock)
    key = issue_key(store, own.app, NOW)
    app = Starlette(routes=[Mount("/", asgi(plane.serve))])
    with listening(plane.serve) if raw else serving(app) as address:
        yield Site(address, key, gateway, store, ledger)
    standing.close()
    store.close()


@pytest.fixture(params=["raw", "asgi"])
def serve(request: pytest.FixtureRequest, tmp_path: Path, serving: Serving) -> Iterator[Callable[..., Site]]:
    """Start gateways; each gets its own folder, all stop with the test. Each test runs on both carriers."""
    with ExitStack() as stack:
        count = iter(range(100))

        def start(providers: Mapping[str, Provider], policy: DataPolicy | None = None, **more: Any) -> Site:
            folder = tmp_path / f"site{next(count)}"
            return stack.enter_context(site(folder, serving, providers, policy, raw=request.param == "raw", **more))

        yield start


@pytest.fixture(scope="module")
def obliging_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Obliging]]:
    """One gateway for a whole module, with a model that does what it is asked for and an app that may use all tools."""
    model = Obliging()
    folder = tmp_path_factory.mktemp("obliging")
    with site(folder, lambda _: nullcontext(""), {"default": model.provider}, entitlement=allowed()) as running:
        yield running, model


@pytest.fixture
def model(obliging_site: tuple[Site, Obliging]) -> Obliging:
    """The model of :func:`obliging_site`, which has seen nothing yet."""
    obliging_site[1].forget()
    return obliging_site[1]
