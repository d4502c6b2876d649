"""Tokens and money of one call: the provider's own counts, else an estimate that says it is one."""

from careplane.gateway.prices import cost
from careplane.providers import Chunk
from careplane.records.model import Price, Usage

CHARACTERS_PER_TOKEN = 4
"""The usual rule of thumb for English prose."""


class Meter:
    """Counts while a reply streams past. ``price`` may change until the first chunk: another model may answer.

    Args:
        characters: how many were sent.
        price: of the model; ``None`` when it is not known: then the cost is not measured.
    """

    def __init__(self, characters: int, price: Price | None) -> None:
        self.price = price
        self._sent = characters
        self._received = 0
        self._input: int | None = None
        self._output: int | None = None
        self._cached = 0

    def see(self, chunk: Chunk) -> None:
        """Take one chunk into account."""
        self._received += len(chunk.text) + len(chunk.reasoning) + len(chunk.refusal)
        for call in chunk.tool_calls:
            self._received += len(call.arguments) + len(call.name or "")
        if chunk.input_tokens is not None:
            self._input = chunk.input_tokens
        if chunk.output_tokens is not None:
            self._output = chunk.output_tokens
        if chunk.cached_tokens is not None:
            self._cached = chunk.cached_tokens

    @property
    def usage(self) -> Usage:
        """Tokens and cost so far."""
        read = _tokens(self._sent) if self._input is None else self._input
        written = _tokens(self._received) if self._output is None else self._output
        return Usage(
            input_tokens=read,
            output_tokens=written,
            cost_usd=None if self.price is None else cost(self.price, read, written, self._cached),
            estimated=self._input is None or self._output is None,
            cached_tokens=self._cached,
        )


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)
