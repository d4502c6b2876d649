"""MLLP peers of Python: the clients of ``hl7``, and the server of ``hl7apy``."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import hl7
from hl7.client import MLLPClient
from hl7.mllp import open_hl7_connection
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

from careplane.codecs.hl7v2 import block
from careplane.connectors import hl7v2_mllp

from .senders import discharge, listening


def test_the_blocking_client_of_hl7(home: Path) -> None:
    with listening(home) as line, MLLPClient("127.0.0.1", line.port) as client:
        for control in ("1", "2"):
            answer = hl7.parse(client.send_message(discharge(control)).strip(b"\x0b\x1c\r").decode())
            assert [str(answer.segment("MSA")[number]) for number in (1, 2)] == ["AA", control]


def test_the_asyncio_client_of_hl7(home: Path) -> None:
    async def talk(port: int) -> list[str]:
        reader, writer = await open_hl7_connection("127.0.0.1", port, encoding="utf-8")
        for control in ("1", "2", "3"):
            writer.writemessage(hl7.parse(discharge(control).decode()))
        answers = [await reader.readmessage() for _ in range(3)]
        writer.close()
        await writer.wait_closed()
        return [f"{answer.segment('MSA')[1]} {answer.segment('MSA')[2]}" for answer in answers]

    with listening(home) as line:
        assert asyncio.run(talk(line.port)) == ["AA 1", "AA 2", "AA 3"]


def test_hl7apy_reads_our_answers(home: Path) -> None:
    with listening(home) as line:
        taken, refused = line.exchange(block(discharge()) + block(discharge().replace(b"PID|", b"pid|")), answers=2)
    assert parse_message(taken).msa.msa_1.value == "AA"
    found = parse_message(refused)
    assert (found.msa.msa_1.value, found.err.err_3.err_3_1.value) == ("AE", "100")


class Accepting(AbstractHandler):  # type: ignore[misc]
    """Answers AA."""

    def reply(self) -> str:
        control = parse_message(self.incoming_message).msh.msh_10.value
        ack = f"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.5.1\rMSA|AA|{control}\r"
        return f"\x0b{ack}\x1c\r"


def test_our_sender_and_the_server_of_hl7apy() -> None:
    server: Any = MLLPServer("127.0.0.1", 0, {"ADT^A03^ADT_A03": (Accepting,)})
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    async def talk() -> list[str]:
        settings = {"host": "127.0.0.1", "port": str(server.server_address[1]), "timeout_seconds": "10"}
        sender = hl7v2_mllp.open(settings)
        try:
            answers = [await sender.send(discharge(control)) for control in ("1", "2")]
        finally:
            await sender.aclose()
        return [f"{answer.code} {answer.control}" for answer in answers if answer is not None]

    try:
        assert asyncio.run(talk()) == ["AA 1", "AA 2"]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
