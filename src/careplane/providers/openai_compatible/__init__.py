"""Any endpoint that speaks OpenAI's Chat Completions: OpenAI, vLLM, Ollama, Gemini's and Bedrock's doors.

Settings: ``base_url`` (ends in ``/v1``), ``model``, ``api_key``, ``timeout`` (seconds without a byte), ``stream``
(``false`` for an endpoint that cannot stream), ``usd_per_million_input``, ``usd_per_million_output``.
"""

import json
from collections.abc import AsyncIterator, Mapping

import httpx

from careplane.codecs import openai
from careplane.errors import SettingsError, UpstreamError, UpstreamTimeout
from careplane.providers import ChatRequest, Chunk, Price, Provider
from careplane.records import JSON


def open(settings: Mapping[str, str]) -> Provider:  # noqa: A001 - the name every item of the shelf has
    """Open an endpoint; nothing is sent yet.

    Raises:
        SettingsError: ``base_url`` or ``model`` is missing, or a number is not one.
    """
    base_url = settings.get("base_url", "").rstrip("/")
    model = settings.get("model", "")
    if not base_url.startswith(("http://", "https://")):
        raise SettingsError("must be the http(s) URL of the endpoint, ending in /v1", field="openai_base_url")
    if not model:
        raise SettingsError("names no model", field="openai_model")
    key = settings.get("api_key", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = httpx.Timeout(_number(settings, "timeout", 60.0))
    streamed = settings.get("stream", "true") != "false"

    async def chat(request: ChatRequest) -> AsyncIterator[Chunk]:
        # One client per call: a provider may be used from several event loops, and a connection belongs to one.
        body = _body(request, model, streamed=streamed)
        sent = headers | {"Idempotency-Key": request.key}
        try:
            async with (
                httpx.AsyncClient(headers=sent, timeout=timeout) as client,
                client.stream("POST", f"{base_url}/chat/completions", json=body) as response,
            ):
                await _raise_for_status(response)
                read = _streamed(response) if streamed else _whole(response)
                async for chunk in read:
                    yield chunk
        except httpx.TimeoutException as error:
            raise UpstreamTimeout("The model endpoint did not answer in time.") from error
        except httpx.HTTPError as error:
            raise UpstreamError(f"The model endpoint failed: {type(error).__name__}.") from error

    return Provider(
        name="openai_compatible",
        model=model,
        chat=chat,
        price=_price(settings),
        label=f"OpenAI-compatible endpoint {httpx.URL(base_url).host}",
    )


def _price(settings: Mapping[str, str]) -> Price | None:
    if not settings.get("usd_per_million_input") and not settings.get("usd_per_million_output"):
        return None
    read = _number(settings, "usd_per_million_input", 0.0)
    return Price(input=read, output=_number(settings, "usd_per_million_output", 0.0), source="settings")


def _number(settings: Mapping[str, str], name: str, default: float) -> float:
    given = settings.get(name) or default
    try:
        return float(given)
    except ValueError as error:
        raise SettingsError(f"{given!r} is not a number", field=name) from error


def _body(request: ChatRequest, model: str, *, streamed: bool) -> JSON:
    body: JSON = {**request.body, "model": request.model or model}
    return body | ({"stream": True, "stream_options": {"include_usage": True}} if streamed else {})


async def _raise_for_status(response: httpx.Response) -> None:
    """An error of the endpoint, by its status only: its body may repeat the prompt."""
    if response.status_code in (408, 504):
        raise UpstreamTimeout(f"The model endpoint timed out (HTTP {response.status_code}).")
    if response.status_code != 200:
        raise UpstreamError(f"The model endpoint answered HTTP {response.status_code}.")


async def _whole(response: httpx.Response) -> AsyncIterator[Chunk]:
    for chunk in _chunks((await response.aread()).decode("utf-8", "replace")):
        yield chunk


async def _streamed(response: httpx.Response) -> AsyncIterator[Chunk]:
    finished = False
    async for line in response.aiter_lines():
        data = openai.event_data(line)
        if data == openai.DONE:
            return
        if not data:
            continue
        for chunk in _chunks(data):
            finished = finished or chunk.finish_reason is not None
            yield chunk
    if not finished:
        raise UpstreamError("The model endpoint cut the stream before its end.")


def _chunks(text: str) -> list[Chunk]:
    try:
        part = json.loads(text)
        if "error" in part:
            raise UpstreamError("The model endpoint reported an error in its reply.")
        said = [Chunk(text=text, finish_reason=reason) for text, reason in openai.deltas(part)]
        usage = part.get("usage")
        if usage:
            read, written = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
            said.append(Chunk(input_tokens=read, output_tokens=written))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UpstreamError("The model endpoint sent something that is not a chat completion.") from error
    return said
