"""A real mail server for the tests: ``aiosmtpd`` on a loop of its own, with TLS, sign-in and replies as told."""

import asyncio
import ipaddress
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder: Path, address: str = "127.0.0.1") -> tuple[ssl.SSLContext, str]:
    """A server's context for an address, and the file of the authority (the certificate itself) to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test mail server")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *secret))
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, str(folder / "cert.pem")


class Mailbox:
    """What the server took; ``at_rcpt`` and ``at_data`` are replies that it gives in turn instead of taking."""

    def __init__(self, at_rcpt: Sequence[str] = (), at_data: Sequence[str] = ()) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.tls: list[bool] = []
        self.users: list[str] = []
        self.tries = 0
        self._at_rcpt, self._at_data = list(at_rcpt), list(at_data)

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        self.tries += 1
        if self._at_rcpt:
            return self._at_rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self._at_data:
            told = self._at_data.pop(0)
            if told == "hang up":
                assert isinstance(server.transport, asyncio.WriteTransport)
                server.transport.abort()
                return ""
            return told
        assert isinstance(envelope.content, bytes)
        self.raw.append(envelope.content)
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        self.tls.append(session.ssl is not None)
        return "250 taken"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: object
    ) -> AuthResult:
        assert isinstance(auth_data, LoginPassword)
        good = auth_data.password == b"right"
        if good:
            self.users.append(auth_data.login.decode())
        return AuthResult(success=good, handled=False)


@contextmanager
def mail_server(
    mailbox: Mailbox, context: ssl.SSLContext | None = None, *, implicit: bool = False, sign_in: bool = False
) -> Iterator[int]:
    """Serve a mailbox on a free port of 127.0.0.1 until the block ends."""
    loop = asyncio.new_event_loop()

    sessions: list[SMTP] = []

    def session() -> SMTP:
        made = SMTP(
            mailbox,
            hostname="mail.example.org",
            loop=loop,
            enable_SMTPUTF8=True,
            tls_context=None if implicit else context,
            require_starttls=context is not None and not implicit,
            authenticator=mailbox.authenticate if sign_in else None,
            auth_required=sign_in,
        )
        sessions.append(made)
        return made

    tls = context if implicit else None
    server = loop.run_until_complete(loop.create_server(session, "127.0.0.1", 0, ssl=tls))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_end(server, sessions), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(server: asyncio.Server, sessions: Sequence[SMTP]) -> None:
    server.close()
    for session in sessions:
        if isinstance(session.transport, asyncio.WriteTransport):
            session.transport.abort()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0.01)
