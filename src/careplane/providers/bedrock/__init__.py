"""Amazon Bedrock by its own API: Converse and ConverseStream, signed with Signature Version 4.

Settings: ``aws_region`` and ``model`` (a model ID, an inference profile or an ARN) are needed; ``embed_model`` names a
Titan or Cohere model for embeddings; ``endpoint`` another address (a VPC endpoint; default
``https://bedrock-runtime.<region>.amazonaws.com``); ``guardrail`` and ``guardrail_version`` a guardrail to apply.

Credentials, one of: ``access_key_id`` with ``secret_access_key`` (or ``secret_access_key_file``) and perhaps
``session_token``; ``credentials_path`` with ``profile``; ``credentials_url`` with ``authorization_token_path``
(ECS, EKS Pod Identity); ``role_arn`` with ``web_identity_token_path`` (IRSA; ``sts_url``); ``instance_role = "true"``
(EC2; ``metadata_url``); ``api_key`` (a Bedrock API key, or ``api_key_file``).

Also ``timeout``, ``first_token_timeout``, ``connect_timeout`` (seconds), ``ca_file``, ``usd_per_million_*``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson

from careplane.codecs import converse, converse_reply
from careplane.errors import SettingsError
from careplane.providers import ChatRequest, Chunk, Embeddings, EmbedRequest, Provider
from careplane.providers._exchange import Sending, Target, complete, fetched, segment, streamed, whole, written
from careplane.providers._options import Options
from careplane.providers.bedrock import embedding
from careplane.providers.bedrock.credentials import NAMES, source
from careplane.providers.bedrock.signing import Scope, signed
from careplane.records import JSON

_KNOWN = NAMES | {
    "aws_region",
    "model",
    "embed_model",
    "endpoint",
    "guardrail",
    "guardrail_version",
    "api_key",
    "api_key_file",
}
_JSON = {"Content-Type": "application/json"}
Headers = Callable[[str, bytes], Awaitable[Mapping[str, str]]]


def open(settings: Mapping[str, str]) -> Provider:  # noqa: A001 - the name every item of the shelf has
    """Open Bedrock in one region; nothing is sent yet.

    Raises:
        SettingsError: a setting is missing or wrong.
    """
    options = Options(settings, _KNOWN)
    region = options.needed("aws_region", "the AWS region whose Bedrock is asked")
    model = options.needed("model", "the model ID, inference profile or ARN")
    endpoint = options.url("endpoint", f"https://bedrock-runtime.{region}.amazonaws.com")
    embed_model = options.text("embed_model")
    headers, forget = _headers(options, region)
    target = Target(options.timeouts, options.ca_file, forget)
    extra = _guardrail(options)

    async def sending(name: str, action: str, body: bytes) -> Sending:
        url = f"{endpoint}/model/{segment(name)}/{action}"
        return Sending(url, await headers(url, body), body)

    def chat(request: ChatRequest) -> AsyncIterator[Chunk]:
        async def prepare() -> Sending:
            body = written(lambda: orjson.dumps(converse.request(request.body) | extra))
            return await sending(request.model or model, "converse-stream" if request.stream else "converse", body)

        if request.stream:
            return streamed(prepare, target, converse_reply.Reply())
        return whole(prepare, target, converse_reply.read_reply)

    async def embed(request: EmbedRequest) -> Embeddings:
        name = request.model or embed_model
        parts = [
            await fetched(await sending(name, "invoke", orjson.dumps(body)), target, embedding.read)
            for body in embedding.bodies(name, request)
        ]
        return complete(embedding.joined(parts), request)

    return Provider(
        name="bedrock",
        model=model,
        chat=chat,
        embed=embed if embed_model else None,
        price=options.price,
        label=f"Amazon Bedrock at {urlsplit(endpoint).hostname}",
    )


def _headers(options: Options, region: str) -> tuple[Headers, Callable[[], None] | None]:
    """How a request is made known as ours, by a bearer key, else by a signature; and what to do when it is refused."""
    key = options.secret("api_key")
    if key:
        bearer = _JSON | {"Authorization": f"Bearer {key}"}

        async def carried(_url: str, _body: bytes) -> Mapping[str, str]:
            return bearer

        return carried, None
    credentials = source(options, region)
    scope = Scope(region, "bedrock")

    async def proven(url: str, body: bytes) -> Mapping[str, str]:
        return signed("POST", url, _JSON, body, await credentials.get(), scope, datetime.now(UTC))

    return proven, credentials.forget


def _guardrail(options: Options) -> JSON:
    guardrail, version = options.text("guardrail"), options.text("guardrail_version")
    if bool(guardrail) != bool(version):
        raise SettingsError("a guardrail is named by guardrail and guardrail_version together", field="guardrail")
    return {"guardrailConfig": {"guardrailIdentifier": guardrail, "guardrailVersion": version}} if guardrail else {}
