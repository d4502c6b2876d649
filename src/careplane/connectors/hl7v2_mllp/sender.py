"""The sending end: one connection that stays open, one message at a time, its answer awaited."""

import asyncio
import contextlib
import ssl

from careplane.codecs.hl7v2 import Acknowledgement, Block, Blocks, Segment, block, header_of, read_answer
from careplane.errors import InputError, MessageError, UpstreamError, UpstreamTimeout

_CHUNK = 65_536
_WAY_OUT = "Check host, port and TLS, and whether the listener is up."
_UNKNOWN = "Whether the message was taken is not known: send it again."


class Sender:
    """Sends messages to one listener.

    A message that was not answered is sent once more, on a new connection, when the old one turns out to be dead: HL7
    knows a message by its control id, so a receiver tells a repeat. Errors name no content of a message.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None, timeout: float = 30.0) -> None:
        """``timeout`` in seconds is for connecting and for each answer."""
        self._host, self._port, self._tls, self._timeout = host, port, tls, timeout
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def send(self, message: bytes) -> Acknowledgement | None:
        """Send a message whose segments end with CR, and return its (first) answer.

        ``None`` for a message that asks for no answer by its MSH-15 and MSH-16.

        Raises:
            InputError: it has no MSH that can be read, or bytes that end a block.
            UpstreamTimeout: no answer in time; whether the message was taken is not known.
            UpstreamError: no connection, or an answer that is none.
        """
        header = header_of(message)
        if header is None or b"\x0b" in message or b"\x1c" in message:
            raise InputError("a message begins with MSH and holds neither 0x0B nor 0x1C")
        async with self._turn:
            fresh = self._streams is None
            for last in (fresh, True):
                try:
                    return await self._exchange(message, header)
                except (ConnectionError, EOFError, ssl.SSLError) as error:
                    await self._drop()
                    if last:
                        raise _lost(error) from error
        raise AssertionError("the loop returns or raises")

    async def aclose(self) -> None:
        """Close the connection."""
        await self._drop()

    async def _exchange(self, message: bytes, header: Segment) -> Acknowledgement | None:
        reader, writer = await self._connected()
        awaited = _is_answered(header.text(15), header.text(16))
        try:
            async with asyncio.timeout(self._timeout):
                writer.write(block(message))
                await writer.drain()
                return await self._answer(reader, header.text(10)) if awaited else None
        except TimeoutError as error:
            await self._drop()
            raise UpstreamTimeout(f"No answer within {self._timeout:g} s. {_UNKNOWN}") from error
        except UpstreamError:
            await self._drop()
            raise

    async def _answer(self, reader: asyncio.StreamReader, control: str) -> Acknowledgement:
        """The answer to this message; one to an earlier message that came too late is passed over."""
        blocks = Blocks()
        while True:
            chunk = await reader.read(_CHUNK)
            rest = blocks.ended() if not chunk else None
            for found in [rest] if rest else blocks.feed(chunk):
                answer = _read(found)
                if answer.control in (control, ""):
                    return answer
            if not chunk:
                raise EOFError

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            try:
                async with asyncio.timeout(self._timeout):
                    name = self._host if self._tls else None
                    opened = asyncio.open_connection(self._host, self._port, ssl=self._tls, server_hostname=name)
                    self._streams = await opened
            except TimeoutError as error:
                raise UpstreamTimeout(f"No connection to {self._host}:{self._port} in time. {_WAY_OUT}") from error
            except ssl.SSLError as error:
                told = error.reason or "handshake failed"
                raise UpstreamError(f"No TLS with {self._host}:{self._port} ({told}). {_WAY_OUT}") from error
            except OSError as error:
                raise UpstreamError(f"No connection to {self._host}:{self._port}. {_WAY_OUT}") from error
        return self._streams

    async def _drop(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(streams[1].wait_closed(), 1.0)


def _is_answered(accept: str, application: str) -> bool:
    """Whether anything comes back in any case; ``SU`` and ``ER`` may stay silent, but are waited for."""
    return not (accept or application) or any(wish not in ("", "NE") for wish in (accept, application))


def _read(found: Block) -> Acknowledgement:
    if found.broken:
        raise UpstreamError(f"The answer is not an MLLP block: {found.broken}. {_WAY_OUT}")
    try:
        return read_answer(found.data)
    except MessageError as error:
        raise UpstreamError(f"The answer is not an acknowledgement: {error.message}.") from error


def _lost(error: Exception) -> UpstreamError:
    kind = "was closed" if isinstance(error, EOFError) else "broke"
    return UpstreamError(f"The connection {kind} before the answer came. {_UNKNOWN}")
