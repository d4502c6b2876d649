"""One SMTP session per message, step by step, so that what is known of its fate is exact.

Before the text is handed over nothing can have been delivered: a break or a 4xx there means "later". Once the end of
the text was sent, a break means that nobody knows, and only a reply of the server settles it.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from careplane.connectors.email.composing import compose
from careplane.records.message import Delivery, Outgoing

ATTEMPTS = 3
FIRST_PAUSE = 0.25
_UNSUPPORTED = "SMTPUTF8"


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server and how to speak to it; ``timeout`` in seconds holds for each step."""

    host: str
    port: int
    tls: str
    context: ssl.SSLContext
    username: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 20.0


class EmailSender:
    """A :class:`careplane.connectors.MessageSender` over SMTP."""

    def __init__(
        self, server: Server, sender: Address, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._server = server
        self._sender = sender
        self._sleep = sleep

    async def send(self, message: Outgoing) -> Delivery:
        """Send one e-mail; what the server puts off (4xx) is tried three times within seconds, then left for later.

        Raises:
            InputError: the message cannot be an e-mail: no address, or a header that would break a line.
        """
        mail = compose(message, self._sender, datetime.now(UTC))
        delivery = await self._attempt(mail)
        for attempt in range(1, ATTEMPTS):
            if delivery.outcome != "later" or not delivery.code.startswith("4"):
                break
            await self._sleep(FIRST_PAUSE * 2 ** (attempt - 1))
            delivery = await self._attempt(mail)
        return delivery

    async def aclose(self) -> None:
        """Nothing is kept open between messages."""

    async def _attempt(self, mail: EmailMessage) -> Delivery:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            timeout=server.timeout,
            use_tls=server.tls == "implicit",
            start_tls=server.tls == "starttls",
            tls_context=server.context,
            local_hostname=self._sender.domain,
        )
        try:
            await client.connect()
        except (SMTPException, OSError, ValueError) as error:
            client.close()
            return _before(error)
        try:
            return await self._session(client, mail)
        finally:
            await _leave(client)

    async def _session(self, client: aiosmtplib.SMTP, mail: EmailMessage) -> Delivery:
        server = self._server
        wide = not str(mail["To"]).isascii()
        try:
            await client.ehlo()
            if server.username:
                await client.login(server.username, server.password)
            if wide and not client.supports_extension(_UNSUPPORTED):
                return Delivery(outcome="refused", code=_UNSUPPORTED, reason="The server takes ASCII addresses only.")
            options = ["SMTPUTF8"] if wide else None
            encoding = "utf-8" if wide else "ascii"
            await client.mail(self._sender.addr_spec, options=options, encoding=encoding)
            await client.rcpt(_address(mail), encoding=encoding)
        except (SMTPException, OSError) as error:
            return _before(error)
        try:
            response = await client.data(mail.as_bytes())
        except SMTPResponseException as error:
            return _told(error)
        except (SMTPException, OSError) as error:
            reason = "The connection broke while the mail server had the message."
            return Delivery(outcome="uncertain", code=type(error).__name__, reason=reason)
        return Delivery(outcome="accepted", reference=str(mail["Message-ID"]), code=str(response.code))


def _address(mail: EmailMessage) -> str:
    return str(mail["To"].addresses[0].addr_spec)


def _before(error: Exception) -> Delivery:
    """A failure before any text was handed over."""
    if isinstance(error, SMTPResponseException):
        return _told(error)
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return _told(error.recipients[0])
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        reason = "The mail server's certificate does not hold, or it speaks no TLS."
        return Delivery(outcome="later", code="tls", reason=reason)
    reason = "There is no connection to the mail server."
    return Delivery(outcome="later", code=type(error).__name__, reason=reason)


def _told(error: SMTPResponseException) -> Delivery:
    """What a reply code means (RFC 5321, section 4.2.1): 4yz is worth another attempt, 5yz is not.

    A failure to sign in is ours and not the recipient's, so the message waits until somebody has mended it.
    """
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return Delivery(
            outcome="later", code=str(error.code), reason="The mail server does not accept our credentials."
        )
    if 400 <= error.code < 500:
        return Delivery(outcome="later", code=str(error.code), reason="The mail server put the message off.")
    where = "the address" if isinstance(error, aiosmtplib.SMTPRecipientRefused) else "the message"
    return Delivery(outcome="refused", code=str(error.code), reason=f"The mail server refused {where}.")


async def _leave(client: aiosmtplib.SMTP) -> None:
    try:
        await client.quit()
    except (SMTPException, OSError):
        client.close()
