"""One call under way: what leaves, what has come back, what it used, and what is on record about it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from careplane.gateway.attempts import Attempt
from careplane.gateway.metering import Meter
from careplane.gateway.replying import Returning
from careplane.gateway.routing import Route, Target
from careplane.gateway.telemetry import Attempted, Observed
from careplane.ledger import Ledger
from careplane.records.model import ModelCall, ModelReply, ModelRequest, Usage
from careplane.shield import Protected

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
    attempts: Sequence[Attempt] = ()
    began: float = field(default_factory=time.perf_counter)
    finish: str = ""
    cached: bool = False

    @property
    def latency_ms(self) -> float:
        """Milliseconds since the call began."""
        return (time.perf_counter() - self.began) * 1000

    @property
    def model(self) -> str:
        """The model that answered, or the first that was to be asked."""
        return (self.target or self.targets[0]).model or self.route.alias

    def record(self) -> ModelCall:
        """The call as a run keeps it."""
        return ModelCall(
            id=self.request.id,
            route=self.request.route,
            provider=self.provider,
            model=self.model,
            usage=self.meter.usage,
            latency_ms=self.latency_ms,
            surrogates=self.session.count,
            at=self.at,
        )

    def reply(self) -> ModelReply:
        """The whole reply, as far as it has come."""
        said = self.returning.reply
        return ModelReply(
            text="".join(said.text),
            call=self.record(),
            finish_reason=said.finish_reason or "stop",
            reasoning="".join(said.reasoning),
            refusal="".join(said.refusal),
            tool_calls=tuple(said.tool_calls),
        )

    def facts(self, ledger: Ledger, usage: Usage) -> dict[str, Fact]:
        """What the ledger keeps: counts, names of ours, and pseudonyms."""
        request = self.request
        facts: dict[str, Fact] = {
            "call": request.id,
            "route": request.route,
            "provider": self.provider,
            "model": self.model,
            "policy": request.policy.phi,
            "purpose": request.purpose or request.policy.purpose,
            "version": request.version,
            "surrogates": self.session.count,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "tokens_estimated": usage.estimated,
            "cost_usd": usage.cost_usd,
            "latency_ms": round(self.latency_ms, 3),
            "finish": self.finish,
            "attempts": len(self.attempts),
        }
        if request.site is not None:
            facts["site"] = request.site
        if request.patient is not None:
            facts["patient"] = ledger.pseudonym(request.patient)
        if request.encounter is not None:
            facts["encounter"] = ledger.pseudonym(request.encounter)
        if self.injection is not None:
            facts["injection"] = round(self.injection, 3)
        if self.returning.reply.withheld:
            facts["withheld_tool_calls"] = len(self.returning.reply.withheld)
        if self.cached:
            facts["cached"] = True
        return facts

    def observe(self, status: int, error: str) -> Observed:
        """The call as operators see it, at its end."""
        usage, seen, ended = self.meter.usage, self.observed, time.time()
        seen.status, seen.error, seen.ended = status, error, ended
        seen.provider, seen.model, seen.finish = self.provider, self.model, self.finish
        seen.input_tokens, seen.output_tokens, seen.cost_usd = usage.input_tokens, usage.output_tokens, usage.cost_usd
        seen.surrogates = self.session.count
        seen.attempts = [
            Attempted(
                provider=one.target.partition("/")[0],
                model=one.target.partition("/")[2].partition("@")[0],
                outcome=one.outcome if one.outcome == "ok" else one.error or one.outcome,
                began=ended - one.latency_ms / 1000,
                ended=ended,
            )
            for one in self.attempts
        ]
        return seen
