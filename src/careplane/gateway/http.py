"""The data plane over HTTP: OpenAI's Chat Completions, with a key per app.

``POST /v1/chat/completions`` (whole or streamed) and ``GET /v1/models``. The app's register row decides policy, route
and limits. A body may carry ``{"careplane": {"context": <FHIR Bundle>}}``: its identifiers are looked for by name.
"""

import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from careplane.codecs import openai
from careplane.errors import CareplaneError, InputError, NotFound, Refused
from careplane.gateway.gateway import Gateway
from careplane.gateway.keys import app_of_key
from careplane.records.app import AppSpec
from careplane.records.model import ModelReply, ModelRequest
from careplane.store import Store

MAX_BODY = 2 * 1024 * 1024
_KINDS = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error"}


class _Unauthorised(CareplaneError):
    """No key, or one that is unknown or revoked."""

    status = 401


class _TooLarge(InputError):
    """The body is larger than :data:`MAX_BODY`."""

    status = 413


def routes(
    gateway: Gateway, store: Store, entitle: Callable[[str], AppSpec], clock: Callable[[], datetime]
) -> list[BaseRoute]:
    """The routes of the data plane; ``entitle`` answers whether an app may run, or raises ``Refused``."""
    plane = _DataPlane(gateway, store, entitle, clock)
    return [
        Route("/v1/chat/completions", plane.chat, methods=["POST"]),
        Route("/v1/models", plane.models, methods=["GET"]),
        Route("/v1/{path:path}", _nothing_here, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]


async def _nothing_here(request: Request) -> Response:
    """What a client of the API gets elsewhere: an error in the API's shape, never a page for people."""
    offered = "POST /v1/chat/completions and GET /v1/models"
    return error_response(NotFound(f"There is no {request.method} {request.url.path} here, only {offered}."))


class _DataPlane:
    def __init__(
        self,
        gateway: Gateway,
        store: Store,
        entitle: Callable[[str], AppSpec],
        clock: Callable[[], datetime],
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._entitle = entitle
        self._clock = clock

    async def models(self, request: Request) -> Response:
        """The model routes that the caller's app may name."""
        try:
            spec = await self._caller(request)
        except CareplaneError as error:
            return error_response(error)
        listed = [{"id": spec.route.model, "object": "model", "created": 0, "owned_by": "careplane"}]
        return JSONResponse({"object": "list", "data": listed})

    async def chat(self, request: Request) -> Response:
        """One chat completion."""
        try:
            spec = await self._caller(request)
            body = openai.read_chat(await _read(request))
            asked = self._request(spec, body)
            if body.stream:
                return await self._stream(asked, include_usage=body.include_usage)
            reply = await _unless_gone(request, self._gateway, asked)
        except CareplaneError as error:
            return error_response(error)
        except ClientDisconnect:
            return Response(status_code=499)
        if reply is None:
            return Response(status_code=499)
        created = int(self._clock().timestamp())
        said = openai.completion(asked.id, asked.route, created, reply.text, reply.finish_reason, reply.call.usage)
        return JSONResponse(said)

    async def _caller(self, request: Request) -> AppSpec:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        app = None
        if scheme.lower() == "bearer" and key:
            app = await anyio.to_thread.run_sync(app_of_key, self._store, key.strip())
        if app is None:
            raise _Unauthorised("Give a key of a registered app as 'Authorization: Bearer cp-...'.")
        return await anyio.to_thread.run_sync(self._entitle, app)

    def _request(self, spec: AppSpec, body: openai.ChatBody) -> ModelRequest:
        if body.model not in self._gateway.routes:
            raise NotFound(f"There is no model {body.model!r}. This app may use {spec.route.model!r}.")
        if body.model != spec.route.model:
            raise Refused(
                [f"The app {spec.id} is not entitled to the model {body.model!r}."],
                f"Use {spec.route.model!r}, or change the route of the app on the register.",
            )
        return ModelRequest(
            id=f"chatcmpl-{uuid.uuid4().hex}",
            app=spec.id,
            route=body.model,
            body={
                "messages": [{"role": message.role, "content": message.content} for message in body.messages],
                "max_tokens": min(body.max_tokens or spec.route.max_tokens, spec.route.max_tokens),
                "temperature": body.temperature,
            },
            policy=spec.data_policy.phi,
            surrogates=spec.data_policy.surrogates,
            chart=body.context,
        )

    async def _stream(self, asked: ModelRequest, *, include_usage: bool) -> Response:
        """The first event is awaited here, so that a failure before it is an HTTP error and not a broken stream."""
        events = self._gateway.events(asked)
        first = await anext(events)
        sent = self._sent(asked, events, first, include_usage=include_usage)
        return StreamingResponse(sent, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    async def _sent(
        self,
        asked: ModelRequest,
        events: AsyncGenerator[str | ModelReply, None],
        first: str | ModelReply,
        *,
        include_usage: bool,
    ) -> AsyncGenerator[bytes, None]:
        head = (asked.id, asked.route, int(self._clock().timestamp()))
        async with aclosing(events):
            yield openai.event(openai.chunk(*head, {"role": "assistant", "content": ""}))
            try:
                event: str | ModelReply = first
                while isinstance(event, str):
                    yield openai.event(openai.chunk(*head, {"content": event}))
                    event = await anext(events)
            except CareplaneError as error:
                yield openai.event(_error_body(error))
                return
            yield openai.event(openai.chunk(*head, {}, event.finish_reason))
            if include_usage:
                yield openai.event(openai.usage_chunk(*head, event.call.usage))
            yield openai.event(openai.DONE)


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise _TooLarge(f"the body is larger than {MAX_BODY // 1024} KiB")
    return bytes(body)


async def _unless_gone(request: Request, gateway: Gateway, asked: ModelRequest) -> ModelReply | None:
    """The reply, or ``None`` when the client went away first; then the provider's call is cancelled."""
    reply: ModelReply | None = None
    failure: CareplaneError | None = None

    async def watch(scope: anyio.CancelScope) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(watch, group.cancel_scope)
        try:
            reply = await gateway.complete(asked)
        except CareplaneError as error:
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return reply


def error_response(error: CareplaneError) -> JSONResponse:
    """An error in OpenAI's shape, with the status of the error tree."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    if error.status in (502, 503, 504):
        headers["Retry-After"] = "5"
    return JSONResponse(_error_body(error), status_code=error.status, headers=headers)


def _error_body(error: CareplaneError) -> dict[str, object]:
    kind = _KINDS.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    param = error.field if isinstance(error, InputError) else None
    code = type(error).__name__.lstrip("_")
    return openai.error_object(str(error), kind, code, param)
