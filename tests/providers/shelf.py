"""The items of the shelf as the contract suite sees them. A new item needs its folder only: ``tests/wire.py`` in it."""

import importlib
from typing import cast

import pytest

from careplane import _shelf
from careplane.records.model import ChatRequest, Chunk, EmbedRequest

from .upstream import Wire

INSIDE = ("local", "scripted")
"""Items without an endpoint: their ``tests/wire.py`` holds gaps only."""

ITEMS = tuple(_shelf.items("providers"))
REMOTE = tuple(name for name in ITEMS if name not in INSIDE)


def wire(name: str) -> Wire:
    """How an item's provider speaks."""
    return cast(Wire, importlib.import_module(f"careplane.providers.{name}.tests.wire"))


def marked(name: str, *more: object) -> object:
    """The parameters of a test for one item; the local model takes its time."""
    return pytest.param(name, *more, marks=[pytest.mark.slow] if name == "local" else [])


def request(text: str = "Please refill my lisinopril.", *, stream: bool = True, **body: object) -> ChatRequest:
    """A request as Careplane's apps make it; further keywords go into the canonical body."""
    system = "TASK: draft_reply\nYou draft replies."
    user = f"<message>{text}</message>\n<sources>\n[1] MedicationRequest: lisinopril 10 mg daily\n</sources>"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return ChatRequest(key="k-1", model="", body={"messages": messages, "max_tokens": 200} | body, stream=stream)


def embed_request(*inputs: str, dimensions: int | None = None) -> EmbedRequest:
    """A request for vectors."""
    return EmbedRequest(key="k-2", model="", inputs=inputs, dimensions=dimensions)


def tool(name: str) -> dict[str, object]:
    """A tool that takes the name of a drug."""
    schema = {"type": "object", "properties": {"drug": {"type": "string"}, "n": {"type": "integer"}}}
    return {"type": "function", "function": {"name": name, "description": f"{name}.", "parameters": schema}}


SCHEMA = {
    "type": "object",
    "properties": {"drug": {"type": "string"}},
    "required": ["drug"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "drug", "schema": SCHEMA, "strict": True}}
"""A ``response_format`` that asks for the name of a drug."""

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(40))


def text(chunks: list[Chunk]) -> str:
    """The text of a reply."""
    return "".join(chunk.text for chunk in chunks)


def reasons(chunks: list[Chunk]) -> list[str]:
    """Why a reply ended: exactly one word, if all is well."""
    return [chunk.finish_reason for chunk in chunks if chunk.finish_reason]


def calls(chunks: list[Chunk]) -> dict[int, tuple[str, str, str]]:
    """The tool calls of a reply by index: id, name, arguments."""
    found: dict[int, tuple[str, str, str]] = {}
    for delta in (delta for chunk in chunks for delta in chunk.tool_calls):
        ident, name, arguments = found.get(delta.index, ("", "", ""))
        found[delta.index] = (delta.id or ident, delta.name or name, arguments + delta.arguments)
    return found
