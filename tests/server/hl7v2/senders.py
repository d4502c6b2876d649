"""Synthetic messages, and a listening port as a sender sees it."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from careplane.codecs.hl7v2 import Blocks, block, read_answer
from careplane.connectors.hl7v2_mllp import Limits, Listener
from careplane.server.binding import bind
from careplane.server.hl7v2_intake import Intake
from careplane.store.hl7v2_inbox import Hl7v2Inbox, open_inbox

WAIT_SECONDS = 20.0


def message(control: str, *segments: str, kind: str = "ADT^A03^ADT_A03", tail: str = "") -> bytes:
    head = f"MSH|^~\\&|ADT|NORTH|CARE|HUB|20260101120000||{kind}|{control}|P|2.5.1{tail}"
    return ("\r".join((head, *segments)) + "\r").encode()


def segment(name: str, fields: dict[int, str]) -> str:
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def discharge(control: str = "c1", number: str = "777", name: str = "Quill^Ana", attending: str = "") -> bytes:
    visit = {2: "I", 3: "WARD-A^12^1", 7: attending, 19: "V900^^^NORTH^VN", 44: "20251228080000", 45: "20260101115500"}
    return message(
        control,
        "EVN|A03|20260101115500",
        f"PID|1||{number}^^^NORTH^MR||{name}||19610402|F",
        segment("PV1", visit),
        "DG1|1||J18.9^Pneumonia^I10",
    )


class Line:
    """A listening port, and the inbox behind it."""

    def __init__(self, inbox: Hl7v2Inbox, port: int) -> None:
        self.inbox, self.port = inbox, port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_SECONDS)

    def exchange(self, *chunks: bytes, answers: int = 1) -> list[str]:
        """Send bytes as they are over a connection of its own, and return the answers."""
        with self.connect() as connection:
            for chunk in chunks:
                connection.sendall(chunk)
            return receive(connection, answers)

    def codes(self, *messages: bytes) -> list[str]:
        return [read_answer(one.encode()).code for one in self.exchange(*map(block, messages), answers=len(messages))]

    def settled(self) -> None:
        """Wait until nothing waits."""
        end = datetime.now(UTC) + timedelta(seconds=WAIT_SECONDS)
        while self.inbox.counts().get("received"):
            assert datetime.now(UTC) < end, self.inbox.newest()
            time.sleep(0.02)


def receive(connection: socket.socket, count: int) -> list[str]:
    blocks, found = Blocks(), list[str]()
    while len(found) < count:
        chunk = connection.recv(65_536)
        assert chunk, f"closed after {len(found)} answers: {found}"
        for one in blocks.feed(chunk):
            assert not one.broken
            found.append(one.data.decode())
    return found


def asked(connection: socket.socket, data: bytes) -> str:
    connection.sendall(block(data))
    return receive(connection, 1)[0]


@contextmanager
def listening(home: Path, limits: Limits | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Line]:
    """A listener with its inbox, without anything behind it."""
    inbox, sock = open_inbox(home), bind("127.0.0.1", 0)
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        listener = Listener(Intake(inbox, partial(datetime.now, UTC)).answer, limits)
        await listener.start(sock, tls)
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.01)
        await listener.stop()

    thread = threading.Thread(target=partial(asyncio.run, serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield Line(inbox, sock.getsockname()[1])
    finally:
        stop.set()
        thread.join(20)
        inbox.close()
