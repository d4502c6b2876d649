"""One exchange with a model's endpoint: the body is written, sent, and what comes back is read as chunks.

What differs between providers is passed in: where to, how the body is written, how a reply is read. What is the same is
here: an error status becomes an error without the endpoint's words, what cannot be read becomes one, a stream without
an end becomes one, and closing early closes the connection.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import quote

from careplane.errors import InputError, UpstreamError, UpstreamRejected, UpstreamTimeout
from careplane.providers import Chunk, Embeddings, EmbedRequest
from careplane.providers._refusals import refusal
from careplane.providers._upstream import Timeouts, send, stream

T = TypeVar("T")
_LONGEST_ERROR = 64 * 1024
_LAST_BYTES_SECONDS = 1.0
"""How long the end of the HTTP reply may lag behind the end of the message, so that the connection can be kept."""


class Reader(Protocol):
    """Reads one streamed reply, in pieces of any size. ``finished`` once the model said why it stopped."""

    finished: bool

    def feed(self, data: bytes) -> Iterable[Chunk]:
        """The chunks that are whole now; ``ValueError`` for what is not of the format."""


@dataclass(frozen=True, slots=True)
class Target:
    """How patiently a provider is asked, whom it trusts, and what to do when its endpoint refuses our credentials."""

    timeouts: Timeouts
    ca_file: str = ""
    forget: Callable[[], None] | None = None

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """The error for a status other than 200; credentials that were refused are not used again."""
        error = refusal(status, headers, body[:_LONGEST_ERROR])
        if self.forget is not None and isinstance(error, UpstreamRejected) and error.code == "authentication":
            self.forget()
        return error


@dataclass(frozen=True, slots=True)
class Sending:
    """A request, ready to be sent."""

    url: str
    headers: Mapping[str, str]
    body: bytes


Prepare = Callable[[], Awaitable[Sending]]
"""Makes the request when its reply is first asked for: credentials may have to be fetched, and a body refused."""


def segment(name: str) -> str:
    """A name as one segment of a URL's path; dots alone would lead elsewhere."""
    if not name.strip("."):
        raise UpstreamRejected("The request names no model.", "not_found")
    return quote(name, safe="")


def written(write: Callable[[], bytes]) -> bytes:
    """The body of a request; what a format cannot express is a rejection, as if the endpoint had said so."""
    try:
        return write()
    except InputError as error:
        raise UpstreamRejected(f"This model's endpoint cannot be asked that: {error}.") from error


async def whole(prepare: Prepare, target: Target, read: Callable[[bytes], list[Chunk]]) -> AsyncGenerator[Chunk, None]:
    """A reply that comes in one piece."""
    for chunk in await fetched(await prepare(), target, read):
        yield chunk


async def fetched(sending: Sending, target: Target, read: Callable[[bytes], T]) -> T:
    """What a reply that comes in one piece says."""
    answer = await send(sending.url, sending.headers, sending.body, target.timeouts, ca_file=target.ca_file)
    if answer.status != 200:
        raise target.refusal(answer.status, answer.headers, answer.body)
    try:
        return read(answer.body)
    except ValueError as error:
        raise UpstreamError("The model endpoint sent something that is not a reply of its kind.") from error


def complete(found: Embeddings, request: EmbedRequest) -> Embeddings:
    """The vectors, if there is one of each text: a missing one would move the others to texts that are not theirs."""
    if len(found.vectors) != len(request.inputs):
        raise UpstreamError("The model endpoint sent another number of vectors than texts were given.")
    return found


async def streamed(prepare: Prepare, target: Target, reader: Reader) -> AsyncGenerator[Chunk, None]:
    """A reply that comes in pieces; the first must come within the limit for the first token."""
    sending = await prepare()
    deadline = asyncio.get_running_loop().time() + target.timeouts.first_byte
    async with stream(sending.url, sending.headers, sending.body, target.timeouts, ca_file=target.ca_file) as reply:
        pieces = reply.chunks()
        if reply.status != 200:
            raise target.refusal(reply.status, reply.headers, await _start(pieces))
        begun = False
        while not reader.finished:
            piece = await (anext(pieces, None) if begun else _first(pieces, deadline))
            if piece is None:
                raise UpstreamError("The model endpoint cut the stream before its end.")
            for chunk in _fed(reader, piece):
                begun = True
                yield chunk
        while (piece := await _last(pieces)) is not None:
            for chunk in _fed(reader, piece):
                yield chunk


def _fed(reader: Reader, piece: bytes) -> Iterable[Chunk]:
    try:
        return reader.feed(piece)
    except ValueError as error:
        raise UpstreamError("The model endpoint sent a stream that cannot be read.") from error


async def _start(pieces: AsyncIterator[bytes]) -> bytes:
    """The start of an error's body, enough to know its code."""
    found = b""
    async for piece in pieces:
        found += piece
        if len(found) >= _LONGEST_ERROR:
            break
    return found


async def _first(pieces: AsyncIterator[bytes], deadline: float) -> bytes | None:
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(pieces, None)
    except TimeoutError as error:
        raise UpstreamTimeout("The model endpoint did not begin its reply in time.") from error


async def _last(pieces: AsyncIterator[bytes]) -> bytes | None:
    """What comes after the message's end (counts, a closing mark); an endpoint that lingers is not waited for."""
    try:
        async with asyncio.timeout(_LAST_BYTES_SECONDS):
            return await anext(pieces, None)
    except TimeoutError:
        return None
