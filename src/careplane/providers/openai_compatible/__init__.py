"""Any endpoint that speaks OpenAI's Chat Completions: OpenAI, vLLM, Ollama, Gemini's and Bedrock's doors.

Settings: ``base_url`` (ends in ``/v1`` or what stands before ``/chat/completions``) and ``model`` are needed;
``api_key`` or ``api_key_file``; ``embed_model`` for embeddings.

Quirks: ``max_tokens_field`` (``max_tokens``, or ``max_completion_tokens`` for OpenAI's reasoning models),
``temperature = "false"`` (do not send it), ``stream_options = "false"`` (no counts on streams), ``stream = "false"``
(the endpoint cannot stream).

Also ``timeout``, ``first_token_timeout``, ``connect_timeout`` (seconds), ``ca_file``, ``usd_per_million_input``,
``usd_per_million_output``, ``usd_per_million_cached_input``.
"""

from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

from careplane.codecs.openai_upstream import Reply, chat_body, embed_body, read_embeddings, read_reply
from careplane.providers import ChatRequest, Chunk, Embeddings, EmbedRequest, Provider
from careplane.providers._exchange import Sending, Target, complete, fetched, streamed, whole
from careplane.providers._options import QUIRKS, Options

_KNOWN = QUIRKS | {"embed_model", "base_url", "model", "api_key", "api_key_file"}


def open(settings: Mapping[str, str]) -> Provider:  # noqa: A001 - the name every item of the shelf has
    """Open an endpoint; nothing is sent yet.

    Raises:
        SettingsError: a setting is missing or wrong.
    """
    options = Options(settings, _KNOWN)
    base_url = options.url("base_url")
    model = options.needed("model", "the name of the model as the endpoint knows it")
    embed_model = options.text("embed_model")
    quirks = options.quirks
    target = Target(options.timeouts, options.ca_file)
    key = options.secret("api_key")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})

    def chat(request: ChatRequest) -> AsyncIterator[Chunk]:
        async def prepare() -> Sending:
            sent = headers | {"Idempotency-Key": request.key}
            return Sending(f"{base_url}/chat/completions", sent, chat_body(request, model, quirks))

        if request.stream and quirks.stream:
            return streamed(prepare, target, Reply())
        return whole(prepare, target, read_reply)

    async def embed(request: EmbedRequest) -> Embeddings:
        sent = headers | {"Idempotency-Key": request.key}
        sending = Sending(f"{base_url}/embeddings", sent, embed_body(request, embed_model))
        return complete(await fetched(sending, target, read_embeddings), request)

    return Provider(
        name="openai_compatible",
        model=model,
        chat=chat,
        embed=embed if embed_model else None,
        price=options.price,
        label=f"OpenAI-compatible endpoint {urlsplit(base_url).hostname}",
    )
