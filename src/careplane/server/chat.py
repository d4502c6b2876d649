"""``POST /chat``: the door for conversations, with the key of the app that talks.

The client is the site's own web page, portal or telephone system, which knows the person; it names the patient of a
conversation once. ``GET /chat/ID`` gives the turns, so that a client sees what a person of the staff wrote.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from careplane import gateway
from careplane.errors import Conflict, LedgerError, NotFound, StoreError
from careplane.records import JSON, Record
from careplane.records.app import App
from careplane.records.chat import Conversation
from careplane.server.events import Reference, read_body
from careplane.server.platform import Platform
from careplane.workflow.chat import MOST_CHARACTERS, load_conversation, open_conversation, take_turn
from careplane.workflow.handing_over import opening

MAX_BYTES = 16_384

Said = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_CHARACTERS)]


class Spoken(Record, frozen=True):
    """What a client posts. Without ``conversation`` a new one begins with turn 1; the references then say about whom
    and where it is, and hold for all of it. ``focus`` is the Schedule whose free times may be told."""

    text: Said
    turn: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    conversation: Annotated[str, msgspec.Meta(min_length=16, max_length=64)] | None = None
    language: Literal["en", "es"] = "en"
    patient: Reference | None = None
    unit: Reference | None = None
    site: Reference | None = None
    focus: Reference | None = None


def chat_routes(platform: Platform) -> list[Route]:
    """The routes of the door."""

    def guarded(act: Callable[[Request, App], Awaitable[JSONResponse]]) -> Callable[[Request], Awaitable[JSONResponse]]:
        async def answer(request: Request) -> JSONResponse:
            app = _app(platform, request)
            if isinstance(app, JSONResponse):
                return app
            try:
                return await act(request, app)
            except NotFound as error:
                return _problem(404, str(error))
            except Conflict as error:
                return _problem(409, str(error))
            except (LedgerError, StoreError):
                return _problem(503, "The answer could not be kept, so none was given; send the turn again.")

        return answer

    async def speak(request: Request, app: App) -> JSONResponse:
        return await _speak(platform, request, app)

    async def read(request: Request, app: App) -> JSONResponse:
        talk = _own(platform, app, request.path_params["ident"])
        return JSONResponse(_shown(talk, len(talk.turns)))

    return [
        Route("/chat", guarded(speak), methods=["POST"]),
        Route("/chat/{ident}", guarded(read), methods=["GET"]),
    ]


def _app(platform: Platform, request: Request) -> App | JSONResponse:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    name = gateway.app_of_key(platform.store, key) if scheme.lower() == "bearer" and key else None
    if name is None:
        return _problem(401, "Send the app's key as: Authorization: Bearer cp-…")
    app = platform.apps.get(name)
    if app is None or not app.runnable or all(trigger.kind != "chat" for trigger in app.spec.starts):
        return _problem(422, f"{name} holds no conversations: its manifest declares no trigger of kind chat.")
    return app


async def _speak(platform: Platform, request: Request, app: App) -> JSONResponse:
    body = await read_body(request, MAX_BYTES)
    if body is None:
        return _problem(413, f"A turn is at most {MAX_BYTES} bytes.")
    try:
        spoken = msgspec.json.decode(body, type=Spoken)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _problem(400, f"Not a turn: {error}")
    if spoken.conversation is None:
        if spoken.turn != 1:
            return _problem(400, "Not a turn: without `conversation` a new one begins, with `turn` 1")
        talk = open_conversation(
            platform.runtime,
            app,
            language=spoken.language,
            patient=spoken.patient,
            unit=spoken.unit,
            site=spoken.site,
            focus=spoken.focus,
        )
    else:
        talk = _own(platform, app, spoken.conversation)
        if spoken.patient not in (None, talk.patient):
            return _problem(409, "A conversation is about one patient; begin another one.")
    taken = await take_turn(platform.runtime, app, talk, spoken.turn, spoken.text)
    return JSONResponse(_shown(taken, spoken.turn))


def _own(platform: Platform, app: App, ident: str) -> Conversation:
    """A conversation of this app; another app's is not there."""
    talk = load_conversation(platform.store, ident)
    if talk.app != app.id:
        raise NotFound("There is no such conversation.")
    return talk


def _shown(talk: Conversation, n: int) -> JSON:
    """What a client may see, with the answer to turn ``n``: no run, no finding of a check, no name of the staff."""
    return {
        "conversation": talk.id,
        "state": talk.state,
        "next_turn": len(talk.turns) + 1,
        "notice": opening(talk.language),
        "reply": talk.turns[n - 1].answer if 0 < n <= len(talk.turns) else "",
        "handed_over": talk.handover,
        "turns": [
            {"n": turn.n, "said": turn.said, "answer": turn.answer, "by": "person" if turn.by else "program"}
            for turn in talk.turns
        ],
    }


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status_code=status)
