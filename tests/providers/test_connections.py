"""Connections are kept and shared, and never is a reply empty or another's: each request carries a word of its own."""

import asyncio
import gc
import random
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from careplane.errors import UpstreamError
from careplane.providers import Chunk, _upstream

from .conftest import Line
from .shelf import request, text
from .test_contract import collect
from .upstream import CLOSE, HANG, Asked, Http, Step, head, well_behaved

T = TypeVar("T")
streamed = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
pytestmark = pytest.mark.parametrize("run_in", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
RunIn = Callable[[Coroutine[Any, Any, T]], T]


def echo(asked: Asked) -> list[Chunk]:
    """The last turn comes back, in pieces of seven characters."""
    said = asked["turns"][-1][1]
    return [*(Chunk(text=said[at : at + 7]) for at in range(0, len(said), 7)), Chunk(finish_reason="stop")]


def canary(n: int) -> str:
    """A word that no other request has, of a length of its own."""
    return f"canary-{n}-{random.Random(n).getrandbits(64):x} " + "z" * (n * 37 % 900)


def canaries(run_in: RunIn[list[tuple[str, str]]], line: Line, count: int, at_once: int) -> list[tuple[str, str]]:
    """What was asked and what came back, ``at_once`` at a time, streams and whole replies mixed."""

    async def run() -> list[tuple[str, str]]:
        gate = asyncio.Semaphore(at_once)

        async def one(n: int) -> tuple[str, str]:
            async with gate:
                word = canary(n)
                asked = request(messages=[{"role": "user", "content": word}], stream=n % 3 > 0)
                return word, text(await collect(line.provider, asked))

        return await asyncio.gather(*(one(n) for n in range(count)))

    return run_in(run())


def test_no_reply_is_crossed_or_empty(run_in: RunIn[Any], line: Line) -> None:
    line.endpoint.answer = echo
    found = canaries(run_in, line, 300, 16)
    assert [word for word, said in found if word != said] == []
    assert line.endpoint.connections <= 16 * 3


@streamed
def test_a_connection_is_used_again(run_in: RunIn[Any], line: Line, stream: bool) -> None:
    async def run() -> None:
        for _ in range(5):
            assert await collect(line.provider, request(stream=stream))

    run_in(run())
    assert len(line.endpoint.raw) == 5
    assert line.endpoint.connections == 1


def test_callers_that_give_up_leave_nothing_behind_for_others(run_in: RunIn[Any], line: Line) -> None:
    line.endpoint.answer = echo

    async def run() -> list[tuple[str, str]]:
        async def one(n: int) -> tuple[str, str]:
            word = canary(n)
            chunks = line.provider.chat(request(messages=[{"role": "user", "content": word}]))
            assert isinstance(chunks, AsyncGenerator)
            if n % 2:
                await anext(chunks)
                await chunks.aclose()
                return word, word
            return word, text([chunk async for chunk in chunks])

        return [await one(n) for n in range(40)] + list(await asyncio.gather(*(one(n) for n in range(40, 80))))

    assert [word for word, said in run_in(run()) if word != said] == []


def test_a_cancelled_caller_closes_the_connection(run_in: RunIn[Any], line: Line) -> None:
    line.endpoint.manner = lambda http: [head(http, "transfer-encoding: chunked"), HANG]

    async def run() -> None:
        task = asyncio.create_task(collect(line.provider, request()))
        while not line.endpoint.raw:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.to_thread(line.endpoint.gone.wait, 10)

    run_in(run())
    assert line.endpoint.gone.is_set()


def test_closing_early_closes_the_connection(run_in: RunIn[Any], line: Line) -> None:
    line.endpoint.answer = lambda _: [*(Chunk(text=f"{n} ") for n in range(9)), Chunk(finish_reason="stop")]
    line.endpoint.manner = lambda http: [*well_behaved(http)[:6], HANG]

    async def run() -> None:
        chunks = line.provider.chat(request())
        assert isinstance(chunks, AsyncGenerator)
        while not (await anext(chunks)).text:
            pass
        await chunks.aclose()
        await asyncio.to_thread(line.endpoint.gone.wait, 10)

    run_in(run())
    assert line.endpoint.gone.is_set()


@streamed
def test_a_second_reply_on_the_heels_of_the_first_meets_nobody(run_in: RunIn[Any], line: Line, stream: bool) -> None:
    """Response splitting: what follows a reply on its connection must not answer the next request."""
    line.endpoint.answer = echo
    first = True

    def doubled(http: Http) -> list[Step]:
        nonlocal first
        steps = well_behaved(http)
        if not first:
            return steps
        first = False
        return [b"".join(step for step in steps * 2 if isinstance(step, bytes))]

    line.endpoint.manner = doubled

    async def run() -> list[str]:
        said = []
        for word in ("one-word", "another-word", "third-word"):
            try:
                asked = request(messages=[{"role": "user", "content": word}], stream=stream)
                said.append(text(await collect(line.provider, asked)))
            except UpstreamError:
                said.append("refused")
        return said

    first_said, *others = run_in(run())
    assert first_said in ("one-word", "refused")
    assert others == ["another-word", "third-word"]


def test_a_connection_that_the_endpoint_closed_meanwhile_is_not_used(run_in: RunIn[Any], line: Line) -> None:
    line.endpoint.answer = echo
    line.endpoint.manner = lambda http: [*well_behaved(http), CLOSE]

    async def run() -> list[str]:
        said = []
        for n in range(3):
            asked = request(messages=[{"role": "user", "content": f"word-{n}"}])
            said.append(text(await collect(line.provider, asked)))
            await asyncio.sleep(0.05)
        return said

    assert run_in(run()) == ["word-0", "word-1", "word-2"]


def descriptors() -> int:
    """How many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_loop_that_ended_leaves_nothing_behind(run_in: RunIn[Any], line: Line) -> None:
    async def once() -> None:
        await collect(line.provider, request())

    run_in(once())
    gc.collect()
    before = len(_upstream._pools), descriptors()
    for _ in range(5):
        run_in(once())
    gc.collect()
    assert len(_upstream._pools) <= before[0]
    assert descriptors() <= before[1] + 2  # the endpoint's side may still be closing
