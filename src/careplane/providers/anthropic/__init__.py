"""Anthropic by its own API, Messages: text, tools, images, documents, JSON schemas, thinking.

Settings: ``model`` and ``api_key`` (or ``api_key_file``) are needed; ``base_url`` another address (default
``https://api.anthropic.com``); ``version`` (default ``2023-06-01``; from ``2026-10-21`` on, the API takes no
``temperature`` and its like, so none is sent); ``beta`` a comma-separated list of beta features;
``max_tokens`` the limit for requests without one (default 4096: the API wants one); ``effort = "true"`` for models that
take ``output_config.effort``; ``thinking_tokens`` a budget for extended thinking.

Also ``timeout``, ``first_token_timeout``, ``connect_timeout`` (seconds), ``ca_file``, ``usd_per_million_*``. There are
no embeddings.
"""

from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import orjson

from careplane.codecs.anthropic_reply import Reply, read_reply
from careplane.codecs.anthropic_upstream import DEFAULT_MAX_TOKENS, messages_body
from careplane.errors import SettingsError
from careplane.providers import ChatRequest, Chunk, Provider
from careplane.providers._exchange import Sending, Target, streamed, whole
from careplane.providers._options import Options
from careplane.records import JSON

_KNOWN = {"model", "api_key", "api_key_file", "base_url", "version", "beta", "max_tokens", "effort", "thinking_tokens"}
_NO_SAMPLING = "2026-10-21"
"""The first version of the API without ``temperature``, ``top_p`` and ``top_k``."""

LEAST_THINKING = 1024
"""The API's least budget for thinking."""


def open(settings: Mapping[str, str]) -> Provider:  # noqa: A001 - the name every item of the shelf has
    """Open Anthropic's API; nothing is sent yet.

    Raises:
        SettingsError: a setting is missing or wrong.
    """
    options = Options(settings, _KNOWN)
    base_url = options.url("base_url", "https://api.anthropic.com").removesuffix("/v1")
    model = options.needed("model", "the name of the model")
    target = Target(options.timeouts, options.ca_file)
    limit = int(options.number("max_tokens", DEFAULT_MAX_TOKENS)) or DEFAULT_MAX_TOKENS
    effort = options.flag("effort", default=False)
    thinking = _thinking(options)
    version = options.text("version", "2023-06-01")
    headers = _headers(options, version)

    def body(request: ChatRequest) -> bytes:
        name = request.model or model
        asked = messages_body(request.body, name, stream=request.stream, effort=effort, default_max_tokens=limit)
        asked = asked if version < _NO_SAMPLING else _without_sampling(asked)
        return orjson.dumps(_with_thinking(asked, thinking))

    def chat(request: ChatRequest) -> AsyncIterator[Chunk]:
        async def prepare() -> Sending:
            return Sending(f"{base_url}/v1/messages", headers, body(request))

        return streamed(prepare, target, Reply()) if request.stream else whole(prepare, target, read_reply)

    return Provider(
        name="anthropic",
        model=model,
        chat=chat,
        price=options.price,
        label=f"Anthropic at {urlsplit(base_url).hostname}",
    )


def _headers(options: Options, version: str) -> Mapping[str, str]:
    key = options.secret("api_key")
    if not key:
        raise SettingsError("is missing: the API knows its callers by it", field="api_key")
    headers = {"Content-Type": "application/json", "x-api-key": key, "anthropic-version": version}
    return headers | ({"anthropic-beta": options.text("beta")} if options.text("beta") else {})


def _thinking(options: Options) -> int:
    budget = int(options.number("thinking_tokens", 0))
    if 0 < budget < LEAST_THINKING:
        raise SettingsError(f"must be 0 or at least {LEAST_THINKING}", field="thinking_tokens")
    return budget


def _with_thinking(body: JSON, budget: int) -> JSON:
    """The body with a budget for thinking, which comes on top of the reply's tokens. With it the API takes neither a
    temperature nor a forced tool, nor turns whose thinking it does not see again; then there is none."""
    forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
    if not budget or forced or any(_called(message) for message in body["messages"]):
        return body
    thinking = {"type": "enabled", "budget_tokens": budget}
    return _without_sampling(body) | {"max_tokens": body["max_tokens"] + budget, "thinking": thinking}


def _without_sampling(body: JSON) -> JSON:
    return {name: value for name, value in body.items() if name not in ("temperature", "top_p", "top_k")}


def _called(message: JSON) -> bool:
    content = message["content"]
    return isinstance(content, list) and any(block["type"] == "tool_use" for block in content)
