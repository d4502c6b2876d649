"""Endpoints as they are in the field, and worse. Each is an error of ours, in time, without a word of the prompt."""

import asyncio
import gzip
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache

import pytest
import uvloop

from careplane.errors import UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamTimeout
from careplane.providers import Chunk
from careplane.providers._upstream import MAX_BODY

from .conftest import Connect, Line, opened
from .shelf import REMOTE, reasons, request, text, wire
from .test_contract import collect
from .upstream import CLOSE, HANG, RESET, TEXT, Do, Http, Step, chunked, head, well_behaved

CANARY = "canary-7391"
streamed = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
items = pytest.mark.parametrize("item", REMOTE)


def failure(line: Line, stream: bool, kind: type[UpstreamError] = UpstreamError) -> UpstreamError:
    """The error of a call; it holds nothing of the prompt and nothing that the endpoint wrote."""
    with pytest.raises(kind) as failed:
        uvloop.run(asyncio.wait_for(collect(line.provider, request(f"Say {CANARY}.", stream=stream)), 20))
    said = f"{failed.value!r} {failed.value}"
    assert CANARY not in said
    assert "upstream-words" not in said
    return failed.value


# ---- statuses

STATUSES = [
    (400, "invalid_request", UpstreamRejected),
    (401, "authentication", UpstreamRejected),
    (403, "authentication", UpstreamRejected),
    (404, "not_found", UpstreamRejected),
    (413, "invalid_request", UpstreamRejected),
    (422, "invalid_request", UpstreamRejected),
    (408, "", UpstreamTimeout),
    (504, "", UpstreamTimeout),
    (409, "", UpstreamBusy),
    (429, "", UpstreamBusy),
    (503, "", UpstreamBusy),
    (529, "", UpstreamBusy),
    (500, "", UpstreamError),
    (502, "", UpstreamError),
    (202, "", UpstreamError),
    (302, "", UpstreamError),
]


@streamed
@pytest.mark.parametrize(("status", "code", "kind"), STATUSES, ids=[str(status) for status, _, _ in STATUSES])
def test_a_status_becomes_an_error_of_its_kind(
    line: Line, stream: bool, status: int, code: str, kind: type[UpstreamError]
) -> None:
    line.endpoint.failure = (status, f"upstream-words {CANARY}", {"location": "http://127.0.0.1:9/elsewhere"})
    error = failure(line, stream, kind)
    assert type(error) is kind
    assert str(status) in str(error)
    if isinstance(error, UpstreamRejected):
        assert error.code == code
    assert len(line.endpoint.raw) == 1  # neither tried again nor redirected


@pytest.mark.parametrize("code", ["context_length_exceeded", "content_filter"])
def test_a_rejection_is_recognised_by_its_code(line: Line, code: str) -> None:
    body = line.endpoint.wire.failure(code, f"upstream-words {CANARY}")
    line.endpoint.manner = lambda _: well_behaved(Http(400, "application/json", [body]))
    error = failure(line, stream=True, kind=UpstreamRejected)
    assert isinstance(error, UpstreamRejected)
    assert error.code == (code if code.encode() in body or b"too long" in body else "invalid_request")


def test_a_throttle_in_the_guise_of_a_bad_request(line: Line) -> None:
    line.endpoint.failure = (400, "Rate exceeded", {"x-amzn-errortype": "ThrottlingException:http://internal/"})
    failure(line, stream=False, kind=UpstreamBusy)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "999999999"}, 3600.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m2.5s"}, 62.5),
        ({"x-ratelimit-remaining-tokens": "3", "x-ratelimit-reset-tokens": "1m2.5s"}, None),
    ],
)
def test_busy_says_for_how_long(line: Line, headers: dict[str, str], seconds: float | None) -> None:
    line.endpoint.failure = (429, "slow down", headers)
    error = failure(line, stream=True, kind=UpstreamBusy)
    assert isinstance(error, UpstreamBusy)
    assert error.retry_after == (None if seconds is None else pytest.approx(seconds))


def test_busy_until_a_date(line: Line) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    line.endpoint.failure = (429, "slow down", {"retry-after": when})
    error = failure(line, stream=False, kind=UpstreamBusy)
    assert isinstance(error, UpstreamBusy)
    assert error.retry_after is not None
    assert 50 < error.retry_after <= 100


# ---- bodies


def replaced(kind: str, body: bytes) -> Callable[[Http], list[Step]]:
    """Whatever was asked, this comes back with status 200."""
    return lambda http: well_behaved(Http(200, kind, [body], streamed=http.streamed and bool(body)))


BODIES = {
    "an HTML page": ("text/html", f"<html>upstream-words {CANARY}</html>".encode()),
    "nothing": ("application/json", b""),
    "an empty object": ("application/json", b"{}"),
    "null": ("application/json", b"null"),
    "a list": ("application/json", b"[1]"),
    "deeply nested JSON": ("application/json", b"[" * 200_000),
    "invalid UTF-8": ("application/json", b'{"a": "\xff\xfe"}'),
    "line feeds": ("application/json", b"\n" * 1000),
    "a NUL": ("application/json", b"\0" * 100),
}


@streamed
@pytest.mark.parametrize("name", BODIES)
def test_what_is_no_reply_is_an_error(line: Line, stream: bool, name: str) -> None:
    line.endpoint.manner = replaced(*BODIES[name])
    failure(line, stream)


BROKEN = [(item, name) for item in REMOTE for name in wire(item).broken()]


@pytest.mark.parametrize(("item", "name"), BROKEN, ids=[f"{item}: {name}" for item, name in BROKEN])
def test_a_broken_stream_is_an_error_after_what_was_good(connect: Connect, item: str, name: str) -> None:
    line = connect(item)
    pieces = line.endpoint.wire.broken()[name]
    kind, _ = line.endpoint.wire.stream([])
    line.endpoint.manner = lambda _: well_behaved(Http(200, kind, pieces, streamed=True))
    failure(line, stream=True)


@streamed
def test_a_giant_reply_is_cut_off(line: Line, stream: bool) -> None:
    piece = b'"' + b"x" * (1 << 20)
    many: list[Step] = [chunked(piece)] * (MAX_BODY // len(piece) + 2)
    line.endpoint.manner = lambda http: [head(http, "transfer-encoding: chunked"), *many, b"0\r\n\r\n"]
    failure(line, stream)


@streamed
def test_a_compressed_reply_is_read(line: Line, stream: bool) -> None:
    def squeezed(http: Http) -> list[Step]:
        body = gzip.compress(b"".join(http.pieces))
        return [head(http, "content-encoding: gzip", f"content-length: {len(body)}") + body]

    line.endpoint.manner = squeezed
    chunks = uvloop.run(collect(line.provider, request(stream=stream)))
    assert text(chunks) == TEXT


@streamed
@pytest.mark.parametrize("spoil", [lambda body: body[:-12], lambda body: b"no gzip" + body, lambda _: b""])
def test_a_badly_compressed_reply_is_an_error(line: Line, stream: bool, spoil: Callable[[bytes], bytes]) -> None:
    def squeezed(http: Http) -> list[Step]:
        body = spoil(gzip.compress(b"".join(http.pieces[: -1 if http.streamed else None])))
        return [head(http, "content-encoding: gzip", f"content-length: {len(body)}") + body]

    line.endpoint.manner = squeezed
    failure(line, stream)


@cache
def squeezed_zeros() -> bytes:
    """A small body that would be four times as large as any may be."""
    return gzip.compress(b"\0" * (MAX_BODY * 4), compresslevel=1)


def test_a_bomb_is_not_unpacked(line: Line) -> None:
    bomb = squeezed_zeros()

    def squeezed(http: Http) -> list[Step]:
        return [head(http, "content-encoding: gzip", f"content-length: {len(bomb)}") + bomb]

    line.endpoint.manner = squeezed
    failure(line, stream=False)


@streamed
def test_an_encoding_that_was_not_asked_for_is_an_error(line: Line, stream: bool) -> None:
    line.endpoint.manner = lambda http: [head(http, "content-encoding: br", "content-length: 4") + b"\x0b\x02\x80h"]
    failure(line, stream)


# ---- HTTP


def cut(http: Http) -> list[Step]:
    """The head and a part of the body, then nothing more."""
    steps = well_behaved(http)
    whole = b"".join(step for step in steps if isinstance(step, bytes))
    end = whole.index(b"\r\n\r\n") + 4
    return [whole[: end + (len(whole) - end) // 2], CLOSE]


MANNERS: dict[str, Callable[[Http], list[Step]]] = {
    "closes before a reply": lambda _: [CLOSE],
    "resets before a reply": lambda _: [RESET],
    "closes in the head": lambda http: [head(http, "content-length: 9")[:-4], CLOSE],
    "closes in the body": cut,
    "promises more than it sends": lambda http: [
        head(http, f"content-length: {len(b''.join(http.pieces)) + 10}") + b"".join(http.pieces),
        CLOSE,
    ],
    "promises less than it sends": lambda http: [head(http, "content-length: 5") + b"".join(http.pieces), CLOSE],
    "speaks no HTTP": lambda _: [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", CLOSE],
    "sends a bad chunk": lambda http: [head(http, "transfer-encoding: chunked") + b"zz\r\nupstream-words\r\n", CLOSE],
    "ends in the midst of a chunk": lambda http: [head(http, "transfer-encoding: chunked") + b"ff\r\nabc", CLOSE],
    "leaves out the last chunk": lambda http: [*well_behaved(http)[:-1], CLOSE] if http.streamed else [CLOSE],
    "sends a negative length": lambda http: [head(http, "content-length: -5") + b"abcde", CLOSE],
    "sends two lengths": lambda http: [head(http, "content-length: 5", "content-length: 6") + b"abcdef", CLOSE],
    "sends a head without end": lambda _: [b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"y" * 500_000, CLOSE],
    "wants another protocol": lambda http: [head(Http(101, "", []), "upgrade: h2c", "connection: upgrade"), CLOSE],
}


@streamed
@pytest.mark.parametrize("name", MANNERS)
def test_bad_manners_are_errors(line: Line, stream: bool, name: str) -> None:
    line.endpoint.manner = MANNERS[name]
    failure(line, stream)


def test_a_stream_without_its_end_is_an_error_though_http_is_whole(line: Line) -> None:
    line.endpoint.answer = lambda _: [Chunk(text="half a")]
    line.endpoint.manner = lambda http: well_behaved(Http(200, http.content_type, http.pieces[:-2], streamed=True))
    failure(line, stream=True)


def test_what_lingers_after_the_end_is_not_waited_for(line: Line) -> None:
    line.endpoint.manner = lambda http: [*well_behaved(http)[:-1], HANG]
    chunks = uvloop.run(asyncio.wait_for(collect(line.provider, request()), 20))
    assert text(chunks) == TEXT
    assert reasons(chunks) == ["stop"]
    assert line.endpoint.gone.wait(10)


# ---- time


@items
@streamed
def test_no_head_in_time(connect: Connect, item: str, stream: bool) -> None:
    line = connect(item, first_token_timeout="0.2")
    line.endpoint.manner = lambda _: [HANG]
    failure(line, stream, UpstreamTimeout)
    assert line.endpoint.gone.wait(10)


@items
def test_a_head_but_no_token_in_time(connect: Connect, item: str) -> None:
    line = connect(item, first_token_timeout="0.2")
    line.endpoint.manner = lambda http: [head(http, "transfer-encoding: chunked"), HANG]
    failure(line, stream=True, kind=UpstreamTimeout)
    assert line.endpoint.gone.wait(10)


@items
@streamed
def test_no_end_in_time(connect: Connect, item: str, stream: bool) -> None:
    line = connect(item, timeout="0.4")
    line.endpoint.answer = lambda _: [*(Chunk(text=f"{n} ") for n in range(1000)), Chunk(finish_reason="stop")]

    def slowly(http: Http) -> list[Step]:
        start, *rest = well_behaved(http)
        paced: list[Step] = [step for one in rest for step in (one, Do("sleep", 0.05))]
        return [start, *paced] if http.streamed else [Do("sleep", 0.9), start]

    line.endpoint.manner = slowly
    failure(line, stream, UpstreamTimeout)


@items
def test_nobody_listens(item: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    provider = opened(item, wire(item).settings(f"http://127.0.0.1:{port}"))
    with pytest.raises(UpstreamError):
        uvloop.run(collect(provider, request()))


@items
def test_nobody_accepts_in_time(item: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        waiting = [socket.socket() for _ in range(4)]  # they fill the queue of connections that nobody accepts
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        given = wire(item).settings(f"http://127.0.0.1:{address[1]}") | {"connect_timeout": "0.2", "timeout": "5"}
        with pytest.raises(UpstreamTimeout):
            uvloop.run(collect(opened(item, given), request()))
        for one in waiting:
            one.close()
