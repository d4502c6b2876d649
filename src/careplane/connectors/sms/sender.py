"""Sending text messages, and reading what the provider calls back."""

import httpx

from careplane.codecs.gsm7 import Parts, parts_of, plainer
from careplane.connectors._http import NEVER_SENT, Http, asked_pause
from careplane.connectors.sms.numbers import e164
from careplane.connectors.sms.shape import Form, Inbound, Shape, Status
from careplane.errors import InputError, Refused
from careplane.records.message import Delivery, Outgoing

MOST_PARTS = 10
"""More than this is a letter, not a text message."""


class SmsSender:
    """A :class:`careplane.connectors.MessageSender`. A request whose fate is unknown is not repeated."""

    def __init__(self, http: Http, shape: Shape, region: str) -> None:
        self._http = http
        self._shape = shape
        self._region = region

    def parts(self, text: str) -> Parts:
        """In how many parts (and by which alphabet) a text leaves, which is what it costs by."""
        return parts_of(plainer(text))

    async def send(self, message: Outgoing) -> Delivery:
        """Send one text. A number that cannot be right is refused here and never leaves.

        Raises:
            InputError: the text is empty or too long.
        """
        text = plainer(message.text)
        if not text.strip():
            raise InputError("is empty", field="text")
        if parts_of(text).parts > MOST_PARTS:
            raise InputError(f"needs more than {MOST_PARTS} parts; send a notice with a link", field="text")
        try:
            number = e164(message.to, self._region)
        except InputError as error:
            return Delivery(outcome="refused", code="number", reason=f"The number {error.message}.")
        path, form = self._shape.request(number, text)
        try:
            response = await self._http.send(
                self._http.client.build_request("POST", path, data=form), repeatable=False, attempts=2
            )
        except NEVER_SENT as error:
            return Delivery(
                outcome="later", code=type(error).__name__, reason="There is no connection to the provider."
            )
        except httpx.TransportError as error:
            told = "The connection broke while the provider had the message."
            return Delivery(outcome="uncertain", code=type(error).__name__, reason=told)
        delivery = self._shape.delivery(response.status_code, response.content)
        if delivery.outcome != "later":
            return delivery
        return Delivery(outcome="later", code=delivery.code, reason=delivery.reason, retry_after=asked_pause(response))

    def inbound(self, url: str, form: Form, signature: str) -> Inbound:
        """A message that a person sent to us, as the provider called ``url`` with it.

        Raises:
            Refused: the call is not the provider's.
            InputError: it is not a message.
        """
        self._check(url, form, signature)
        return self._shape.inbound(form)

    def status(self, url: str, form: Form, signature: str) -> Status:
        """A report about a message of ours.

        Raises:
            Refused: the call is not the provider's.
            InputError: it is not a report.
        """
        self._check(url, form, signature)
        return self._shape.status(form)

    def _check(self, url: str, form: Form, signature: str) -> None:
        if not self._shape.signed(url, form, signature):
            raise Refused(
                ["The signature of this call is not the provider's."],
                "Check the secret of the account, and that public_url is the address which the provider calls.",
            )

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._http.aclose()
