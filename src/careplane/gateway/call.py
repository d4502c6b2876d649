"""One call under way: what leaves, what has come back, what it used, and what is on record about it."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from careplane.errors import UpstreamRejected
from careplane.gateway.attempts import Attempt
from careplane.gateway.budgets import Hold
from careplane.gateway.cache import Asked as CacheAsked
from careplane.gateway.limits import Permit
from careplane.gateway.metering import CHARACTERS_PER_TOKEN, Meter
from careplane.gateway.replying import Returning
from careplane.gateway.routing import Need, Route, Target
from careplane.gateway.telemetry import Observed
from careplane.ledger import Ledger
from careplane.ledger.facts import MAX_TEXT
from careplane.records import JSON
from careplane.records.model import Chunk, ModelCall, ModelReply, ModelRequest, ToolDelta, Usage
from careplane.shield import Protected

_NOTHING = Usage(input_tokens=0, output_tokens=0, cost_usd=0.0)
Fact = str | int | float | bool | None


@dataclass(slots=True)
class Call:
    """One call. ``session`` is what leaves, identifiers replaced, and the way back."""

    request: ModelRequest
    route: Route
    targets: tuple[Target, ...]
    session: Protected
    returning: Returning
    meter: Meter
    observed: Observed
    at: datetime
    stream: bool
    injection: float | None = None
    target: Target | None = None
    provider: str = "none"
    asked: str = ""
    used: Usage | None = None
    attempts: Sequence[Attempt] = ()
    began: float = field(default_factory=time.perf_counter)
    finish: str = ""
    need: Need | None = None
    kept: ModelReply | None = None
    cache_key: bytes | None = None
    as_json: bool = False
    schema: JSON | None = None

    @property
    def latency_ms(self) -> float:
        """Milliseconds since the call began."""
        return (time.perf_counter() - self.began) * 1000

    @property
    def usage(self) -> Usage:
        """What the call used: nothing, when its reply was kept from before."""
        if self.used is not None:
            return self.used
        return _NOTHING if self.kept is not None else self.meter.usage

    @property
    def model(self) -> str:
        """The model that answered, or the first that was to be asked."""
        return self.asked or (self.target or self.targets[0]).model or self.route.alias

    def record(self) -> ModelCall:
        """The call as a run keeps it."""
        return ModelCall(
            id=self.request.id,
            route=self.request.route,
            provider=self.provider,
            model=self.model,
            usage=self.usage,
            latency_ms=self.latency_ms,
            surrogates=self.session.count,
            at=self.at,
        )

    def reply(self) -> ModelReply:
        """The whole reply, as far as it has come."""
        if self.kept is not None:
            return replace(self.kept, call=self.record())
        said = self.returning.reply
        return ModelReply(
            text="".join(said.text),
            call=self.record(),
            finish_reason=said.finish_reason or "stop",
            reasoning="".join(said.reasoning),
            refusal="".join(said.refusal),
            tool_calls=tuple(said.tool_calls),
        )

    def check_schema(self) -> None:
        """Whether a reply that promises JSON keeps the promise.

        Raises:
            UpstreamRejected: it does not (``invalid_output``).
        """
        said = self.returning.reply
        if not self.as_json or said.tool_calls or said.refusal or said.finish_reason not in ("", "stop"):
            return
        verdict = self.returning.meets(self.schema)
        if not verdict.allowed:
            raise UpstreamRejected(verdict.text, "invalid_output")

    def facts(self, ledger: Ledger) -> dict[str, Fact]:
        """What the ledger keeps: counts, names of ours, and pseudonyms."""
        request, usage = self.request, self.usage
        facts: dict[str, Fact] = {
            "call": request.id,
            "route": request.route,
            "provider": self.provider,
            "model": self.model,
            "target": self._named((self.target or self.targets[0]).key)[:MAX_TEXT],
            **asker(request, ledger),
            "surrogates": self.session.count,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "tokens_estimated": usage.estimated,
            "cost_usd": usage.cost_usd,
            "latency_ms": round(self.latency_ms, 3),
            "finish": self.finish,
            "attempts": len(self.attempts),
        }
        if len(asked := self.tried()) > 1:
            facts["tried"] = _listed(asked)
        if self.injection is not None:
            facts["injection"] = round(self.injection, 3)
        if self.returning.reply.withheld:
            facts["withheld_tool_calls"] = len(self.returning.reply.withheld)
        if self.kept is not None:
            facts["cached"] = True
        return facts

    def tried(self) -> tuple[str, ...]:
        """The targets that were asked, in order: each of them may have got the text, whoever answered."""
        return tuple(dict.fromkeys(self._named(one.target) for one in self.attempts if one.outcome != "skipped"))

    def _named(self, key: str) -> str:
        """The key of a target; of the one that was asked last with the model that its provider chose."""
        last = self.target or self.targets[0]
        return f"{last.provider}/{self.model}@{last.region}" if key == last.key else key

    def observe(self, status: int, error: str) -> Observed:
        """The call as operators see it, at its end."""
        usage, seen, ended = self.usage, self.observed, time.time()
        seen.status, seen.error, seen.ended = status, error, ended
        seen.provider, seen.model, seen.finish = self.provider, self.model, self.finish
        seen.input_tokens, seen.output_tokens, seen.cost_usd = usage.input_tokens, usage.output_tokens, usage.cost_usd
        seen.surrogates = self.session.count
        seen.attempts = self.attempts
        return seen


@dataclass(slots=True)
class Held:
    """What a call holds of limits and budgets until it ends."""

    permit: Permit | None = None
    hold: Hold | None = None

    def release(self, tokens: int, usd: float | None) -> None:
        """Give back what was not used; once. A cost that is not known counts as the worst case."""
        if self.permit is not None:
            self.permit.release(tokens)
        if self.hold is not None:
            self.hold.settle(usd)


def need_of(request: ModelRequest, *, embeddings: bool) -> Need:
    """What a request asks of a target."""
    body = request.body
    return Need(
        key=request.run or request.patient or request.id,
        phi=request.policy.phi,
        regions=request.policy.regions,
        tools=bool(body.get("tools")),
        images=any(_holds_image(message) for message in body.get("messages", ())),
        embeddings=embeddings,
        tokens=characters(body) // CHARACTERS_PER_TOKEN,
    )


def subjects_of(request: ModelRequest) -> tuple[str, ...]:
    """Whose limits and budgets a request counts for."""
    site = () if request.site is None else (f"site:{request.site}",)
    key = () if request.key is None else (f"key:{request.key}",)
    return (f"app:{request.app}", *site, *key)


def asked_of(request: ModelRequest, model: str) -> CacheAsked:
    """A request as the cache sees it."""
    return CacheAsked(
        app=request.app,
        app_version=request.version,
        policy_version=repr(request.policy),
        route=request.route,
        model=model,
        patient=request.patient,
        body=request.body,
    )


def asker(request: ModelRequest, ledger: Ledger) -> dict[str, Fact]:
    """Who asks, about whom, and under which rules: in every record of a request, refused ones and copies as well."""
    facts: dict[str, Fact] = {
        "policy": request.policy.phi,
        "purpose": request.purpose or request.policy.purpose,
        "version": request.version,
    }
    if request.site is not None:
        facts["site"] = ledger.pseudonym(request.site) if request.told_site else request.site
    if request.patient is not None:
        facts["patient"] = ledger.pseudonym(request.patient)
    if request.encounter is not None:
        facts["encounter"] = ledger.pseudonym(request.encounter)
    if request.key is not None:
        facts["key"] = request.key
    return facts


def _listed(names: Sequence[str]) -> str:
    """Names in one fact, as many as fit; the others are counted."""
    for count in range(len(names), 0, -1):
        rest = f" and {len(names) - count} more" if count < len(names) else ""
        if len(told := " ".join(names[:count]) + rest) <= MAX_TEXT:
            return told
    return f"{len(names)} targets"


def whole_chunk(reply: ModelReply) -> Chunk:
    """A whole reply as one chunk."""
    calls = tuple(
        ToolDelta(index=i, id=call.id, name=call.name, arguments=call.arguments)
        for i, call in enumerate(reply.tool_calls)
    )
    return Chunk(text=reply.text, reasoning=reply.reasoning, refusal=reply.refusal, tool_calls=calls)


def characters(body: JSON) -> int:
    """About how much text leaves, for the estimate of tokens and the choice of a thread."""
    size = 0
    for message in body.get("messages", ()):
        content = message.get("content")
        if isinstance(content, str):
            size += len(content)
        elif isinstance(content, list):
            size += sum(len(part.get("text") or "") for part in content)
    return size


def _holds_image(message: JSON) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(part.get("type") not in ("text", "refusal") for part in content)


@asynccontextmanager
async def aclosing_if(chunks: AsyncIterator[Chunk]) -> AsyncGenerator[AsyncIterator[Chunk], None]:
    """Close a provider's chunks at the end, where they are a generator."""
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
