"""The rig of ``erp_rest``: an ERP's interface over HTTP on loopback, with an authorization server."""

import base64
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from careplane.connectors.erp_rest import ErpRest

REQUIRED = ("base_url",)
SECRETS = ("client_secret",)


@dataclass
class Erp:
    """An ERP with some invoices. ``calls`` are the requests for records it got; ``token`` is the one it accepts."""

    settings: Mapping[str, str] = field(default_factory=dict)
    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    token: str = "tok-0"
    given: int = 0
    statuses: list[int] = field(default_factory=list)
    etag: str = ""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/token", self._give, methods=["POST"]),
                Route("/api/{kind}", self._list, methods=["GET"]),
            ]
        )

    async def _give(self, request: Request) -> Response:
        basic = base64.b64encode(b"careplane:secret-4711-secret").decode()
        form = await request.form()
        if request.headers.get("authorization") != f"Basic {basic}" or form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "invalid_client"}, 401)
        self.given += 1
        self.token = f"tok-{self.given}"
        return JSONResponse({"access_token": self.token, "token_type": "Bearer", "expires_in": 3600})

    async def _list(self, request: Request) -> Response:
        self.calls.append(str(request.url))
        if self.statuses:
            return JSONResponse({}, self.statuses.pop(0))
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({}, 401)
        if self.etag and request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304)
        kind, query = request.path_params["kind"], request.query_params
        since = query.get("updated_since", "")
        found = [one for one in self.records.get(kind, []) if one.get("updated", "9999") > since]
        shown = [{name: value for name, value in one.items() if name != "updated"} for one in found]
        start, size = int(query.get("start", "0")), int(query["limit"])
        following = f"{kind}?limit={size}&start={start + size}" if start + size < len(shown) else None
        body = {"records": shown[start : start + size], "next": following}
        return JSONResponse(body, headers={"ETag": self.etag} if self.etag else {})


def invoices(count: int) -> list[dict[str, Any]]:
    """Synthetic invoices."""
    return [
        {"invoice": f"I-{n}", "vendor": "Acme", "posted_on": "2026-02-01", "amount": f"{n}.10",
         "updated": f"2026-02-{n % 28 + 1:02d}T00:00:00Z"}
        for n in range(count)
    ]  # fmt: skip


@contextmanager
def serving(erp: Erp) -> Iterator[str]:
    """Serve an ERP on loopback in a thread until the block ends; the block gets its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(erp.app(), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = {"token_url": f"{url}/token", "client_id": "careplane", "client_secret": "secret-4711-secret"}
    erp.settings = {"base_url": f"{url}/api", "page_size": "3", **client}
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@contextmanager
def peer(_folder: Path) -> Iterator[Erp]:
    erp = Erp(records={"invoices": invoices(7)})
    with serving(erp):
        yield erp


def at(host: str, port: int, _folder: Path) -> dict[str, str]:
    return {"base_url": f"http://{host}:{port}/api", "timeout_seconds": "0.3"}


async def call(connector: ErpRest, words: str) -> object:
    return await connector.read("invoices")


async def every_record_is_read_with_its_place(connector: ErpRest, _erp: Erp) -> None:
    batch = await connector.read("invoices")
    assert [fact.source for fact in batch.facts][:4] == [
        *(f"invoices: page 1 record {n}" for n in (1, 2, 3)), "invoices: page 2 record 1",
    ]  # fmt: skip
    assert len(batch.events) == 7


async def pages_are_followed_to_the_end(connector: ErpRest, erp: Erp) -> None:
    before = len(erp.calls)
    assert len((await connector.read("invoices")).facts) == 7
    assert len(erp.calls) - before == 3


async def only_what_changed_is_asked_for(connector: ErpRest, _erp: Erp) -> None:
    batch = await connector.read("invoices", datetime(2026, 2, 5, tzinfo=UTC))
    assert len(batch.facts) == 2


BEHAVIOURS = {
    "erp_records": (every_record_is_read_with_its_place,),
    "erp_paging": (pages_are_followed_to_the_end,),
    "updated_since": (only_what_changed_is_asked_for,),
}
