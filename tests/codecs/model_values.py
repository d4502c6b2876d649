"""Replies for the tests of the dialects."""

from datetime import UTC, datetime
from typing import Any

from careplane.records.model import ModelCall, ModelReply, Usage

USAGE = Usage(input_tokens=11, output_tokens=7, cost_usd=0.0, cached_tokens=4)


def reply(text: str = "", usage: Usage = USAGE, **rest: Any) -> ModelReply:
    """A reply as the gateway gives it to a dialect."""
    call = ModelCall(
        id="call-1",
        route="fast",
        provider="scripted",
        model="scripted-1",
        usage=usage,
        latency_ms=1.0,
        surrogates=0,
        at=datetime(2026, 3, 2, tzinfo=UTC),
    )
    return ModelReply(text=text, call=call, **rest)
