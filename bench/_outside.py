"""The outside world of ``bench/durability.py``, one process that is never killed: a model and an EHR that count.

The model speaks Chat Completions and counts calls by their idempotency key. The EHR speaks as much FHIR R4 as the app
``portal_reply`` needs, with one synthetic patient and message per number, and keeps what is created: it honours
``If-None-Exist``, and counts attempts and resources for each run. ``GET /counts`` tells.

``python bench/_outside.py --port 8001 --milliseconds 50``
"""

import argparse
import asyncio
import itertools
import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from careplane.providers import ChatRequest, scripted

CHAT = scripted.open({"fault_percent": "0"}).chat
REVIEWER = "Practitioner/p001"
FHIR = "application/fhir+json"


class Outside:
    """What is counted. ``created`` is by run and type, ``asked`` by run and type too, ``calls`` by idempotency key."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.calls: Counter[str] = Counter()
        self.created: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.keyless = 0
        self._known: dict[str, str] = {}
        self._held: dict[str, Any] = {}
        self._numbers = itertools.count(1)

    async def chat(self, request: Request) -> Response:
        """One reply, after some time, as a stream or whole."""
        key = request.headers.get("idempotency-key", "")
        self.keyless += not key
        self.calls[key] += 1
        body = await request.json()
        await asyncio.sleep(self.seconds)
        asked = ChatRequest(key=key, model="scripted-1", body=body)
        text = "".join([chunk.text async for chunk in CHAT(asked)])
        usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
        if body.get("stream"):
            return Response(_events(text, usage), media_type="text/event-stream")
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        answer = {"id": "c", "object": "chat.completion", "created": 0, "model": "scripted-1", "choices": [choice]}
        return JSONResponse({**answer, "usage": usage})

    async def read(self, request: Request) -> Response:
        """A resource by type and id."""
        kind, ident = request.path_params["kind"], request.path_params["ident"]
        found = self._held.get(f"{kind}/{ident}") or _resource(kind, ident)
        return JSONResponse(found, media_type=FHIR) if found else Response(status_code=404)

    async def search(self, request: Request) -> Response:
        """What a search finds, and the parameters that were heeded: all."""
        kind, query = request.path_params["kind"], parse_qs(request.url.query)
        whom = (query.get("_id") or query.get("patient") or [""])[0]
        found = _resource(kind, whom.rpartition("/")[2])
        entries = [{"resource": found, "search": {"mode": "match"}}] if found else []
        link = [{"relation": "self", "url": str(request.url)}]
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "link": link, "entry": entries}
        return JSONResponse(bundle, media_type=FHIR)

    async def create(self, request: Request) -> Response:
        """Create a resource, once for each ``If-None-Exist``."""
        kind, body = request.path_params["kind"], await request.json()
        condition = request.headers.get("if-none-exist", "")
        owner = f"{kind} {_run_of(body) or condition}"
        self.asked[owner] += 1
        known = self._known.get(f"{kind}?{condition}") if condition else None
        if known is None:
            known = f"{kind}/{next(self._numbers)}"
            self.created[owner] += 1
            self._known[f"{kind}?{condition}"] = known
            self._held[known] = {**body, "id": known.partition("/")[2]}
            return Response(status_code=201, headers={"Location": f"{request.base_url}fhir/{known}/_history/1"})
        return Response(status_code=200, headers={"Location": f"{request.base_url}fhir/{known}/_history/1"})

    async def counts(self, _request: Request) -> Response:
        """All counts."""
        told = {"calls": self.calls, "created": self.created, "asked": self.asked, "keyless": self.keyless}
        return JSONResponse(told)

    def app(self) -> Starlette:
        """The server."""
        return Starlette(
            routes=[
                Route("/counts", self.counts),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/fhir/{kind}/{ident}", self.read),
                Route("/fhir/{kind}", self.search, methods=["GET"]),
                Route("/fhir/{kind}", self.create, methods=["POST"]),
            ]
        )


def _events(text: str, usage: dict[str, int]) -> bytes:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "scripted-1"}
    parts = [
        {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**head, "choices": [], "usage": usage},
    ]
    return "".join(f"data: {json.dumps(part)}\n\n" for part in parts).encode() + b"data: [DONE]\n\n"


def _run_of(body: dict[str, Any]) -> str:
    held = body.get("identifier") or []
    held = held if isinstance(held, list) else [held]
    return next((one["value"] for one in held if str(one.get("value", "")).startswith("run-")), "")


def _resource(kind: str, ident: str) -> dict[str, Any] | None:
    """A synthetic resource of patient or message ``ident``."""
    who = {"reference": f"Patient/{ident}"}
    made: dict[str, dict[str, Any]] = {
        "Patient": {"name": [{"family": "Quill", "given": ["Maria"]}], "gender": "female", "birthDate": "1961-04-02"},
        "Practitioner": {"name": [{"family": "Okafor", "given": ["Ada"]}]},
        "Communication": {
            "status": "completed",
            "subject": {"reference": f"Patient/{ident.replace('m', 'a', 1)}"},
            "sent": "2026-03-02T08:00:00-06:00",
            "payload": [{"contentString": "When is my next appointment?"}],
        },
        "Appointment": {
            "status": "booked",
            "start": "2026-03-12T09:30:00-06:00",
            "participant": [{"actor": who, "status": "accepted"}],
            "description": "Follow-up",
        },
        "Condition": {"subject": who, "code": {"text": "Type 2 diabetes"}, "onsetDateTime": "2019-05-01"},
    }
    return {"resourceType": kind, "id": ident, **made[kind]} if kind in made and ident else None


def main() -> None:
    """Serve until killed."""
    reader = argparse.ArgumentParser()
    reader.add_argument("--port", type=int, required=True)
    reader.add_argument("--milliseconds", type=float, default=50.0)
    given = reader.parse_args()
    app = Outside(given.milliseconds / 1000).app()
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
