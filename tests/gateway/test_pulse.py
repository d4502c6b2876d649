"""A stream that is silent for long shows signs of life, and only then."""

import asyncio
from collections.abc import Mapping

from careplane.codecs.dialect import Asked
from careplane.codecs.openai_chat import CHAT
from careplane.gateway.pulse import Pulse

ALIVE = b": keep-alive\n\n"


class Recorded:
    """An exchange that keeps what is written, and takes as long for it as ``slow`` says."""

    method, path, body, too_large = "POST", "/", b"", False
    headers: Mapping[str, str] = {}

    def __init__(self, slow: float = 0.0) -> None:
        self.slow = slow
        self.written: list[bytes] = []

    async def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None: ...

    async def begin(self, status: int, headers: Mapping[str, str]) -> None: ...

    async def write(self, piece: bytes) -> None:
        await asyncio.sleep(self.slow)
        self.written.append(piece)

    async def end(self) -> None: ...


def pulse(exchange: Recorded, seconds: float) -> Pulse:
    return Pulse(exchange, CHAT.stream("i", "m", 1, Asked(model="m", body={})), seconds)


def test_silence_is_broken_until_the_end() -> None:
    async def silent() -> Recorded:
        exchange = Recorded()
        own = pulse(exchange, 0.01)
        await own.write(b"a")
        while exchange.written.count(ALIVE) < 3:
            await asyncio.sleep(0.005)
        await own.write(b"b")
        own.end()
        count = len(exchange.written)
        await asyncio.sleep(0.05)
        assert len(exchange.written) == count
        return exchange

    exchange = asyncio.run(asyncio.wait_for(silent(), 10))
    assert exchange.written[0] == b"a"
    assert exchange.written[-1] == b"b"


def test_a_client_that_reads_slowly_gets_no_pile_of_signs() -> None:
    async def slow() -> Recorded:
        exchange = Recorded(slow=0.1)
        own = pulse(exchange, 0.01)
        await own.write(b"a")
        own.end()
        return exchange

    assert asyncio.run(slow()).written == [b"a"]


def test_pieces_never_overlap_a_sign() -> None:
    async def mixed() -> list[bytes]:
        exchange = Recorded(slow=0.02)
        own = pulse(exchange, 0.01)
        for _ in range(5):
            await asyncio.sleep(0.015)
            await own.write(b"a")
        own.end()
        return exchange.written

    assert asyncio.run(mixed()).count(b"a") == 5
