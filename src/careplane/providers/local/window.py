"""Cutting a prompt to the window of a small model: the system message stays, the user's text keeps its head."""

from collections.abc import Sequence

from careplane.records.model import Message

CONTEXT_TOKENS = 4096
_CHARACTERS_PER_TOKEN = 2.5
"""Careful: English prose has about 4, tables and codes fewer."""


def fit(messages: Sequence[Message], max_tokens: int) -> tuple[tuple[Message, ...], int]:
    """The messages that fit beside a reply of ``max_tokens``, and how many characters were cut."""
    reply = min(max_tokens, CONTEXT_TOKENS // 4)
    room = int((CONTEXT_TOKENS - reply) * _CHARACTERS_PER_TOKEN)
    fixed = sum(len(message.content) for message in messages if message.role == "system")
    left = max(0, room - fixed)
    kept: list[Message] = []
    cut = 0
    for message in messages:
        allowed = room if message.role == "system" else left
        content = message.content[:allowed]
        cut += len(message.content) - len(content)
        if message.role != "system":
            left -= len(content)
        kept.append(Message(role=message.role, content=content))
    return tuple(kept), cut
