"""What the wire formats of the gateway cost: reading a request, writing a reply, one chunk of a stream, one event read.

Run ``python bench/dialects.py``. Body and reply are as in the gateway's benchmark: about 2 kB in, 400 tokens out; the
second body carries a chart of 30 people and a tool. ``orjson`` decoding and encoding the same body is the floor.
"""

import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from _machine import record
from careplane.codecs.anthropic_messages import MESSAGES
from careplane.codecs.dialect import Dialect
from careplane.codecs.openai_chat import CHAT
from careplane.codecs.responses import RESPONSES
from careplane.codecs.sse import EventParser
from careplane.records.model import Chunk, ModelCall, ModelReply, Usage

TURNS = [{"role": "user", "content": "word " * 400}]
BODIES: dict[str, tuple[Dialect, dict[str, Any]]] = {
    "chat": (CHAT, {"messages": [{"role": "system", "content": "Be brief."}, *TURNS], "max_tokens": 400}),
    "responses": (RESPONSES, {"input": TURNS, "instructions": "Be brief.", "max_output_tokens": 400}),
    "messages": (MESSAGES, {"messages": TURNS, "system": "Be brief.", "max_tokens": 400}),
}
PERSON = {"resourceType": "Patient", "id": "1", "name": [{"family": "Roe", "given": ["Jane"]}]}
CHART = {"context": {"resourceType": "Bundle", "entry": [{"resource": PERSON}] * 30}}
TOOL = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
USAGE = Usage(input_tokens=500, output_tokens=400, cost_usd=0.0)
CALL = ModelCall(
    id="c",
    route="r",
    provider="p",
    model="m",
    usage=USAGE,
    latency_ms=1.0,
    surrogates=0,
    at=datetime(2026, 1, 1, tzinfo=UTC),
)


def main() -> None:
    """Measure every dialect and record it."""
    results: dict[str, Any] = {name: dialect_costs(dialect, body) for name, (dialect, body) in BODIES.items()}
    results["chat"]["read_with_chart_and_tool_us"] = chart_costs()
    data = orjson.dumps({"model": "m", **BODIES["chat"][1]})
    results["floor"] = {"orjson_loads_dumps_us": best(lambda: orjson.dumps(orjson.loads(data)))}
    event, parser = CHAT.stream("i", "m", 1, CHAT.read(data)).chunk(Chunk(text="word ")), EventParser()
    parser.feed(event)
    results["events"] = {"feed_one_us": best(lambda: parser.feed(event))}
    record("dialects", results)


def dialect_costs(dialect: Dialect, body: dict[str, Any]) -> dict[str, float]:
    """Microseconds for each thing that a dialect does."""
    data = orjson.dumps({"model": "m", "temperature": 0.2, "stream": False, **body})
    asked = dialect.read(data)
    reply, chunk = ModelReply(text="word " * 400, call=CALL), Chunk(text="word ")
    encoder = dialect.stream("i", "m", 1, asked)
    encoder.start()
    encoder.chunk(chunk)
    return {
        "read_us": best(lambda: dialect.read(data)),
        "whole_us": best(lambda: dialect.whole("i", "m", 1, asked, reply)),
        "chunk_us": best(lambda: encoder.chunk(chunk)),
    }


def chart_costs() -> float:
    """Microseconds to read a body with a chart of 30 people and a tool."""
    tools = [{"type": "function", "function": TOOL}]
    data = orjson.dumps({"model": "m", **BODIES["chat"][1], "tools": tools, "careplane": CHART})
    return best(lambda: CHAT.read(data))


def best(call: Callable[[], object], number: int = 300) -> float:
    """The best of a hundred means, in microseconds: other work on the machine only adds."""
    return round(min(timeit.repeat(call, number=number, repeat=100)) / number * 1e6, 2)


if __name__ == "__main__":
    main()
