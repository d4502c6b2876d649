"""The rig of ``hl7v2_mllp``: the asyncio MLLP server of the library ``hl7``, which answers with its own ACK."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

from careplane.connectors.hl7v2_mllp import Sender

REQUIRED = ("host", "port")
SECRETS = ()


@dataclass(frozen=True)
class Server:
    """A running server, and the control ids that it was sent."""

    settings: Mapping[str, str]
    got: list[str] = field(default_factory=list)


def message(control: str, name: str = "Smithson") -> bytes:
    """A synthetic message."""
    head = f"MSH|^~\\&|CARE|HUB|LAB|NORTH|20260101120000||ADT^A08^ADT_A01|{control}|P|2.5.1"
    return "\r".join((head, "EVN|A08|20260101120000", f"PID|1||1||{name}^Test", "")).encode()


@contextmanager
def peer(_folder: Path) -> Iterator[Server]:
    loop, ready, got = asyncio.new_event_loop(), threading.Event(), list[str]()
    ports: list[int] = []

    async def answer(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        try:
            while True:
                received = await reader.readmessage()
                got.append(str(received.segment("MSH")[10]))
                if got[-1] == "broken":
                    return
                writer.writemessage(received.create_ack("AE" if got[-1] == "bad" else "AA"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def serve() -> None:
        server = await start_hl7_server(answer, "127.0.0.1", 0, limit=4_000_000, encoding="utf-8")
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        async with server:
            await server.serve_forever()

    def run() -> None:
        asyncio.set_event_loop(loop)
        task = loop.create_task(serve())
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop), return_exceptions=True))
        loop.run_until_complete(asyncio.sleep(0.01))  # what was closed leaves the loop
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield Server({"host": "127.0.0.1", "port": str(ports[0]), "timeout_seconds": "5"}, got)
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join(10)


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    return {"host": host, "port": str(port), "timeout_seconds": "0.3"}


async def call(connector: Sender, words: str) -> object:
    return await connector.send(message("1", words))


async def it_reads_the_answer(connector: Sender, server: Server) -> None:
    accepted = await connector.send(message("id-1"))
    assert accepted is not None
    assert (accepted.code, accepted.control, accepted.accepted) == ("AA", "id-1", True)
    refused = await connector.send(message("bad"))
    assert refused is not None
    assert (refused.code, refused.accepted) == ("AE", False)


async def many_go_over_one_connection_in_order(connector: Sender, server: Server) -> None:
    before = len(server.got)
    await asyncio.gather(*(connector.send(message(f"n{number}")) for number in range(20)))
    assert server.got[before:] == [f"n{number}" for number in range(20)]


async def a_megabyte_arrives_whole(connector: Sender, server: Server) -> None:
    answer = await connector.send(message("long", "N" * 1_048_576))
    assert answer is not None
    assert answer.accepted


async def a_dead_connection_is_replaced(connector: Sender, server: Server) -> None:
    await connector.send(message("id-2"))
    streams = connector._streams
    assert streams is not None
    streams[1].close()
    answer = await connector.send(message("id-3"))
    assert answer is not None
    assert (answer.accepted, server.got[-1]) == (True, "id-3")


BEHAVIOURS = {
    "send_message": (
        it_reads_the_answer,
        many_go_over_one_connection_in_order,
        a_megabyte_arrives_whole,
        a_dead_connection_is_replaced,
    )
}
