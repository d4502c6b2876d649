"""The only road to a model: admission, shield, provider, restoration, guards, metering, and a durable record before a
reply leaves.

One call goes through :meth:`Gateway.complete` (the whole reply) or :meth:`Gateway.events` (as it comes). What was used
is metered and on record before the last piece leaves, whatever becomes of the client meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime

import anyio.to_thread

from careplane.errors import CareplaneError, LedgerError, NotFound, UpstreamRejected
from careplane.gateway.admitting import Admitted, Signal, admit, check_consent
from careplane.gateway.attempts import Caller
from careplane.gateway.budgets import Budgets
from careplane.gateway.cache import ReplyCache, why_not
from careplane.gateway.call import (
    Call,
    Fact,
    Held,
    aclosing_if,
    asked_of,
    asker,
    characters,
    need_of,
    subjects_of,
    whole_chunk,
)
from careplane.gateway.frame import Frame
from careplane.gateway.limits import Limits, Quota
from careplane.gateway.metering import Meter
from careplane.gateway.prices import Prices, cost, most_tokens, most_tokens_of, shipped
from careplane.gateway.replying import Returning
from careplane.gateway.routing import LOCAL, Route, Routes, Target
from careplane.gateway.shadow import Shadows, worst_of
from careplane.gateway.standing import Stops
from careplane.gateway.telemetry import Observed, Telemetry
from careplane.ledger import Ledger, trusted
from careplane.ledger.facts import MAX_TEXT
from careplane.providers import Provider
from careplane.records.model import ChatRequest, Chunk, Embeddings, EmbedRequest, ModelReply, ModelRequest, Price, Usage
from careplane.shield import Protected, Shield
from careplane.shield.guards import schema_of
from careplane.shield.surrogates import SurrogateMap
from careplane.shield.vault import Vault

log = logging.getLogger("careplane.gateway")
_UNSEEN = ("identifiable", "limited")
"""Policies under which identifiers may leave uncounted, so that every request may hold some."""
_INSIDE = Price(source="runs inside this installation")
INLINE_CHARACTERS = 32_768
"""A longer prompt is protected in a thread, so that the other calls of the loop do not wait for it."""


@dataclass(slots=True)
class Parts:
    """What a gateway is made of besides its models and its ledger; each default limits nothing."""

    caller: Caller = field(default_factory=Caller)
    prices: Prices = field(default_factory=shipped)
    telemetry: Telemetry = field(default_factory=Telemetry)
    shadows: Shadows = field(default_factory=Shadows)
    stops: Stops | None = None
    signal: Signal | None = None
    limits: Limits | None = None
    budgets: Budgets | None = None
    cache: ReplyCache | None = None
    vault: Vault | None = None


class Gateway:
    """Routes by alias. ``clock`` gives the time that records carry; latency is always real time.

    Args:
        providers: opened, by the name that targets use.
        routes: what the aliases mean.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        routes: Routes,
        ledger: Ledger,
        clock: Callable[[], datetime],
        parts: Parts | None = None,
    ) -> None:
        self.routes = routes
        self.parts = parts or Parts()
        self._providers = dict(providers)
        self._ledger = ledger
        self._clock = clock
        self._after: set[asyncio.Future[None]] = set()
        self._unwritten = False

    def models(self, alias: str, app: str, tier: int | None) -> tuple[str, ...]:
        """The names of the models that may answer an app on an alias, in the order they are tried; empty without a
        route."""
        try:
            route = self.routes.find(alias, app, tier)
        except NotFound:
            return ()
        serving = [one for one in (*route.targets, *route.fallbacks) if one.weight > 0]
        return tuple(dict.fromkeys(one.model or self._providers[one.provider].model for one in serving))

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole reply, once its record is durable.

        Raises:
            NotFound: no such route.
            Refused: the data policy, a guard, a limit or a stop says no.
            ShieldError: the shield failed; nothing left.
            UpstreamError: the provider failed (recorded as ``model_error``).
            LedgerError: the record could not be written; the reply stays here.
        """
        async with await self._open(request, stream=False) as frame:
            call = frame.call
            if call.kept is None:
                await self._start(frame)
                tries = frame.tries = self.parts.caller.begin(call.targets, call.route.timeouts)
                chunks = await tries.once(self._collecting(call), timed=False)
                for chunk in chunks:
                    call.meter.see(chunk)
                call.returning.take_all(chunks)
            return await self._close(frame)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[str, None]:
        """The text of the reply in pieces, originals restored; errors as in :meth:`complete`."""
        async with aclosing(self.events(request)) as events:
            async for event in events:
                if isinstance(event, Chunk) and event.text:
                    yield event.text

    async def events(self, request: ModelRequest) -> AsyncGenerator[Chunk | ModelReply, None]:
        """The pieces of the reply, then the whole of it with its call.

        The start is on record before the first piece leaves, and the call before the last one does. Closing the
        iterator early cancels the provider and records what was used (``model_call`` with ``finish`` "aborted").
        """
        async with await self._open(request, stream=True) as frame:
            await self.append("model_stream_started", frame.call, **frame.reserved)
            held: Chunk | None = None
            async with aclosing(self._pieces(frame)) as pieces:
                async for piece in pieces:
                    if held is not None:
                        yield held
                    held = piece
            reply = await self._close(frame)
            if held is not None:
                yield held
            yield reply

    async def _pieces(self, frame: Frame) -> AsyncGenerator[Chunk, None]:
        """What a client may see of the reply, in order; a reply that was kept is one piece."""
        call = frame.call
        if call.kept is not None:
            yield whole_chunk(call.kept)
            return
        async with aclosing(self._chunks(frame)) as chunks:
            async for chunk in chunks:
                piece = call.returning.take(chunk)
                if piece is not None:
                    yield piece
        rest = call.returning.finish()
        if rest is not None:
            yield rest

    async def embed(
        self, request: ModelRequest, inputs: tuple[str, ...], dimensions: int | None
    ) -> tuple[Embeddings, Usage]:
        """One vector per text and what it took, once the call is on record; identifiers are replaced before they leave.

        Raises:
            as :meth:`complete`.
        """
        async with await self._open(request, stream=False, inputs=inputs) as frame:
            call = frame.call
            sent = call.session.texts

            async def ask(target: Target) -> Embeddings:
                provider = self._provider(target)
                call.target, call.provider, call.meter.price = target, provider.name, self._price(target)
                if provider.embed is None:
                    raise UpstreamRejected("This model makes no embeddings.", "not_found")
                asked = EmbedRequest(key=request.id, model=target.model, inputs=sent, dimensions=dimensions)
                return await provider.embed(asked)

            await self._start(frame)
            tries = self.parts.caller.begin(call.targets, call.route.timeouts)
            frame.tries = tries
            vectors = await tries.once(ask)
            call.meter.see(Chunk(input_tokens=vectors.input_tokens, output_tokens=0))
            call.returning.reply.finish_reason = "stop"
            await self._close(frame)
            return vectors, call.usage

    async def aclose(self) -> None:
        """Wait for the records of calls whose callers have gone, and end shadow traffic."""
        await self.parts.shadows.close()
        if self._after:
            await asyncio.wait(set(self._after))

    # ---- opening and closing

    async def _open(self, request: ModelRequest, *, stream: bool, inputs: tuple[str, ...] | None = None) -> Frame:
        """Everything that is decided before a model is asked; a refusal is on record as ``model_refused``."""
        operation = "chat" if inputs is None else "embeddings"
        observed = Observed(operation, app=request.app, began=time.time(), stream=stream)
        self.parts.telemetry.entered()
        held: Held | None = None
        try:
            if self.parts.stops is not None:
                self.parts.stops.check(request.app, request.site, request.version)
            route = self.routes.find(request.route, request.app, request.tier)
            observed.route = route.alias
            admitted = admit(request, self.parts.signal)
            need = need_of(request, embeddings=inputs is not None)
            targets = self.routes.plan(route, need, self.parts.caller.healthy)
            check_consent(request, targets, self._clock())
            held = await self._hold(request, targets)
            session = await self._protected(request, admitted, inputs)
            call = self._call(request, route, targets, session, admitted, observed, stream=stream)
            call.need = need
            if inputs is None:
                self._look_up(call)
        except BaseException as error:
            if held is not None:
                held.release(0, 0.0)
            await self._refused(request, observed, error)
            raise
        return Frame(call, held, self.parts.stops, self.parts.telemetry, self)

    def _subjects(self, request: ModelRequest) -> tuple[str, ...]:
        """Whose limits and budgets count. A site that only the client names counts where one is set for it: any other
        word would be kept in the store as if it were a site."""
        subjects = subjects_of(request)
        if not request.told_site:
            return subjects
        limits, budgets, site = self.parts.limits, self.parts.budgets, f"site:{request.site}"
        known = (limits is not None and limits.quota(site) != Quota()) or (
            budgets is not None and budgets.budget(site) is not None
        )
        return subjects if known else tuple(subject for subject in subjects if subject != site)

    async def _hold(self, request: ModelRequest, targets: Sequence[Target]) -> Held | None:
        """Room within the limits and money from the budgets, for the worst case."""
        limits, budgets = self.parts.limits, self.parts.budgets
        if limits is None and budgets is None:
            return None
        subjects = self._subjects(request)
        most = int(request.body.get("max_tokens") or 0)
        reading = most_tokens_of(request.size) if request.size else most_tokens(request.body)
        prices = [self._price(target) for target in targets] if budgets is not None else [None]
        worst = None if None in prices else max(cost(price, reading, most) for price in prices if price)
        held = Held()
        if limits is not None:
            held.permit = await limits.admit(subjects, reading + most)
        if budgets is not None:
            try:
                held.hold = await budgets.reserve(subjects, worst)
            except BaseException:
                held.release(0, 0.0)
                raise
        return held

    async def _protected(self, request: ModelRequest, admitted: Admitted, inputs: tuple[str, ...] | None) -> Protected:
        if request.conversation is not None and self.parts.vault is not None:
            return await anyio.to_thread.run_sync(self._in_conversation, self.parts.vault, request, admitted, inputs)
        policy = request.policy
        shield = Shield(request.chart, policy.phi, policy.surrogates, dates=policy.dates)
        if inputs is not None:
            return await anyio.to_thread.run_sync(shield.texts, inputs)
        if characters(admitted.body) > INLINE_CHARACTERS:
            return await anyio.to_thread.run_sync(shield.request, admitted.body)
        return shield.request(admitted.body)

    def _in_conversation(
        self, vault: Vault, request: ModelRequest, admitted: Admitted, inputs: tuple[str, ...] | None
    ) -> Protected:
        """The same with the surrogates of the calls before, which other workers may have served."""
        policy = request.policy

        def protect(table: SurrogateMap) -> Protected:
            shield = Shield(request.chart, policy.phi, policy.surrogates, dates=policy.dates, known=table)
            return shield.request(admitted.body) if inputs is None else shield.texts(inputs)

        name = f"{request.app}/{request.patient or '-'}/{request.conversation}"
        realistic, shifted = policy.surrogates == "realistic", policy.dates == "shifted"
        return vault.update(name, protect, realistic=realistic, shifted=shifted)

    def _call(
        self,
        request: ModelRequest,
        route: Route,
        targets: tuple[Target, ...],
        session: Protected,
        admitted: Admitted,
        observed: Observed,
        *,
        stream: bool,
    ) -> Call:
        as_json, schema = schema_of(request.body.get("response_format"))
        size = characters(admitted.body)
        return Call(
            request=request,
            route=route,
            targets=targets,
            session=session,
            returning=Returning(session, admitted.tools, request.guards.links, as_json=as_json),
            meter=Meter(size, self._price(targets[0])),
            observed=observed,
            at=self._clock(),
            stream=stream,
            injection=admitted.injection,
            as_json=as_json,
            schema=schema,
        )

    def _look_up(self, call: Call) -> None:
        """Whether the same request had a reply before that may be given again."""
        request, cache = call.request, self.parts.cache
        if cache is None or not request.cache:
            return
        refused = why_not(
            request.body,
            app_opted_in=True,
            request_opted_in=True,
            stream=call.stream,
            patient=request.patient,
            identifiers=call.session.count or (request.policy.phi in _UNSEEN),
        )
        if refused is None:
            call.cache_key = cache.key(asked_of(request, call.targets[0].model))
            call.kept = cache.get(call.cache_key)

    async def _close(self, frame: Frame) -> ModelReply:
        """Check the reply as a whole, make its record durable, and give it."""
        call = frame.call
        if frame.tries is not None:
            call.attempts = frame.tries.attempts
        call.finish = (call.kept or call.returning.reply).finish_reason or "stop"
        if call.kept is None:
            call.check_schema()
        call.used = call.usage
        await self.append("model_call", call)
        frame.closed = True
        reply = call.reply()
        if call.cache_key is not None and call.kept is None and self.parts.cache is not None:
            self.parts.cache.put(call.cache_key, reply)
        self._offer_shadow(call)
        return reply

    async def _refused(self, request: ModelRequest, observed: Observed, error: BaseException) -> None:
        """A call that was not made is on record too, unless its caller left before it was decided."""
        status = error.status if isinstance(error, CareplaneError) else 499
        observed.status, observed.error, observed.ended = status, type(error).__name__, time.time()
        self.parts.telemetry.left(observed)
        if not isinstance(error, CareplaneError):
            return
        await self._ledger.append_async(
            "model_refused",
            at=self._clock(),
            run=request.run,
            app=request.app,
            actor=request.key,
            facts={
                "call": request.id,
                "route": observed.route,
                "status": error.status,
                "error": type(error).__name__,
                **asker(request, self._ledger),
            },
        )

    # ---- the way to the model

    async def _chunks(self, frame: Frame) -> AsyncGenerator[Chunk, None]:
        call = frame.call
        tries = self.parts.caller.begin(call.targets, call.route.timeouts)
        frame.tries = tries
        async with aclosing(tries.stream(self._ask(call))) as chunks:
            async for chunk in chunks:
                if call.observed.first_token is None:
                    call.observed.first_token = time.time()
                call.meter.see(chunk)
                yield chunk

    def _collecting(self, call: Call) -> Callable[[Target], Awaitable[list[Chunk]]]:
        """The chunks of a whole reply. Time is limited by the frame of the call alone: every timer costs."""
        ask = self._ask(call)

        async def collect(target: Target) -> list[Chunk]:
            async with aclosing_if(ask(target)) as chunks:
                return [chunk async for chunk in chunks]

        return collect

    def _ask(self, call: Call) -> Callable[[Target], AsyncIterator[Chunk]]:
        def ask(target: Target) -> AsyncIterator[Chunk]:
            provider = self._provider(target)
            call.target, call.provider, call.asked = target, provider.name, target.model or provider.model
            call.meter.price = self._price(target)
            sent = ChatRequest(key=call.request.id, model=target.model, body=call.session.body, stream=call.stream)
            return provider.chat(sent)

        return ask

    def _price(self, target: Target) -> Price | None:
        """What a target costs: as the route or the provider says, else by the price files; inside nothing per token."""
        if target.price is not None:
            return target.price
        provider = self._provider(target)
        if provider.price is not None:
            return provider.price
        if target.region == LOCAL:
            return _INSIDE
        model = target.model or provider.model
        lists = (provider.name, "openai", "gemini") if provider.name == "openai_compatible" else (provider.name,)
        return next(filter(None, (self.parts.prices.find(name, model) for name in lists)), None)

    def _provider(self, target: Target) -> Provider:
        provider = self._providers.get(target.provider)
        if provider is None:
            raise NotFound(f"The route names a provider {target.provider!r} that is not configured.")
        return provider

    def _offer_shadow(self, call: Call) -> None:
        """Let the candidate of the route answer a copy, now that the client has its reply."""
        target = None if call.need is None else self.routes.shadow(call.route, call.need)
        if target is None or call.kept is not None or call.observed.operation != "chat":
            return

        async def copy() -> None:
            request, budgets, provider = call.request, self.parts.budgets, self._provider(target)
            meter = Meter(characters(request.body), self._price(target))
            sent = ChatRequest(key=f"{request.id}-shadow", model=target.model, body=call.session.body, stream=False)
            hold = None
            if budgets is not None:
                hold = await budgets.reserve(self._subjects(request), worst_of(meter.price, request.body))
            try:
                async with aclosing_if(provider.chat(sent)) as chunks:
                    async for chunk in chunks:
                        meter.see(chunk)
            finally:
                if hold is not None:
                    hold.settle(meter.usage.cost_usd)
            usage = meter.usage
            facts: dict[str, Fact] = {
                "call": request.id,
                "provider": provider.name,
                "model": target.model or provider.model,
                "target": f"{target.provider}/{target.model or provider.model}@{target.region}"[:MAX_TEXT],
                **asker(request, self._ledger),
                "surrogates": call.session.count,
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cost_usd": usage.cost_usd,
            }
            if budgets is not None:
                facts["holder"] = budgets.holder
            await self._ledger.append_async(
                "model_shadow", at=self._clock(), run=request.run, app=request.app, actor=request.key, facts=facts
            )

        self.parts.shadows.offer(copy)

    # ---- the record

    async def _start(self, frame: Frame) -> None:
        """While the ledger could not be written, a whole call, too, is on record before it leaves: what cannot be
        recorded goes to nobody. Else its one record is that of its end."""
        if self._unwritten:
            await self.append("model_stream_started", frame.call, **frame.reserved)

    async def append(self, kind: str, call: Call, **more: Fact) -> None:
        """Record a call as it is now; durable when this returns."""
        try:
            await self._append(kind, call, more)
        except LedgerError as error:
            if not self._unwritten:
                log.warning("the audit ledger cannot be written, calls are refused: %s", error)
            self._unwritten = True
            raise
        if self._unwritten:
            log.warning("the audit ledger is written again")
        self._unwritten = False

    async def _append(self, kind: str, call: Call, more: Mapping[str, Fact]) -> None:
        facts = call.facts(self._ledger)
        if self.parts.budgets is not None:
            facts["holder"] = self.parts.budgets.holder
        facts.update(more)
        request = call.request
        await self._ledger.append_async(
            kind, at=self._clock(), run=request.run, app=request.app, actor=request.key, facts=trusted(facts)
        )

    def later(self, call: Call) -> None:
        """Record a call whose caller is gone: its task is being cancelled and may not wait."""
        call.finish = "aborted"
        self._keep(self.append("model_call", call))

    def _keep(self, work: Awaitable[object]) -> None:
        """Let something go on that nobody waits for; :meth:`aclose` does."""
        task = asyncio.ensure_future(_logged(work))
        self._after.add(task)
        task.add_done_callback(self._after.discard)


async def _logged(work: Awaitable[object]) -> None:
    """A record that nobody waits for: where the ledger cannot take it, the log says so."""
    try:
        await work
    except LedgerError:
        log.warning("a record could not be written", extra={"facts": {"error": "LedgerError"}})
