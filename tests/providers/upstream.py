"""A model's endpoint for tests: HTTP/1.1 on a raw socket, so that it can also do everything that is wrong.

What it says comes from ``answer`` (a function of what was asked), how it is written from an item's ``tests/wire.py``,
and how it goes over the socket from ``manner``. All three can be replaced by a test.
"""

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from careplane.records.model import Chunk, ToolDelta

Asked = Mapping[str, Any]
"""What a request says, whatever its format: ``model``, ``stream``, ``system`` and ``turns`` (role, text), ``images``
(media type, bytes), ``tools`` (name, schema), ``choice`` (auto, any, none or a name), ``calls`` and ``results``,
``schema``, ``max_tokens``, ``temperature``; or ``inputs`` and ``dimensions`` of embeddings."""


class Wire(Protocol):
    """An item's ``tests/wire.py``: its format as a server writes it, after the provider's documentation."""

    GAPS: Mapping[str, str]
    """What the item cannot do, and the name of the error that says so."""

    def settings(self, url: str) -> dict[str, str]: ...
    def asked(self, path: str, headers: Mapping[str, str], body: bytes) -> Asked: ...
    def whole(self, chunks: Sequence[Chunk]) -> tuple[str, bytes]: ...
    def stream(self, chunks: Sequence[Chunk]) -> tuple[str, list[bytes]]: ...
    def embeddings(self, vectors: Sequence[Sequence[float]]) -> bytes: ...
    def failure(self, code: str, message: str) -> bytes: ...
    def broken(self) -> Mapping[str, list[bytes]]: ...


@dataclass(frozen=True)
class Http:
    """A reply before it goes over the socket."""

    status: int
    content_type: str
    pieces: list[bytes]
    streamed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Do:
    """Something a server does that is not sending bytes."""

    what: str
    seconds: float = 0.0


HANG = Do("hang")
"""Wait until the client goes away, and note that it did."""

CLOSE = Do("close")
RESET = Do("reset")
Step = bytes | Do
Manner = Callable[[Http], list[Step]]


def head(http: Http, *more: str) -> bytes:
    """Status line and headers; ``more`` are further header lines."""
    lines = [f"HTTP/1.1 {http.status} Status", f"content-type: {http.content_type}", *more]
    lines += [f"{name}: {value}" for name, value in http.headers.items()]
    return "\r\n".join((*lines, "", "")).encode()


def chunked(piece: bytes) -> bytes:
    """One chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def well_behaved(http: Http) -> list[Step]:
    """As a server should: a length for what is whole, chunks for what is streamed."""
    if http.streamed:
        coded: list[Step] = [chunked(piece) for piece in http.pieces]
        return [head(http, "transfer-encoding: chunked"), *coded, b"0\r\n\r\n"]
    body = b"".join(http.pieces)
    return [head(http, f"content-length: {len(body)}") + body]


TEXT = "You take lisinopril 10 mg daily."


def model_like(asked: Asked) -> list[Chunk]:
    """An answer as a model might give it: calls a tool when it must, writes JSON when it must, heeds the limit."""
    usage = Chunk(input_tokens=11, output_tokens=7, cached_tokens=4)
    if asked["tools"] and asked["choice"] not in ("none", None):
        first, *more = asked["tools"]
        deltas = (
            [ToolDelta(index=0, id="call_1", name=first[0])]
            + [ToolDelta(index=0, arguments=piece) for piece in ('{"drug": "lisi', 'nopril", "n": 1}')]
            + [ToolDelta(index=1, id="call_2", name=more[0][0] if more else first[0])]
            + [ToolDelta(index=1, arguments=piece) for piece in ('{"drug":', ' "metformin"}')]
        )
        return [*(Chunk(tool_calls=(one,)) for one in deltas), Chunk(finish_reason="tool_calls"), usage]
    text = json.dumps({"drug": "lisinopril"}) if asked["schema"] else TEXT
    words = text.split(" ")
    kept = words[: asked["max_tokens"] or 99]
    said = [Chunk(text=word if i == 0 else f" {word}") for i, word in enumerate(kept)]
    return [*said, Chunk(finish_reason="stop" if len(kept) == len(words) else "length"), usage]


class Endpoint:
    """A running endpoint. Use as a context manager; everything it saw is kept."""

    def __init__(self, wire: Wire, tls: ssl.SSLContext | None = None) -> None:
        self.wire = wire
        self._tls = tls
        self.answer: Callable[[Asked], list[Chunk]] = model_like
        self.manner: Manner = well_behaved
        self.failure: tuple[int, str, Mapping[str, str]] | None = None
        self.raw: list[tuple[str, Mapping[str, str], bytes]] = []
        self.asked: list[Asked] = []
        self.connections = 0
        self.gone = threading.Event()
        self._stopping: Future[None] = Future()

    def __enter__(self) -> Self:
        started: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        self.port = started.result(10)
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set_result(None)
        self._thread.join(10)

    async def _serve(self, started: Future[int]) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=1 << 20, ssl=self._tls)
        started.set_result(server.sockets[0].getsockname()[1])
        await asyncio.wrap_future(self._stopping)
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            self.gone.set()
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        start = await reader.readuntil(b"\r\n\r\n")
        first, *lines = start.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = first.split(" ")[1]
        self.raw.append((path, headers, body))
        for step in self.manner(self._reply(path, headers, body)):
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif not await self._do(step, reader, writer):
                return False
        return True

    async def _do(self, step: Do, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        if step.what == "sleep":
            await asyncio.sleep(step.seconds)
            return True
        if step.what == "hang":
            if await reader.read(1) == b"":
                self.gone.set()
        elif step.what == "close":
            writer.close()
            await writer.wait_closed()
        return False

    def _reply(self, path: str, headers: Mapping[str, str], body: bytes) -> Http:
        if self.failure is not None:
            status, message, more = self.failure
            return Http(status, "application/json", [self.wire.failure("", message)], headers=more)
        asked = self.wire.asked(path, headers, body)
        self.asked.append(asked)
        if "inputs" in asked:
            vectors = [[float(len(text)), 0.5] for text in asked["inputs"]]
            return Http(200, "application/json", [self.wire.embeddings(vectors)])
        chunks = self.answer(asked)
        if asked["stream"]:
            kind, pieces = self.wire.stream(chunks)
            return Http(200, kind, pieces, streamed=True)
        kind, whole = self.wire.whole(chunks)
        return Http(200, kind, [whole])
