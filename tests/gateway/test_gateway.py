"""The gateway without HTTP: order of record and reply, time limits, early ends."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from careplane.errors import LedgerError, NotFound, UpstreamError, UpstreamTimeout
from careplane.gateway.routing import Timeouts
from careplane.ledger import open_ledger
from careplane.providers import ChatRequest, Chunk, Provider
from careplane.records.model import ModelReply, ModelRequest

from .conftest import echoing, gateway_of


def asked(text: str, route: str = "default") -> ModelRequest:
    return ModelRequest(
        id="call-1",
        app="an_app",
        route=route,
        body={"messages": [{"role": "user", "content": text}], "max_tokens": 50},
        run="run-1",
    )


def letters(request: ChatRequest) -> Iterator[str]:
    return iter(request.messages[-1].content)


def test_the_record_is_durable_before_the_last_piece(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger")
    gateway = gateway_of({"default": echoing(letters)}, ledger)

    async def run() -> list[tuple[str, list[str]]]:
        return [
            (event.text, [record.kind for record in ledger.records()])
            async for event in gateway.events(asked("Call Dr. Abernathy."))
            if isinstance(event, Chunk)
        ]

    seen = asyncio.run(run())
    assert "".join(piece for piece, _ in seen) == "Call Dr. Abernathy."
    assert seen[0][1] == ["model_stream_started"]
    assert seen[-1][1] == ["model_stream_started", "model_call"]
    assert all(kinds == ["model_stream_started"] for _, kinds in seen[:-1])


def test_usage_is_an_estimate_when_the_provider_reports_none(tmp_path: Path) -> None:
    async def chat(_request: ChatRequest) -> AsyncIterator[Chunk]:
        yield Chunk(text="twelve chars", finish_reason="stop")

    gateway = gateway_of({"default": Provider("p", "m", chat)}, open_ledger(tmp_path / "ledger"))
    usage = asyncio.run(gateway.complete(asked("eight ch"))).call.usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (2, 3, True)


def test_an_early_end_cancels_the_provider_and_is_on_record(tmp_path: Path) -> None:
    closed: list[bool] = []

    async def chat(_request: ChatRequest) -> AsyncIterator[Chunk]:
        try:
            while True:
                yield Chunk(text="more ")
        finally:
            closed.append(True)

    ledger = open_ledger(tmp_path / "ledger")
    gateway = gateway_of({"default": Provider("p", "m", chat)}, ledger)

    async def run() -> None:
        events = gateway.events(asked("x"))
        assert await anext(events) == Chunk(text="more ")
        await events.aclose()
        await gateway.aclose()

    asyncio.run(run())
    assert closed == [True]
    (record,) = ledger.records(kind="model_call")
    assert record.facts["finish"] == "aborted"


def test_a_silent_provider_times_out(tmp_path: Path) -> None:
    async def chat(_request: ChatRequest) -> AsyncIterator[Chunk]:
        await asyncio.Event().wait()
        yield Chunk()

    ledger = open_ledger(tmp_path / "ledger")
    gateway = gateway_of({"default": Provider("p", "m", chat)}, ledger, timeouts=Timeouts(total=0.05))
    with pytest.raises(UpstreamTimeout):
        asyncio.run(gateway.complete(asked("x")))
    assert [record.kind for record in ledger.records()] == ["model_error"]


def test_a_failing_provider_is_on_record_without_text(tmp_path: Path) -> None:
    async def chat(_request: ChatRequest) -> AsyncIterator[Chunk]:
        yield Chunk(text="a")
        raise UpstreamError("The model endpoint answered HTTP 500.")

    ledger = open_ledger(tmp_path / "ledger")
    gateway = gateway_of({"default": Provider("p", "m", chat)}, ledger)
    with pytest.raises(UpstreamError):
        asyncio.run(gateway.complete(asked("x")))
    assert [record.kind for record in ledger.records()] == ["model_error"]


def test_a_reply_without_a_record_does_not_leave(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger")
    gateway = gateway_of({"default": echoing(letters)}, ledger)
    for path in (tmp_path / "ledger").iterdir():
        path.unlink()
    (tmp_path / "ledger").rmdir()
    with pytest.raises(LedgerError):
        asyncio.run(gateway.complete(asked("x")))


def test_while_the_ledger_fails_nothing_more_goes_to_a_model(tmp_path: Path) -> None:
    """A copy that left without a record would be a disclosure that nobody can account for."""
    sent: list[str] = []

    def heard(request: ChatRequest) -> Iterator[str]:
        sent.append(request.messages[-1].content)
        return iter("ok")

    folder, away = tmp_path / "ledger", tmp_path / "away"
    ledger = open_ledger(folder)
    gateway = gateway_of({"default": echoing(heard)}, ledger)

    async def run() -> None:
        await gateway.complete(asked("first"))
        folder.rename(away)
        for text in ("while it is noticed", "never", "never"):
            with pytest.raises(LedgerError):
                await gateway.complete(asked(text))
        away.rename(folder)
        await gateway.complete(asked("after"))
        await gateway.complete(asked("after"))

    asyncio.run(run())
    assert sent == ["first", "while it is noticed", "after", "after"]
    kinds = [record.kind for record in ledger.records()]
    assert kinds == ["model_call", "model_stream_started", "model_call", "model_call"]


def test_an_unknown_route_names_the_known_ones(tmp_path: Path) -> None:
    gateway = gateway_of({"default": echoing(letters)}, open_ledger(tmp_path / "ledger"))
    with pytest.raises(NotFound, match="default"):
        asyncio.run(gateway.complete(asked("x", route="nope")))


def test_stream_gives_text_only(tmp_path: Path) -> None:
    gateway = gateway_of({"default": echoing(letters)}, open_ledger(tmp_path / "ledger"))

    async def run() -> list[str | ModelReply]:
        return [piece async for piece in gateway.stream(asked("Ask Dr. Abernathy"))]

    assert "".join(map(str, asyncio.run(run()))) == "Ask Dr. Abernathy"
