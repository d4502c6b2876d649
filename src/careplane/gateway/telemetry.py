"""What operators see of the gateway: Prometheus metrics, OpenTelemetry spans, one structured log line per call.

Counts, names of our own and times only: no text of a prompt or reply, no identifier, and nothing that a client or an
upstream wrote (an unknown model or path is "unknown"). Names follow OpenTelemetry's semantic conventions for generative
AI (``gen_ai.*``). Spans need the extra ``telemetry`` and an endpoint; without, they cost nothing.
"""

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from careplane import __version__
from careplane.errors import MissingExtra
from careplane.gateway.attempts import Attempt

METRICS_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

MOST_WAITING = 2_000
"""Calls that wait to be counted, at most."""

log = logging.getLogger("careplane.gateway")


@dataclass(slots=True)
class Observed:
    """A call as operators may see it; ``began`` and ``ended`` are seconds of the epoch."""

    operation: str
    app: str = "unknown"
    route: str = "unknown"
    provider: str = "none"
    model: str = "none"
    status: int = 200
    error: str = ""
    stream: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    surrogates: int = 0
    finish: str = ""
    began: float = 0.0
    ended: float = 0.0
    first_token: float | None = None
    attempts: Sequence[Attempt] = ()


class Tracer(Protocol):
    """What spans are handed to."""

    def record(self, call: Observed, parent: str | None) -> None:
        """Export a finished call; ``parent`` is a W3C ``traceparent``."""

    def close(self) -> None:
        """Send what waits."""


class Telemetry:
    """The instruments of one process."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self.registry = CollectorRegistry()
        named = self.registry
        who = ("app", "route", "provider", "model")
        self._calls = Counter("careplane_calls", "Calls by outcome.", (*who, "operation", "status"), registry=named)
        self._duration = Histogram(
            "gen_ai_client_operation_duration_seconds",
            "Time to the end of a reply.",
            who,
            buckets=_SECONDS,
            registry=named,
        )
        self._first = Histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "Time to the first token.",
            who,
            buckets=_SECONDS,
            registry=named,
        )
        self._tokens = Counter("gen_ai_client_tokens", "Tokens by kind.", (*who, "gen_ai_token_type"), registry=named)
        self._cost = Counter("careplane_cost_usd", "Cost of calls whose price is known.", who, registry=named)
        self._surrogates = Counter("careplane_surrogates", "Identifiers replaced.", ("app",), registry=named)
        self._refused = Counter(
            "careplane_refusals", "Requests not served, by reason.", ("app", "code"), registry=named
        )
        self._retries = Counter(
            "careplane_attempts", "Tries at a target.", ("provider", "model", "outcome"), registry=named
        )
        self._active = Gauge("careplane_active_calls", "Calls under way.", registry=named)
        self._children: dict[tuple[str, ...], Any] = {}
        self._under_way = 0
        self._waiting: list[Observed] = []
        self._folding = threading.Lock()

    def entered(self) -> None:
        """A call begins."""
        self._under_way += 1

    def left(self, call: Observed, parent: str | None = None) -> None:
        """A call is over, served or not. It is counted when somebody looks: counting costs more than remembering."""
        self._under_way -= 1
        self._waiting.append(call)
        if len(self._waiting) >= MOST_WAITING:
            self.fold()
        if log.isEnabledFor(logging.INFO):
            log.info("call", extra={"facts": _facts(call)})
        if self._tracer is not None:
            self._tracer.record(call, parent)

    def fold(self) -> None:
        """Count the calls that wait to be counted."""
        with self._folding:
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                self._count(call)
            self._active.set(self._under_way)

    def _count(self, call: Observed) -> None:
        who = (call.app, call.route, call.provider, call.model)
        self._child(self._calls, *who, call.operation, str(call.status)).inc()
        if call.error:
            self._child(self._refused, call.app, call.error).inc()
        else:
            self._served(call, who)
        for one in call.attempts:
            if one.outcome != "ok" or len(call.attempts) > 1:
                self._child(self._retries, *_tried(call, one), one.error or one.outcome).inc()

    def _served(self, call: Observed, who: tuple[str, ...]) -> None:
        self._child(self._duration, *who).observe(call.ended - call.began)
        if call.first_token is not None:
            self._child(self._first, *who).observe(call.first_token - call.began)
        self._child(self._tokens, *who, "input").inc(call.input_tokens)
        self._child(self._tokens, *who, "output").inc(call.output_tokens)
        if call.cost_usd:
            self._child(self._cost, *who).inc(call.cost_usd)
        if call.surrogates:
            self._child(self._surrogates, call.app).inc(call.surrogates)

    def _child(self, metric: Any, *labels: str) -> Any:
        """The child of a metric; finding it through the library takes longer than counting."""
        key = (metric._name, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def close(self) -> None:
        """Send the spans that wait."""
        if self._tracer is not None:
            self._tracer.close()

    def page(self) -> bytes:
        """The metrics in Prometheus' text format."""
        self.fold()
        return bytes(generate_latest(self.registry))


def _tried(call: Observed, one: Attempt) -> tuple[str, str]:
    """Provider and model of one try; a target without a model of its own asked the provider's."""
    provider, _, rest = one.target.partition("/")
    return provider, rest.partition("@")[0] or call.model


def _facts(call: Observed) -> dict[str, Any]:
    return {
        "operation": call.operation,
        "app": call.app,
        "route": call.route,
        "provider": call.provider,
        "model": call.model,
        "status": call.status,
        "error": call.error or None,
        "stream": call.stream,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cost_usd": call.cost_usd,
        "surrogates": call.surrogates,
        "finish": call.finish or None,
        "seconds": round(call.ended - call.began, 6),
        "attempts": len(call.attempts),
    }


class JsonLines(logging.Formatter):
    """A log record as one JSON object per line. Only our own constant messages and counts are ever logged."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message and the facts of the record."""
        facts: Mapping[str, Any] = getattr(record, "facts", {})
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **facts,
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # the text of an exception may hold what a client wrote
        return json.dumps(line)


def open_tracer(endpoint: str, ratio: float, service: str) -> Tracer | None:
    """Spans to an OTLP/HTTP collector, for this share of the calls; ``None`` without an endpoint.

    Raises:
        MissingExtra: the extra ``telemetry`` is not installed.
    """
    if not endpoint:
        return None
    if find_spec("opentelemetry.sdk") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        raise MissingExtra("OpenTelemetry", "telemetry")
    return _OpenTelemetry(endpoint, ratio, service)


class _OpenTelemetry:
    """Spans of a finished call: one for the request, and one below it for each try at a model."""

    def __init__(self, endpoint: str, ratio: float, service: str) -> None:
        sdk: Any = import_module("opentelemetry.sdk.trace")  # part of an extra
        export: Any = import_module("opentelemetry.sdk.trace.export")
        sampling: Any = import_module("opentelemetry.sdk.trace.sampling")
        resources: Any = import_module("opentelemetry.sdk.resources")
        otlp: Any = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        self._api: Any = import_module("opentelemetry.trace")
        propagation: Any = import_module("opentelemetry.trace.propagation.tracecontext")
        self._propagator = propagation.TraceContextTextMapPropagator()
        self._provider = sdk.TracerProvider(
            resource=resources.Resource.create({"service.name": service, "service.version": __version__}),
            sampler=sampling.ParentBased(sampling.TraceIdRatioBased(ratio)),
        )
        self._provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer("careplane.gateway", __version__)

    def record(self, call: Observed, parent: str | None) -> None:
        """Make and end the spans of a call."""
        context = self._propagator.extract({"traceparent": parent}) if parent else None
        kind = self._api.SpanKind
        span = self._tracer.start_span(
            f"careplane {call.operation}", context, kind.SERVER, _attributes(call), start_time=_nanoseconds(call.began)
        )
        inside = self._api.set_span_in_context(span)
        for one in call.attempts:
            provider, model = _tried(call, one)
            facts = {"gen_ai.operation.name": call.operation, "gen_ai.provider.name": provider}
            if one.outcome != "ok":
                facts["error.type"] = one.error or one.outcome
            tried = self._tracer.start_span(
                f"{call.operation} {model}",
                inside,
                kind.CLIENT,
                {**facts, "gen_ai.request.model": model},
                start_time=_nanoseconds(call.ended - one.latency_ms / 1000),
            )
            tried.end(_nanoseconds(call.ended))
        span.end(_nanoseconds(call.ended))

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


def _attributes(call: Observed) -> dict[str, str | int | float | bool]:
    known: dict[str, str | int | float | bool] = {
        "gen_ai.operation.name": call.operation,
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.route,
        "gen_ai.response.model": call.model,
        "gen_ai.usage.input_tokens": call.input_tokens,
        "gen_ai.usage.output_tokens": call.output_tokens,
        "http.response.status_code": call.status,
        "careplane.app": call.app,
        "careplane.surrogates": call.surrogates,
    }
    if call.finish:
        known["gen_ai.response.finish_reasons"] = call.finish
    if call.error:
        known["error.type"] = call.error
    return known


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
