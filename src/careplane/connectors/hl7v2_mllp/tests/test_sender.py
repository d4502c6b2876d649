"""A sender and listeners that answer late, wrong or not at all."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from careplane.codecs.hl7v2 import Acknowledgement, block
from careplane.connectors.hl7v2_mllp import Sender
from careplane.errors import InputError, UpstreamError, UpstreamTimeout

from .rig import message

ACK = b"MSH|^~\\&|A|B|C|D|2026||ACK|9|P|2.5.1\rMSA|AA|%b\r"
Act = Callable[[Sender], Awaitable[object]]


def answered(answers: list[bytes], act: Act, timeout: float = 2.0) -> tuple[object, int]:
    """What ``act`` gives beside a listener that answers each message with the next of these; and its connections."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.read(65_536):
            answer = answers.pop(0) if answers else b""
            if answer == b"close":
                break
            writer.write(answer)
        writer.close()

    async def session() -> object:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            sender = Sender("127.0.0.1", server.sockets[0].getsockname()[1], timeout=timeout)
            try:
                return await act(sender)
            finally:
                await sender.aclose()

    return asyncio.run(session()), connections


def test_an_answer_to_an_earlier_message_is_passed_over() -> None:
    late = block(ACK % b"old") + block(ACK % b"new")
    assert answered([late], lambda sender: sender.send(message("new")))[0] == Acknowledgement("AA", "new")


def test_an_answer_without_a_control_id_is_taken() -> None:
    assert answered([block(ACK % b"")], lambda sender: sender.send(message("1")))[0] == Acknowledgement("AA", "")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"rubbish\x1c\r", "not an MLLP block"),
        (block(b"rubbish"), "not an acknowledgement"),
        (block(message("1")), "no MSA"),
        (b"\x0bMSH|half", "in time|within"),
    ],
)
def test_an_answer_that_is_none(answer: bytes, told: str) -> None:
    with pytest.raises(UpstreamError, match=told):
        answered([answer], lambda sender: sender.send(message("1")), timeout=0.3)


def test_a_connection_that_dies_is_replaced_once() -> None:
    async def twice(sender: Sender) -> object:
        await sender.send(message("1"))
        return await sender.send(message("2"))

    answers = [block(ACK % b"1"), b"close", block(ACK % b"2")]
    assert answered(answers, twice) == (Acknowledgement("AA", "2"), 2)
    with pytest.raises(UpstreamError, match="send it again"):
        answered([block(ACK % b"1"), b"close", b"close"], twice)
    with pytest.raises(UpstreamError, match="send it again"):
        answered([b"close"], lambda sender: sender.send(message("1")))


def test_no_answer_is_awaited_where_none_is_asked_for() -> None:
    quiet = message("1").replace(b"|2.5.1", b"|2.5.1|||NE|NE")
    assert answered([], lambda sender: sender.send(quiet))[0] is None
    with pytest.raises(UpstreamTimeout):
        answered([], lambda sender: sender.send(message("1")), timeout=0.2)


@pytest.mark.parametrize("data", [b"", b"hello", b"MSH|", message("1") + b"\x1c", message("1") + b"\x0b"])
def test_what_is_no_message_is_not_sent(data: bytes) -> None:
    with pytest.raises(InputError):
        answered([], lambda sender: sender.send(data))
