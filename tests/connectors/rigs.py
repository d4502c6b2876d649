"""The items of the connectors' shelf as the contract suite sees them: each brings ``tests/rig.py`` with a real peer."""

import asyncio
import importlib
import socket
import threading
import tomllib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from careplane import _shelf

ITEMS = tuple(_shelf.items("connectors"))
GAPS_FILE = Path(__file__).with_name("gaps.toml")

Connector = Any
"""What an item's ``open`` gives; items of different families have nothing in common but that they can be closed."""


class Peer(Protocol):
    """The other side of a connector while a test runs. A rig may add more, for its own behaviours to look at."""

    @property
    def settings(self) -> Mapping[str, str]:
        """What ``open`` takes to reach this peer."""


Behaviour = Callable[[Connector, Any], Awaitable[None]]
"""What a connector with a capability does on its peer; fails by ``assert``."""


class Rig(Protocol):
    """An item's ``tests/rig.py``, a module. The first four names are needed.

    ``BEHAVIOURS`` (capability to behaviours) are the item's own, beside the shared ones of ``behaviours.py``.
    ``at(host, port, folder)`` gives settings that lead to an address, with time-outs below a second: the suite listens
    there and stays silent, sends rubbish, or is away. ``spoiled(folder)`` gives settings that lead to bad data. An item
    has at least one of the two.
    """

    REQUIRED: tuple[str, ...]
    """Settings without which ``open`` refuses."""

    SECRETS: tuple[str, ...]
    """Settings whose values must never be seen; ``peer`` or ``at`` gives them."""

    def peer(self, folder: Path) -> AbstractContextManager[Peer]:
        """Start the peer; ``folder`` is empty and for this item."""

    async def call(self, connector: Connector, words: str) -> object:
        """One exchange in which ``words``, which stand for what identifies a patient, go out or come in."""


@dataclass(frozen=True)
class Gap:
    """A capability of a family that one of its items lacks: why, and the error that says so."""

    item: str
    capability: str
    reason: str
    exception: str


def rig(item: str) -> Rig:
    """The rig of an item."""
    return cast(Rig, importlib.import_module(f"{_shelf.load('connectors', item).__name__}.tests.rig"))


def own_behaviours(item: str) -> Mapping[str, tuple[Behaviour, ...]]:
    """The behaviours that an item's rig brings."""
    return cast("Mapping[str, tuple[Behaviour, ...]]", getattr(rig(item), "BEHAVIOURS", {}))


def capabilities(item: str) -> frozenset[str]:
    """What an item declares."""
    return cast("frozenset[str]", _shelf.load("connectors", item).CAPABILITIES)


def gaps() -> tuple[Gap, ...]:
    """The reviewed file of gaps."""
    return tuple(Gap(**row) for row in tomllib.loads(GAPS_FILE.read_text(encoding="utf-8")).get("gap", []))


async def close(connector: Connector) -> None:
    """Close a connector in the way it has."""
    if hasattr(connector, "aclose"):
        await connector.aclose()
    elif hasattr(connector, "close"):
        connector.close()


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """A port of 127.0.0.1 where each connection gets ``answer`` and is closed; ``None`` stays silent."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                if answer is not None:
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for connection in held:
                connection.close()


def free_port() -> int:
    """A port of 127.0.0.1 where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def using(item: str, settings: Mapping[str, str], act: Callable[[Connector], Awaitable[object]]) -> None:
    """Open an item, let it act, and close it, in one event loop."""

    async def session() -> None:
        connector = _shelf.load("connectors", item).open(settings)
        try:
            await act(connector)
        finally:
            await close(connector)

    asyncio.run(session())
