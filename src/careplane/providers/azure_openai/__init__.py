"""Azure OpenAI (and models of Azure AI Foundry that speak Chat Completions): deployments, keys or Entra ID tokens.

Settings: ``endpoint`` (``https://<resource>.openai.azure.com``) and ``model`` (the name of the deployment) are needed;
``embed_model`` is the deployment for embeddings; ``api_version`` is ``v1`` (the default: no dates to follow) or a date
such as ``2024-10-21``, with which deployments stand in the URL.

Who asks, one of: ``api_key`` (or ``api_key_file``); ``tenant_id`` and ``client_id`` with ``client_secret`` (or
``client_secret_file``) or with ``federated_token_path`` (workload identity); ``managed_identity = "true"``, with
``client_id`` for a user-assigned one. ``authority``, ``metadata_url`` and ``scope`` have other clouds' addresses.

Quirks as of ``openai_compatible``: ``max_tokens_field``, ``temperature``, ``stream_options``, ``stream``. Also
``timeout``, ``first_token_timeout``, ``connect_timeout`` (seconds), ``ca_file``, ``usd_per_million_*``.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from careplane.codecs.openai_upstream import Reply, chat_body, embed_body, read_embeddings, read_reply
from careplane.errors import SettingsError
from careplane.providers import ChatRequest, Chunk, Embeddings, EmbedRequest, Provider
from careplane.providers._exchange import Sending, Target, complete, fetched, segment, streamed, whole
from careplane.providers._options import QUIRKS, Options
from careplane.providers.azure_openai.tokens import NAMES, source

_KNOWN = QUIRKS | NAMES | {"embed_model", "endpoint", "model", "api_version", "api_key", "api_key_file"}
_VERSION = re.compile(r"v1|preview|\d{4}-\d{2}-\d{2}(-preview)?")
_JSON = {"Content-Type": "application/json"}


def open(settings: Mapping[str, str]) -> Provider:  # noqa: A001 - the name every item of the shelf has
    """Open a resource; nothing is sent yet.

    Raises:
        SettingsError: a setting is missing or wrong.
    """
    options = Options(settings, _KNOWN)
    address = _address(options)
    model = options.needed("model", "the name of the deployment")
    embed_model = options.text("embed_model")
    quirks = options.quirks
    headers, forget = _headers(options)
    target = Target(options.timeouts, options.ca_file, forget)

    def chat(request: ChatRequest) -> AsyncIterator[Chunk]:
        async def prepare() -> Sending:
            url = address(request.model or model, "chat/completions")
            return Sending(url, await headers(), chat_body(request, model, quirks))

        if request.stream and quirks.stream:
            return streamed(prepare, target, Reply())
        return whole(prepare, target, read_reply)

    async def embed(request: EmbedRequest) -> Embeddings:
        url = address(request.model or embed_model, "embeddings")
        sending = Sending(url, await headers(), embed_body(request, embed_model))
        return complete(await fetched(sending, target, read_embeddings), request)

    return Provider(
        name="azure_openai",
        model=model,
        chat=chat,
        embed=embed if embed_model else None,
        price=options.price,
        label=f"Azure OpenAI at {urlsplit(options.url('endpoint')).hostname}",
    )


def _address(options: Options) -> Callable[[str, str], str]:
    """The URL of an operation of a deployment."""
    endpoint = options.url("endpoint").removesuffix("/openai/v1").removesuffix("/openai")
    version = options.text("api_version", "v1")
    if not _VERSION.fullmatch(version):
        raise SettingsError("must be v1 or a date such as 2024-10-21", field="api_version")
    if version == "v1":
        return lambda _deployment, action: f"{endpoint}/openai/v1/{action}"
    if version == "preview":
        return lambda _deployment, action: f"{endpoint}/openai/v1/{action}?api-version=preview"
    base = f"{endpoint}/openai/deployments"
    return lambda deployment, action: f"{base}/{segment(deployment)}/{action}?api-version={version}"


def _headers(options: Options) -> tuple[Callable[[], Awaitable[Mapping[str, str]]], Callable[[], None] | None]:
    """The headers that say who asks, and what to do when they are refused."""
    key = options.secret("api_key")
    if key:
        keyed = _JSON | {"api-key": key}

        async def carried() -> Mapping[str, str]:
            return keyed

        return carried, None
    tokens = source(options)

    async def granted() -> Mapping[str, str]:
        return _JSON | {"Authorization": f"Bearer {await tokens.get()}"}

    return granted, tokens.forget
