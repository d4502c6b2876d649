"""Tokens and money of one call: the provider's own counts, else an estimate that says it is one."""

from collections.abc import Sequence

from careplane.providers import Chunk, Provider
from careplane.records.model import Message, Price, Usage

CHARACTERS_PER_TOKEN = 4
"""The usual rule of thumb for English prose."""


class Meter:
    """Counts while a reply streams past."""

    def __init__(self, provider: Provider, messages: Sequence[Message]) -> None:
        self._provider = provider
        self._sent = sum(len(message.content) for message in messages)
        self._received = 0
        self._input: int | None = None
        self._output: int | None = None
        self.finish_reason = "stop"

    def see(self, chunk: Chunk) -> None:
        """Take one chunk into account."""
        self._received += len(chunk.text)
        self._input = self._input if chunk.input_tokens is None else chunk.input_tokens
        self._output = self._output if chunk.output_tokens is None else chunk.output_tokens
        self.finish_reason = chunk.finish_reason or self.finish_reason

    @property
    def usage(self) -> Usage:
        """Tokens and cost so far."""
        estimated = self._input is None or self._output is None
        read = _tokens(self._sent) if self._input is None else self._input
        written = _tokens(self._received) if self._output is None else self._output
        price = self._provider.price or Price()
        usd = read * price.input + written * price.output
        return Usage(input_tokens=read, output_tokens=written, cost_usd=usd / 1e6, estimated=estimated)


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)
