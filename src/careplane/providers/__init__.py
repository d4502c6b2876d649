"""Providers: the models behind the gateway. One folder per item.

Each item has ``open(settings: Mapping[str, str]) -> Provider``. A provider is one function type: a request in, a stream
of chunks out; a reply that is not streamed is the same stream, joined. Nothing else in the project imports a model SDK.
The values are those of :mod:`careplane.records.model`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from careplane.records.model import ChatRequest, Chunk, Embeddings, EmbedRequest, Price, ToolDelta

Chat = Callable[[ChatRequest], AsyncIterator[Chunk]]
"""One callable per seam: an async generator function of chunks. Closing the iterator cancels the upstream call.

Raises :class:`careplane.errors.UpstreamError` (or one of its kinds) with a message free of prompt text, and free of
anything that the upstream wrote."""

Embed = Callable[[EmbedRequest], Awaitable[Embeddings]]
"""Texts in, one vector each out; errors as for :data:`Chat`."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider, opened.

    ``model`` is what it is asked for when a route names none; ``price`` overrides the price file.
    """

    name: str
    model: str
    chat: Chat
    embed: Embed | None = None
    price: Price | None = None
    label: str = ""


__all__ = ["Chat", "ChatRequest", "Chunk", "Embed", "EmbedRequest", "Embeddings", "Price", "Provider", "ToolDelta"]
