"""The raw listener on a real socket: what is served, what is turned away, and what becomes of clients that leave."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.gateway import listener as module
from careplane.gateway.exchange import MAX_BODY, Exchange
from careplane.gateway.listener import Listener

Handler = Callable[[Exchange], Awaitable[None]]
POST = b"POST /v1/x HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello"


async def echo(exchange: Exchange) -> None:
    body = json.dumps([exchange.method, exchange.path, exchange.body.decode()]).encode()
    await exchange.reply(200, {"content-type": "application/json"}, body)


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """A listener on a free port of loopback; ends with the block."""
    connections: set[Listener] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Listener(handler, connections), "127.0.0.1", 0)  # type: ignore[arg-type]
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(connections):
            connection.abort()
        await server.wait_closed()
        await asyncio.sleep(0)


async def send(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back until the server closes, or half a second after the last part."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        if pause:
            await asyncio.sleep(pause)
    got = b""
    try:
        async with asyncio.timeout(0.5):
            while piece := await reader.read(65536):
                got += piece
    except TimeoutError:
        pass
    writer.close()
    return got


def talk(handler: Handler, *parts: bytes, pause: float = 0.0) -> bytes:
    async def run() -> bytes:
        async with listening(handler) as port:
            return await send(port, *parts, pause=pause)

    return asyncio.run(run())


def test_a_request_is_served_and_the_connection_kept() -> None:
    said = talk(echo, POST, POST.replace(b"hello", b"again"), pause=0.1)
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert b'["POST", "/v1/x", "hello"]' in said
    assert b'["POST", "/v1/x", "again"]' in said


def test_what_is_pipelined_waits_its_turn() -> None:
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.05)
        await echo(exchange)

    said = talk(slow, POST, POST.replace(b"hello", b"later"), pause=0.01)
    assert said.index(b"hello") < said.index(b"later")


def test_a_chunked_body_and_query_and_case_of_headers() -> None:
    raw = b"POST /p?q=1 HTTP/1.1\r\nHOST: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert b'["POST", "/p", "abcde"]' in talk(echo, raw)


def test_expect_continue_is_answered_before_the_body() -> None:
    head = b"POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    said = talk(echo, head, b"ok", pause=0.05)
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: h\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000, 431),
        (b"GET /a HTTP/1.1\r\nhost: h\r\n\r\nGET /b HTTP/1.1\r\nhost: h\r\n\r\n", 400),
    ],
)
def test_what_cannot_be_trusted_is_turned_away_and_closed(raw: bytes, status: int) -> None:
    served: list[str] = []

    async def handler(exchange: Exchange) -> None:
        served.append(exchange.path)
        await echo(exchange)

    said = talk(handler, raw)
    assert said.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in said
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad_http"
    assert served == []


def test_a_body_without_end_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY", 1000)
    head = b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
    said = talk(too_large, head, b"190\r\n" + b"x" * 400 + b"\r\n", b"2bc\r\n" + b"x" * 700 + b"\r\n")
    assert said.startswith(b"HTTP/1.1 413")
    assert said.endswith(b"0 bytes kept")


def test_a_body_that_is_announced_as_too_large_is_not_waited_for() -> None:
    said = talk(too_large, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\nxyz" % (MAX_BODY + 1))
    assert said.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in said


async def too_large(exchange: Exchange) -> None:
    """Says 413, as the data plane does."""
    assert exchange.too_large
    await exchange.reply(413, {}, b"%d bytes kept" % len(exchange.body))


def test_a_request_that_never_ends_and_an_idle_connection_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.1)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.1)
    assert talk(echo, b"POST / HTTP/1.1\r\nhost: h\r\ncontent-le").startswith(b"HTTP/1.1 408")
    assert talk(echo) == b""


def test_a_client_that_leaves_cancels_its_call() -> None:
    seen: list[str] = []

    async def handler(_exchange: Exchange) -> None:
        seen.append("begun")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def run() -> None:
        async with listening(handler) as port:
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST)
            await asyncio.sleep(0.05)
            writer.close()
            await asyncio.sleep(0.1)

    asyncio.run(run())
    assert seen == ["begun", "cancelled"]


def test_a_fault_of_ours_is_500_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(exchange: Exchange) -> None:
        raise ZeroDivisionError(exchange.body.decode())

    said = talk(handler, POST)
    assert said.startswith(b"HTTP/1.1 500")
    assert b"hello" not in said
    assert "hello" not in caplog.text
    assert caplog.records[-1].facts["error"] == "ZeroDivisionError"  # type: ignore[attr-defined]


def test_a_stream_that_breaks_is_cut_and_not_ended() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin(200, {})
        await exchange.write(b"some")
        raise ZeroDivisionError

    said = talk(handler, POST)
    assert b"4\r\nsome\r\n" in said
    assert not said.endswith(b"0\r\n\r\n")


def test_a_slow_reader_holds_the_writer_back() -> None:
    written: list[int] = []

    async def handler(exchange: Exchange) -> None:
        await exchange.begin(200, {})
        for i in range(400):
            await exchange.write(b"x" * 65536)
            written.append(i)
        await exchange.end()

    async def run() -> int:
        async with listening(handler) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(POST)
            await asyncio.sleep(0.3)
            held = len(written)
            size = 0
            while piece := await reader.read(1 << 20):
                size += len(piece)
                if piece.endswith(b"0\r\n\r\n"):
                    break
            writer.close()
            assert size > 400 * 65536
            return held

    assert asyncio.run(run()) < 400


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_any_cutting_of_a_request_is_the_same_request(steps: list[int]) -> None:
    raw = b"POST /v1/y HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
    parts, at, i = [], 0, 0
    while at < len(raw):
        parts.append(raw[at : at + steps[i % len(steps)]])
        at += steps[i % len(steps)]
        i += 1

    async def run() -> bytes:
        async with listening(echo) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            writer.close()
            return body

    assert json.loads(asyncio.run(run())) == ["POST", "/v1/y", "hello!"]


_HEADS = (b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"host: h\r\n", b"content-length: 3\r\n")
_BODIES = (b"transfer-encoding: chunked\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"abc", b"content-length: +3\r\n")
_MARKS = (b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b":", b"\xff")
_LINES = st.sampled_from(_HEADS + _BODIES + _MARKS)


@settings(max_examples=80, deadline=None)
@given(st.lists(_LINES, min_size=1, max_size=12).map(b"".join))
def test_no_bytes_make_it_serve_more_than_was_asked(raw: bytes) -> None:
    served: list[str] = []

    async def handler(exchange: Exchange) -> None:
        served.append(exchange.method)
        await echo(exchange)

    async def run() -> bytes:
        async with listening(handler) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw)
            writer.write_eof()
            got = await reader.read(-1)
            writer.close()
            return got

    said = asyncio.run(run())
    assert len(served) <= raw.count(b"HTTP/1.1")
    assert said == b"" or said.startswith(b"HTTP/1.1 ")
