"""The doors for messages: what a provider of text messages calls back, and the link that ends e-mails.

Both are open to the world, so both prove themselves: the call-back by the provider's signature, the link by a proof
that only this installation can make. Nothing here says whether a number or an address is known.
"""

from html import escape
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from careplane.errors import CareplaneError, InputError, NotFound, Refused
from careplane.server.platform import Platform
from careplane.workflow.messaging.outbox import find_by_reference

MOST_BYTES = 65_536
SIGNATURE = "x-twilio-signature"
_EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"></head>
<body style="font:16px/1.5 system-ui;max-width:36em;margin:3em auto;padding:0 1em"><h1>{title}</h1><p>{text}</p>{form}
</body></html>"""
_FORM = '<form method="post"><button>End these e-mails</button></form>'


class MessageDoors:
    """The routes under ``/messages``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def routes(self) -> list[Route]:
        """To be put before the console's."""
        return [
            Route("/messages/sms/inbound", self._inbound, methods=["POST"]),
            Route("/messages/sms/status", self._status, methods=["POST"]),
            Route("/messages/unsubscribe/{token}", self._ask, methods=["GET"]),
            Route("/messages/unsubscribe/{token}", self._unsubscribe, methods=["POST"]),
        ]

    async def _inbound(self, request: Request) -> Response:
        """A text message that a person sent: STOP and START are kept, the rest is the provider's to answer."""
        try:
            sender, form = self._sms(), await _form(request)
            taken = sender.inbound(self._url(request), form, request.headers.get(SIGNATURE, ""))
            messages = self._platform.messages
            if taken.word == "stop":
                messages.stop("sms", taken.number, "sms")
            elif taken.word == "start":
                messages.allow("sms", taken.number, "sms")
        except CareplaneError as error:
            return _problem(error)
        return Response(_EMPTY, media_type="text/xml")

    async def _status(self, request: Request) -> Response:
        """What became of a message that the provider took."""
        try:
            sender, form = self._sms(), await _form(request)
            status = sender.status(self._url(request), form, request.headers.get(SIGNATURE, ""))
            message = find_by_reference(self._platform.store, status.reference)
            if message is not None:
                self._platform.messages.told(message, status.state, status.code)
        except CareplaneError as error:
            return _problem(error)
        return Response(status_code=204)

    async def _ask(self, request: Request) -> Response:
        """A page with a button: a mail scanner that follows links must not end anything."""
        text = "You will get no more e-mails from us at this address. Your portal is not affected."
        return HTMLResponse(_PAGE.format(title="End these e-mails?", text=escape(text), form=_FORM))

    async def _unsubscribe(self, request: Request) -> Response:
        """The button, and the one click of RFC 8058."""
        try:
            await _form(request)
            self._platform.messages.unsubscribe(request.path_params["token"])
        except NotFound as error:
            return HTMLResponse(_PAGE.format(title="Nothing was changed", text=escape(str(error)), form=""), 404)
        except CareplaneError as error:
            return _problem(error)
        return HTMLResponse(_PAGE.format(title="Done", text="You will get no more e-mails at this address.", form=""))

    def _sms(self) -> Any:
        sender = self._platform.post.senders.get("sms")
        if sender is None:
            raise NotFound("This installation sends no text messages.")
        return sender

    def _url(self, request: Request) -> str:
        """The URL that the provider called and signed: the public one, whatever proxy stands in between."""
        base = self._platform.post.planner.policy.public_url
        if not base:
            raise Refused(["public_url is not set, so no call-back can be verified."], "Set it in the messages file.")
        query = f"?{request.url.query}" if request.url.query else ""
        return f"{base}{request.url.path}{query}"


async def _form(request: Request) -> dict[str, list[str]]:
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > MOST_BYTES:
            raise InputError(f"must have at most {MOST_BYTES} bytes", field="body")
    try:
        return parse_qs(held.decode("utf-8"), keep_blank_values=True, max_num_fields=200)
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError("is not a form", field="body") from error


def _problem(error: CareplaneError) -> Response:
    return PlainTextResponse(str(error), status_code=error.status)
