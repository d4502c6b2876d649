"""A stand-in for a model's provider: OpenAI's chat completions, cheap enough not to be what is measured.

``python bench/_upstream.py --port 9100 [--delay-ms 50] [--chunks 50 --interval-ms 20] [--echo]``

A whole reply has 400 words after ``--delay-ms``. A body that asks for a stream gets ``--chunks`` events, the first
after ``--delay-ms``, then one each ``--interval-ms``. With ``--echo`` the reply is the last message sent, in one piece
or in events of 16 characters, so that a reply shows whose request it answers. ``GET /status`` tells how
many requests came, as nginx's ``stub_status`` does. Bodies need a Content-Length; connections are kept alive.
"""

import argparse
import asyncio
import importlib
import importlib.util
import json
import re
from dataclasses import dataclass
from typing import Any

WORDS = "The patient was seen in clinic today for follow up of type two diabetes with stable readings at home ."
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
STREAM = re.compile(rb'"stream": *true')
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Behaviour:
    """How it answers; times in seconds."""

    delay: float = 0.0
    chunks: int = 50
    interval: float = 0.0
    echo: bool = False


def reply_text(tokens: int = 400) -> str:
    """The whole reply, one word a token."""
    words = WORDS.split()
    return " ".join((words * (tokens // len(words) + 1))[:tokens])


def completion(text: str) -> bytes:
    """A chat completion with this text."""
    return json.dumps(
        {
            "id": "chatcmpl-upstream",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "mock",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"},
            ],
            "usage": {"prompt_tokens": 450, "completion_tokens": 400, "total_tokens": 850},
        }
    ).encode()


def event(delta: dict[str, str], finish: str | None = None) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-upstream", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "mock"}
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"


def framed(data: bytes) -> bytes:
    """One chunk of HTTP's chunked encoding."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class Upstream(asyncio.Protocol):
    """One connection; requests on it are answered one after the other."""

    answered = 0
    whole = completion(reply_text())

    def __init__(self, behaviour: Behaviour) -> None:
        self._as = behaviour
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._out: Any = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            found = LENGTH.search(head)
            stop = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < stop:
                return
            body, self._buffer = self._buffer[end + 4 : stop], self._buffer[stop:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET"):
            told = b"server accepts handled requests\n 0 0 %d \n" % Upstream.answered
            self._out.write(HEAD % (len(told), told))
            return
        Upstream.answered += 1
        echo = json.loads(body)["messages"][-1]["content"] if self._as.echo else None
        if STREAM.search(body):
            asyncio.get_running_loop().call_later(self._as.delay, self._stream, self._events(echo))
            return
        said = self.whole if echo is None else completion(echo)
        if self._as.delay:
            asyncio.get_running_loop().call_later(self._as.delay, self._out.write, HEAD % (len(said), said))
        else:
            self._out.write(HEAD % (len(said), said))

    def _events(self, echo: str | None) -> list[bytes]:
        """The pieces to send, last first."""
        if echo is None:
            parts = [f"{word} " for word in reply_text(self._as.chunks).split()]
        else:
            parts = [echo[at : at + 16] for at in range(0, len(echo), 16)]
        pieces = [SSE + framed(event({"role": "assistant", "content": parts[0]}))]
        pieces += [framed(event({"content": part})) for part in parts[1:]]
        pieces.append(framed(event({}, "stop") + b"data: [DONE]\n\n") + b"0\r\n\r\n")
        return pieces[::-1]

    def _stream(self, pieces: list[bytes]) -> None:
        if not self._as.interval:
            self._out.write(b"".join(reversed(pieces)))
            return
        self._out.write(pieces.pop())
        if pieces and not self._out.is_closing():
            asyncio.get_running_loop().call_later(self._as.interval, self._stream, pieces)


async def serve(port: int, behaviour: Behaviour) -> None:
    """Listen on loopback until stopped."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Upstream(behaviour), "127.0.0.1", port, backlog=2048
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=0)
    parser.add_argument("--chunks", type=int, default=50)
    parser.add_argument("--interval-ms", type=float, default=0)
    parser.add_argument("--echo", action="store_true")
    given = parser.parse_args()
    behaviour = Behaviour(given.delay_ms / 1000, given.chunks, given.interval_ms / 1000, given.echo)
    faster = importlib.import_module("uvloop").run if importlib.util.find_spec("uvloop") else asyncio.run
    faster(serve(given.port, behaviour))


if __name__ == "__main__":
    main()
