"""Providers: the models behind the gateway. One folder per item.

Each item has ``open(settings: Mapping[str, str]) -> Provider``. A provider is one function type: a request in, a stream
of chunks out; a reply that is not streamed is the same stream, joined. Nothing else in the project imports a model SDK.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from careplane.records import Record
from careplane.records.run import Message


class ChatRequest(Record, frozen=True):
    """What reaches a model: surrogates in place of identifiers. ``key`` makes a retry harmless (idempotency)."""

    key: str
    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float


class Chunk(Record, frozen=True):
    """A piece of the reply. The last one has ``finish_reason`` and, where the provider reports it, token counts."""

    text: str = ""
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


Chat = Callable[[ChatRequest], AsyncIterator[Chunk]]
"""One callable per seam: an async generator function of chunks. Closing the iterator cancels the upstream call.

Raises :class:`careplane.errors.UpstreamError` (or ``UpstreamTimeout``) with a message free of prompt text."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider, opened. Prices are USD per million tokens."""

    name: str
    model: str
    chat: Chat
    usd_per_million_input: float = 0.0
    usd_per_million_output: float = 0.0
    label: str = ""
