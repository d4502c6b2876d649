"""The data plane: the APIs that clients know, with a key per app.

=======================================  ============================================================
``POST /v1/chat/completions``            OpenAI Chat Completions, whole or streamed
``POST /v1/responses``                   OpenAI Responses, whole or streamed, without state
``POST /v1/messages``                    Anthropic Messages, whole or streamed
``POST /v1/embeddings``                  OpenAI Embeddings
``GET /v1/models``, ``/v1/models/NAME``  the aliases that the caller's app may name
``GET /health``, ``GET /metrics``        for operators
=======================================  ============================================================

The app's row of the register decides policy, route and limits. Every request ends in an audit record, those that are
refused as well, and every error has the shape that the client's API gives it.
"""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import unquote

from careplane.codecs import embeddings, model_list
from careplane.codecs.anthropic_messages import MESSAGES
from careplane.codecs.dialect import Asked, Dialect, Options, Problem
from careplane.codecs.field_names import recordable
from careplane.codecs.openai_chat import CHAT
from careplane.codecs.responses import RESPONSES
from careplane.errors import (
    CareplaneError,
    ChartError,
    InputError,
    LedgerError,
    LimitReached,
    NotFound,
    Refused,
    StoreError,
    UpstreamBusy,
    UpstreamRejected,
)
from careplane.gateway.exchange import MAX_BODY, Exchange
from careplane.gateway.gateway import Gateway
from careplane.gateway.pulse import Pulse
from careplane.gateway.standing import Caller, Standing, Unauthorised
from careplane.gateway.telemetry import METRICS_TYPE
from careplane.ledger import Ledger
from careplane.records import JSON
from careplane.records.model import Chunk, ModelReply, ModelRequest

_LARGE = 256 * 1024
_PAGES = ("/v1/models", "/health", "/metrics")
_ONE_MODEL = "/v1/models/"
_Asked = TypeVar("_Asked")
_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", "x-accel-buffering": "no"}
_DIALECTS: Mapping[str, Dialect] = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
}
_NAMED = frozenset({*_DIALECTS, "/v1/embeddings", "/v1/models"})
_OFFERED = "POST /v1/chat/completions, /v1/responses, /v1/messages, /v1/embeddings and GET /v1/models"
_AGAIN_SECONDS = 5.0
_PROCESS = secrets.token_hex(8)
_NUMBERS = itertools.count(1)


class TooLarge(InputError):
    """The body is larger than :data:`careplane.gateway.exchange.MAX_BODY`."""

    status = 413


@dataclass(frozen=True, slots=True)
class DataPlane:
    """Serves exchanges; :meth:`serve` is a :data:`careplane.gateway.exchange.Handler`."""

    gateway: Gateway
    standing: Standing
    ledger: Ledger
    clock: Callable[[], datetime]
    metrics_token: str = ""

    async def serve(self, exchange: Exchange) -> None:
        """Serve one exchange."""
        dialect = _DIALECTS.get(exchange.path)
        if dialect is not None and exchange.method == "POST":
            await self._generate(exchange, dialect)
        elif exchange.path == "/v1/embeddings" and exchange.method == "POST":
            await self._embed(exchange)
        elif exchange.method == "GET" and (exchange.path in _PAGES or exchange.path.startswith(_ONE_MODEL)):
            await self._get(exchange)
        else:
            await self._refuse(exchange, dialect or CHAT, NotFound(f"There is nothing here, only {_OFFERED}."))

    async def _generate(self, exchange: Exchange, dialect: Dialect) -> None:
        try:
            caller = await self._caller(exchange)
            self.standing.check(caller)
            asked = await _read(dialect.read, exchange)
            request = _chat_request(f"{dialect.prefix}{_ident()}", caller, asked, self._aliases, len(exchange.body))
        except CareplaneError as error:
            await self._refuse(exchange, dialect, error)
            return
        try:
            if asked.stream:
                await self._stream(exchange, dialect, asked, request)
            else:
                reply = await self.gateway.complete(request)
                body = dialect.whole(request.id, asked.model, self._now(), asked, reply)
                await exchange.reply(200, {**_JSON, "x-request-id": request.id}, body)
        except CareplaneError as error:  # the gateway has it on record
            await self._fail(exchange, dialect, error)

    async def _stream(self, exchange: Exchange, dialect: Dialect, asked: Asked, request: ModelRequest) -> None:
        """The first event is awaited here, so that a failure before it is an HTTP error and not a broken stream."""
        encoder = dialect.stream(request.id, asked.model, self._now(), asked)
        async with aclosing(self.gateway.events(request)) as events:
            event: Chunk | ModelReply = await anext(events)
            await exchange.begin(200, {**_EVENTS, "x-request-id": request.id})
            await exchange.write(encoder.start())
            pulse = Pulse(exchange, encoder)
            try:
                while isinstance(event, Chunk):
                    await pulse.write(encoder.chunk(event))
                    event = await anext(events)
                await pulse.write(encoder.end(event.finish_reason, event.call.usage))
            except CareplaneError as error:
                await pulse.write(encoder.error(problem(error)))
            finally:
                pulse.end()
            await exchange.end()

    async def _embed(self, exchange: Exchange) -> None:
        try:
            caller = await self._caller(exchange)
            self.standing.check(caller)
            asked = await _read(embeddings.read, exchange)
            request = _request(
                f"embd-{_ident()}", caller, asked.model, {}, asked.options, self._aliases, len(exchange.body)
            )
        except CareplaneError as error:
            await self._refuse(exchange, CHAT, error)
            return
        try:
            vectors, usage = await self.gateway.embed(request, asked.inputs, asked.dimensions)
        except CareplaneError as error:
            await self._fail(exchange, CHAT, error)
            return
        body = embeddings.whole(asked.model, asked, vectors, usage.input_tokens)
        await exchange.reply(200, {**_JSON, "x-request-id": request.id}, body)

    @property
    def _aliases(self) -> tuple[str, ...]:
        return self.gateway.routes.aliases

    async def _get(self, exchange: Exchange) -> None:
        if exchange.path == "/health":
            await exchange.reply(200, _JSON, b'{"status":"ok"}')
            return
        try:
            if exchange.path == "/metrics":
                self._check_operator(exchange)
                await exchange.reply(200, {"content-type": METRICS_TYPE}, self.gateway.parts.telemetry.page())
                return
            caller = await self._caller(exchange)
            self.standing.check(caller)
            body = self._model_page(exchange.path, caller)
        except CareplaneError as error:
            await self._refuse(exchange, CHAT, error)
            return
        await exchange.reply(200, _JSON, body)

    def _model_page(self, path: str, caller: Caller) -> bytes:
        if not path.startswith(_ONE_MODEL):
            return model_list.models(_models(caller), self._now())
        name = unquote(path.removeprefix(_ONE_MODEL))
        _check_model(caller, name, self._aliases)
        return model_list.model(name, self._now())

    def _check_operator(self, exchange: Exchange) -> None:
        given = _key(exchange.headers)
        if not self.metrics_token or not secrets.compare_digest(given.encode(), self.metrics_token.encode()):
            raise Unauthorised("Give the token of the setting metrics_token as 'Authorization: Bearer ...'.")

    async def _caller(self, exchange: Exchange) -> Caller:
        key = _key(exchange.headers)
        if not key:
            raise Unauthorised("Give a key of a registered app as 'Authorization: Bearer cp-...'.")
        return await self.standing.caller(key)

    async def _refuse(self, exchange: Exchange, dialect: Dialect, error: CareplaneError) -> None:
        """Refuse what did not become a call, with an audit record of its own."""
        facts: dict[str, str | int | float | bool | None] = {
            "status": error.status,
            "error": type(error).__name__,
            "field": _field(error),
            "path": exchange.path if exchange.path in _NAMED else "other",
        }
        app, key = self.standing.owner(_key(exchange.headers))
        try:
            await self.ledger.append_async("request_refused", at=self.clock(), app=app, actor=key, facts=facts)
        except CareplaneError as failure:
            error = failure
        await self._fail(exchange, dialect, error)

    async def _fail(self, exchange: Exchange, dialect: Dialect, error: CareplaneError) -> None:
        told = problem(error)
        headers = dict(_JSON)
        if told.status == 401:
            headers["www-authenticate"] = "Bearer"
        if told.retry_after is not None:
            headers["retry-after"] = str(max(1, round(told.retry_after)))
        await exchange.reply(told.status, headers, dialect.error(told))

    def _now(self) -> int:
        return int(self.clock().timestamp())


async def _read(read: Callable[[bytes], _Asked], exchange: Exchange) -> _Asked:
    """What a body asks; a large one is read in a thread, so that others need not wait for it."""
    body = _body(exchange)
    return read(body) if len(body) <= _LARGE else await asyncio.to_thread(read, body)


def _body(exchange: Exchange) -> bytes:
    if exchange.too_large:
        raise TooLarge(f"the body is larger than {MAX_BODY // (1024 * 1024)} MiB")
    return exchange.body


def _key(headers: Mapping[str, str]) -> str:
    """The key of a request, where OpenAI's clients put it or where Anthropic's do."""
    given = headers.get("authorization")
    if given is None:
        return headers.get("x-api-key", "").strip()
    scheme, _, key = given.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _models(caller: Caller) -> tuple[str, ...]:
    route = caller.entitled.route
    return tuple(dict.fromkeys((route.model, *route.also)))


def _check_model(caller: Caller, model: str, known: tuple[str, ...]) -> None:
    entitled = _models(caller)
    if model in entitled:
        return
    if model not in known:
        raise NotFound(f"There is no such model. This app may use: {', '.join(entitled)}.")
    raise Refused(
        [f"The app {caller.entitled.app} is not entitled to the model {model!r}."],
        f"Use {', '.join(entitled)}, or change the route of the app on the register.",
    )


def _site(caller: Caller, named: str | None) -> str | None:
    """The site that a request is of: that of the key, which a client can neither leave out nor change.

    Raises:
        Refused: the request names another one.
    """
    if caller.site is None or named in (None, caller.site):
        return caller.site or named
    raise Refused(
        ["The key is of another site than careplane.site names."],
        "Leave careplane.site out, or use a key of that site: careplane key issue --help",
    )


def _field(error: CareplaneError) -> str | None:
    """The field at fault, for the record: without names that a client made up."""
    field = error.field if isinstance(error, InputError) else None
    return None if field is None else recordable(field)


_CODES = {
    400: "invalid_request",
    401: "invalid_api_key",
    403: "permission_denied",
    404: "not_found",
    409: "conflict",
    413: "request_too_large",
}


_OURS = {
    LedgerError: "The audit record could not be made durable, so there is no reply. Tell the operator.",
    StoreError: "The database of the gateway does not answer, so nothing runs. Tell the operator.",
}
"""What a client is told instead of an error that names files or hosts of ours; those are for the operator."""


def problem(error: CareplaneError) -> Problem:
    """An error as a client of an API is to see it: our own words, never an upstream's."""
    param = error.field if isinstance(error, InputError) else None
    if isinstance(error, ChartError):
        param = "careplane.context"
    status, code, again = error.status, _CODES.get(error.status, ""), None
    if isinstance(error, LimitReached):
        code, again = error.code, error.retry_after
    elif isinstance(error, UpstreamRejected):
        if error.code in ("invalid_request", "context_length_exceeded", "content_filter"):
            status, code = 400, error.code
        else:
            status, code = 502, f"upstream_{error.code}"
    elif isinstance(error, UpstreamBusy):
        code, again = "upstream_busy", error.retry_after or _AGAIN_SECONDS
    elif status >= 500:
        kind = LedgerError if isinstance(error, LedgerError) else type(error)
        code, again = _snake(kind.__name__), _AGAIN_SECONDS
    told = next((words for kind, words in _OURS.items() if isinstance(error, kind)), None) or str(error)
    return Problem(status=status, code=code, message=told, param=param, retry_after=again)


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


def _ident() -> str:
    """A name for a call, of its own over all processes. Drawing each at random would cost a system call."""
    return f"{_PROCESS}{next(_NUMBERS):08x}"


def _chat_request(ident: str, caller: Caller, asked: Asked, aliases: tuple[str, ...], size: int) -> ModelRequest:
    """What an app asked, no longer than its manifest allows."""
    limit = caller.entitled.route.max_tokens
    body = {**asked.body, "max_tokens": min(asked.body.get("max_tokens") or limit, limit)}
    if any(part.get("type") != "text" for message in body["messages"] for part in _parts(message)):
        size = 0  # an image has many bytes and few tokens
    return _request(ident, caller, asked.model, body, asked.options, aliases, size)


def _parts(message: JSON) -> list[JSON]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _request(
    ident: str, caller: Caller, model: str, body: JSON, options: Options, aliases: tuple[str, ...], size: int
) -> ModelRequest:
    """A request, with what the app's manifest says about it.

    Raises:
        NotFound, Refused: the app may not name this model, or the key not this site.
    """
    _check_model(caller, model, aliases)
    entitled = caller.entitled
    return ModelRequest(
        id=ident,
        app=entitled.app,
        route=model,
        body=body,
        policy=entitled.data_policy,
        guards=entitled.guards,
        version=entitled.version,
        tier=entitled.tier,
        key=caller.key,
        site=_site(caller, options.site),
        told_site=caller.site is None and options.site is not None,
        patient=options.patient,
        encounter=options.encounter,
        purpose=options.purpose,
        conversation=options.conversation,
        chart=options.context,
        untrusted=options.untrusted,
        cache=options.cache and entitled.cache,
        size=size,
    )
