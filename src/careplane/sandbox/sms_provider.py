"""A provider of text messages for the sandbox: the interface of Twilio's Messages API, with nobody behind it.

What is sent to it is kept in memory and goes nowhere. Some numbers misbehave on purpose, as the real provider's test
numbers do, so that every failure can be tried: see :data:`MAGIC`. It signs its call-backs as the real one does.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MAGIC: Mapping[str, tuple[int, int]] = {
    "+15005550001": (400, 21211),
    "+15005550009": (400, 21614),
    "+15005550004": (400, 21610),
    "+15005550429": (429, 20429),
    "+15005550500": (500, 20500),
}
"""Numbers that always give this status and code."""


@dataclass
class SmsProvider:
    """One account of a provider. ``sent`` are the forms it took, oldest first; ``calls`` counts all requests."""

    account: str = "AC00000000000000000000000000000000"
    secret: str = "sandbox-secret"  # noqa: S105 - of a provider that reaches nobody
    sent: list[dict[str, str]] = field(default_factory=list)
    calls: int = 0

    def app(self) -> Starlette:
        """The provider as an ASGI application."""
        path = "/2010-04-01/Accounts/{account}/Messages.json"
        return Starlette(routes=[Route(path, self._take, methods=["POST"])])

    def signature(self, url: str, form: Mapping[str, str]) -> str:
        """How a call-back of this provider is signed."""
        told = url + "".join(name + form[name] for name in sorted(form))
        return base64.b64encode(hmac.new(self.secret.encode(), told.encode(), hashlib.sha1).digest()).decode()

    async def _take(self, request: Request) -> Response:
        self.calls += 1
        basic = base64.b64encode(f"{self.account}:{self.secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return _error(401, 20003, "Authenticate")
        if request.path_params["account"] != self.account:
            return _error(404, 20404, "The requested resource was not found")
        form = {name: str(value) for name, value in (await request.form()).items()}
        status, code = self._judge(form)
        if code:
            return _error(status, code, "The sandbox refuses this message.")
        self.sent.append(form)
        sid = f"SM{len(self.sent):032x}"
        answer = {"sid": sid, "status": "queued", "to": form["To"], "error_code": None, "num_segments": "1"}
        return JSONResponse(answer, status_code=201)

    def _judge(self, form: Mapping[str, str]) -> tuple[int, int]:
        if not form.get("To"):
            return 400, 21604
        if not form.get("Body"):
            return 400, 21602
        if not (form.get("From") or form.get("MessagingServiceSid")):
            return 400, 21603
        if len(form["Body"]) > 1600:
            return 400, 21617
        return MAGIC.get(form["To"], (201, 0))


def _error(status: int, code: int, message: str) -> JSONResponse:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return JSONResponse(body, status_code=status)
