"""What travels to a model and back: one canonical form, whatever dialect a client or a provider speaks.

The canonical form of a request is OpenAI's Chat Completions body as a JSON object (``messages`` with text or parts,
tool calls and tool results, ``tools``, ``tool_choice``, ``response_format``, ``max_tokens``, ``temperature`` ...),
without ``model``, ``stream`` and anything of Careplane's own. The canonical form of a reply is a stream of
:class:`Chunk`.
"""

from datetime import datetime
from typing import Literal

from careplane.records import JSON, Record
from careplane.records.app import DataPolicy, GuardRules


class Message(Record, frozen=True):
    """One chat message: OpenAI roles, text content."""

    role: Literal["system", "user", "assistant"]
    content: str


class ModelRequest(Record, frozen=True):
    """A request on its way to a model, before the shield: who asks, for what, and the chart that names the PHI.

    ``body`` is canonical, ``policy`` what of it may leave, ``guards`` what the reply may do. ``chart`` are FHIR
    resources whose identifiers the shield looks for by name; ``patient`` is the one patient whose data the request may
    hold (``Patient/123``), ``key`` the id of the key that asks, ``site`` the hospital (``told_site``: by the client's
    word alone), ``untrusted`` the positions of messages that are quoted from others, ``cache`` whether the client takes
    an answer that the same words got before, ``conversation`` the calls that share their surrogates, ``size`` the bytes
    that it came in (0: not known).
    """

    id: str
    app: str
    route: str
    body: JSON
    policy: DataPolicy = DataPolicy()
    guards: GuardRules = GuardRules()
    version: str = ""
    tier: int | None = None
    key: str | None = None
    run: str | None = None
    site: str | None = None
    told_site: bool = False
    patient: str | None = None
    encounter: str | None = None
    purpose: str | None = None
    conversation: str | None = None
    chart: tuple[JSON, ...] = ()
    untrusted: tuple[int, ...] = ()
    cache: bool = False
    size: int = 0


class ChatRequest(Record, frozen=True):
    """What reaches a provider: surrogates in place of identifiers. ``key`` makes a retry harmless (idempotency)."""

    key: str
    model: str
    body: JSON
    stream: bool = True

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages as plain text, for models that read nothing else: parts joined, a tool's result as user text."""
        return texts(self.body)

    @property
    def max_tokens(self) -> int:
        """The most tokens that the reply may have."""
        return int(self.body.get("max_tokens") or 1024)

    @property
    def temperature(self) -> float:
        """Sampling temperature, 0 when not given."""
        return float(self.body.get("temperature") or 0.0)


_ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
}


def texts(body: JSON) -> tuple[Message, ...]:
    """The messages of a canonical body as plain text."""
    return tuple(_plain(message) for message in body["messages"])


def _plain(message: JSON) -> Message:
    content = message.get("content") or ""
    if not isinstance(content, str):
        content = "".join(part.get("text") or "" for part in content)
    return Message(role=_ROLES.get(message["role"], "user"), content=content)


class ToolDelta(Record, frozen=True):
    """A piece of a tool call: ``index`` says which; ``id`` and ``name`` come once, ``arguments`` (JSON) in pieces."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class Chunk(Record, frozen=True):
    """A piece of a reply. The last ones have ``finish_reason`` (OpenAI's words: stop, length, tool_calls,
    content_filter) and, where the provider reports them, token counts; ``cached_tokens`` are a part of the input."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolDelta, ...] = ()
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None


class ToolCall(Record, frozen=True):
    """A whole tool call; ``arguments`` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


class EmbedRequest(Record, frozen=True):
    """Texts to turn into vectors, identifiers replaced."""

    key: str
    model: str
    inputs: tuple[str, ...]
    dimensions: int | None = None


class Embeddings(Record, frozen=True):
    """One vector per input, in order; ``input_tokens`` is ``None`` where the provider does not say."""

    vectors: tuple[list[float], ...]
    input_tokens: int | None = None


class Price(Record, frozen=True):
    """USD per million tokens, and since when it is known to hold; a local model costs nothing here."""

    input: float = 0.0
    output: float = 0.0
    cached_input: float | None = None
    as_of: str = ""
    source: str = ""


class Usage(Record, frozen=True):
    """Tokens and money of one model call; ``estimated`` when the provider reported no usage; ``cost_usd`` is ``None``
    when the price of the model is not known: then it is not measured."""

    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    estimated: bool = False
    cached_tokens: int = 0


class ModelCall(Record, frozen=True):
    """One call through the gateway. Counts only: no text of the prompt or reply is kept here."""

    id: str
    route: str
    provider: str
    model: str
    usage: Usage
    latency_ms: float
    surrogates: int
    at: datetime


class ModelReply(Record, frozen=True):
    """What came back, originals restored, and the call that was metered."""

    text: str
    call: ModelCall
    finish_reason: str = "stop"
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
