"""A model that does what a client asks for, so that every feature of the APIs can be seen from outside."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from careplane.errors import UpstreamBusy, UpstreamError, UpstreamRejected
from careplane.providers import ChatRequest, Chunk, Embeddings, EmbedRequest, Price, Provider, ToolDelta
from careplane.records import JSON
from careplane.records.app import DataPolicy, Entitlement, GuardRules
from careplane.records.app import Route as AppRoute

NAME = "Zebulon Quackenbush"
TEXT = f"My name is {NAME}, call 312-555-0188."
CHART = {
    "context": {
        "resourceType": "Bundle",
        "entry": [
            {
                "resource": {
                    "resourceType": "Patient",
                    "id": "p1",
                    "name": [{"family": "Quackenbush", "given": ["Zebulon"]}],
                    "telecom": [{"system": "phone", "value": "312-555-0188"}],
                }
            }
        ],
    }
}
"""What a client knows of the patient; with it every mention is found, whatever the sentence."""
SCHEMA: JSON = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
LONG = " and so on, for some time," * 20
"""Longer than what the shield holds back of a stream."""
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@dataclass
class Obliging:
    """``seen`` are the requests that arrived; ``gone`` is set when one of them was cancelled.

    What the last text of the conversation says decides: *think first*, *wait for ever* and *break off* (both after
    the text), *be busy*, *be full*. Otherwise it calls the first tool that is offered, keeps to a schema, reports a
    tool's result, counts images, or says the text again.
    """

    seen: list[ChatRequest] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)

    def forget(self) -> None:
        """Begin anew, for the next test."""
        self.seen.clear()
        self.gone.clear()

    @property
    def provider(self) -> Provider:
        return Provider(
            name="obliging", model="obliging-1", chat=self.chat, embed=self.embed, price=Price(input=1.0, output=2.0)
        )

    async def chat(self, request: ChatRequest) -> AsyncIterator[Chunk]:
        self.seen.append(request)
        text = request.messages[-1].content
        _fail(text)
        reason = "length" if request.body.get("max_tokens") == 1 else "stop"
        for chunk in _chunks(request.body, text):
            yield chunk
            reason = "tool_calls" if chunk.tool_calls else reason
        if "break off" in text:
            raise UpstreamError("The model endpoint cut the stream before its end.")
        if "wait for ever" in text:
            await self._wait()
        yield Chunk(finish_reason=reason, input_tokens=11, output_tokens=7, cached_tokens=4)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        return Embeddings(vectors=tuple([float(len(text)), -0.5] for text in request.inputs), input_tokens=3)

    async def _wait(self) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.gone.set()
            raise


def _fail(text: str) -> None:
    if "be busy" in text:
        raise UpstreamBusy("The model endpoint is overloaded.", 0.2)
    if "be full" in text:
        raise UpstreamRejected("The request is too long for this model.", "context_length_exceeded")


def _chunks(body: JSON, text: str) -> Iterator[Chunk]:
    if "think first" in text:
        yield Chunk(reasoning="Hm, ")
        yield Chunk(reasoning="well.")
    last = body["messages"][-1]
    if last["role"] == "tool":
        yield from _said(f"The tool says: {text}")
    elif body.get("tools"):
        yield from _call(body["tools"][0]["function"]["name"], text)
    elif body.get("response_format"):
        yield from _said(json.dumps({"city": text, "degrees": 21}, ensure_ascii=False))
    elif isinstance(last["content"], list):
        kinds = [part["type"] for part in last["content"] if part["type"] != "text"]
        yield from _said(f"{text} I see {len(kinds)}: {', '.join(kinds)}.")
    else:
        yield from _said(text)


def _said(text: str) -> Iterator[Chunk]:
    return (Chunk(text=text[i : i + 5]) for i in range(0, len(text), 5))


def _call(name: str, text: str) -> Iterator[Chunk]:
    yield Chunk(tool_calls=(ToolDelta(index=0, id="call_1", name=name),))
    arguments = json.dumps({"city": text, "degrees": 1}, ensure_ascii=False)
    for i in range(0, len(arguments), 4):
        yield Chunk(tool_calls=(ToolDelta(index=0, arguments=arguments[i : i + 4]),))


def sent(requests: list[ChatRequest]) -> str:
    """Everything that reached the model, as text to search."""
    return json.dumps([request.body for request in requests], ensure_ascii=False)


def tool(**more: Any) -> JSON:
    """A function named ``weather``, without the wrapping that each API has."""
    return {"name": "weather", "description": "The weather of a city now.", **more}


def allowed(phi: str = "deidentified") -> Entitlement:
    """An app that may use every tool that it offers."""
    return Entitlement(
        app="an_app",
        version="1.0.0",
        data_policy=DataPolicy(phi=phi),  # type: ignore[arg-type] # a word of the policy
        guards=GuardRules(tools=("*",)),
        route=AppRoute(model="default", max_tokens=300),
    )
