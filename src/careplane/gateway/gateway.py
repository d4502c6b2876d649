"""The only road to a model: shield, provider, restoration, metering, and a durable record before a reply leaves."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import anyio.to_thread

from careplane.errors import NotFound, UpstreamError, UpstreamTimeout
from careplane.gateway.metering import Meter
from careplane.ledger import Ledger
from careplane.providers import ChatRequest, Provider
from careplane.records.model import ModelCall, ModelReply, ModelRequest, texts
from careplane.shield import Protected, protect


@dataclass(frozen=True, slots=True)
class _Call:
    """One call under way."""

    request: ModelRequest
    provider: Provider
    protected: Protected
    meter: Meter
    at: datetime
    began: float

    @property
    def record(self) -> ModelCall:
        return ModelCall(
            id=self.request.id,
            route=self.request.route,
            provider=self.provider.name,
            model=self.provider.model,
            usage=self.meter.usage,
            latency_ms=(time.perf_counter() - self.began) * 1000,
            surrogates=self.protected.count,
            at=self.at,
        )


class Gateway:
    """Routes by alias. ``clock`` gives the time that records carry; latency is always real time."""

    def __init__(
        self,
        routes: Mapping[str, Provider],
        ledger: Ledger,
        clock: Callable[[], datetime],
        timeout_seconds: float = 120.0,
    ) -> None:
        self.routes = dict(routes)
        self._ledger = ledger
        self._clock = clock
        self._timeout = timeout_seconds

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole reply, once its record is durable.

        Raises:
            NotFound: no such route.
            Refused: the data policy lets nothing of this out.
            ShieldError: the shield failed; nothing left.
            UpstreamError: the provider failed (recorded as ``model_error``).
            LedgerError: the record could not be written; the reply stays here.
        """
        call = self._begin(request)
        parts: list[str] = []
        async with aclosing(self._received(call)) as pieces:
            async for piece in pieces:
                parts.append(piece)
        await self._append("model_call", call)
        return ModelReply(text="".join(parts), call=call.record, finish_reason=call.meter.finish_reason)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[str, None]:
        """The reply in pieces, originals restored; errors as in :meth:`complete`."""
        async with aclosing(self.events(request)) as events:
            async for event in events:
                if isinstance(event, str):
                    yield event

    async def events(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        """The pieces of the reply, then the whole of it with its call.

        The start is on record before the first piece leaves, and the call before the last one does. Closing the
        iterator early cancels the provider and records what was used (``model_call`` with ``finish`` "aborted").
        """
        call = self._begin(request)
        await self._append("model_stream_started", call)
        parts: list[str] = []
        async with aclosing(self._received(call)) as pieces:
            async for piece in pieces:
                if parts:
                    yield parts[-1]
                parts.append(piece)
        await self._append("model_call", call)
        if parts:
            yield parts[-1]
        yield ModelReply(text="".join(parts), call=call.record, finish_reason=call.meter.finish_reason)

    def _begin(self, request: ModelRequest) -> _Call:
        provider = self.routes.get(request.route)
        if provider is None:
            raise NotFound(f"There is no model route {request.route!r}. Known: {', '.join(sorted(self.routes))}.")
        protected = protect(texts(request.body), request.chart, request.policy, request.surrogates)
        meter = Meter(provider, protected.messages)
        return _Call(request, provider, protected, meter, self._clock(), time.perf_counter())

    async def _received(self, call: _Call) -> AsyncGenerator[str, None]:
        """What the provider sends, restored; its failure is recorded and raised."""
        sent = ChatRequest(
            key=call.request.id,
            model=call.provider.model,
            body={
                **call.request.body,
                "messages": [{"role": message.role, "content": message.content} for message in call.protected.messages],
            },
        )
        restorer = call.protected.restorer()
        deadline = call.began + self._timeout
        chunks = call.provider.chat(sent)
        settled = False
        try:
            while True:
                async with asyncio.timeout(max(0.0, deadline - time.perf_counter())):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                call.meter.see(chunk)
                if piece := restorer.feed(chunk.text):
                    yield piece
            if piece := restorer.finish():
                yield piece
            settled = True
        except TimeoutError as error:
            settled = True
            await self._append("model_error", call, error="UpstreamTimeout")
            raise UpstreamTimeout(f"The model did not answer within {self._timeout:g} seconds.") from error
        except UpstreamError as error:
            settled = True
            await self._append("model_error", call, error=type(error).__name__)
            raise
        finally:
            if not settled:
                # The caller is gone and this task is being cancelled: it may not wait for another thread.
                call.meter.finish_reason = "aborted"
                self._append_now("model_call", call)
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    async def _append(self, kind: str, call: _Call, **facts: str) -> None:
        await anyio.to_thread.run_sync(partial(self._append_now, kind, call, **facts))

    def _append_now(self, kind: str, call: _Call, **facts: str) -> None:
        record = call.record
        self._ledger.append(
            kind,
            at=self._clock(),
            run=call.request.run,
            app=call.request.app,
            facts={
                "call": record.id,
                "route": record.route,
                "provider": record.provider,
                "model": record.model,
                "policy": call.request.policy,
                "surrogates": record.surrogates,
                "input_tokens": record.usage.input_tokens,
                "output_tokens": record.usage.output_tokens,
                "tokens_estimated": record.usage.estimated,
                "cost_usd": record.usage.cost_usd,
                "latency_ms": round(record.latency_ms, 3),
                "finish": call.meter.finish_reason,
                **facts,
            },
        )
