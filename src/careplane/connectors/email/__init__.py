"""E-mail over SMTP (RFC 5321), each message to one person.

``open({"host": "smtp.example.org", "sender": "Clinic <no-reply@example.org>"})``. ``tls`` is ``starttls`` (the default,
port 587), ``implicit`` (port 465) or, on loopback only, ``none`` (port 25). The server's certificate is always checked,
against the system's authorities or those of ``ca_file``. ``username`` and ``password`` sign in, never without TLS off
loopback. ``timeout_seconds`` holds for each step.
"""

import ssl
from collections.abc import Mapping
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path

from careplane.connectors._http import checked_seconds, is_loopback, only_known
from careplane.connectors.email.sender import EmailSender, Server
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "EmailSender", "open"]

CAPABILITIES: frozenset[str] = frozenset({"send"})

_SETTINGS = ("ca_file", "host", "password", "port", "sender", "timeout_seconds", "tls", "username")
_PORTS = {"starttls": 587, "implicit": 465, "none": 25}


def open(settings: Mapping[str, str]) -> EmailSender:  # noqa: A001 - the name that the shelf fixes
    """The sender for one mail server; nothing is sent yet.

    Raises:
        InputError: an unknown setting, one that is missing, or one that is not what it has to be; also mail in the
            clear to another machine, and a user without a password.
    """
    only_known(settings, _SETTINGS)
    host, tls = settings.get("host", ""), settings.get("tls", "starttls")
    if not host:
        raise InputError("is needed", field="host")
    if tls not in _PORTS:
        raise InputError(f"must be one of {', '.join(_PORTS)}", field="tls")
    if tls == "none" and not is_loopback(host):
        raise InputError("must be starttls or implicit: mail leaves this machine under TLS only", field="tls")
    if bool(settings.get("username")) != bool(settings.get("password")):
        raise InputError("username and password come together", field="username")
    server = Server(
        host=host,
        port=_port(settings.get("port", ""), _PORTS[tls]),
        tls=tls,
        context=_context(settings.get("ca_file", "")),
        username=settings.get("username", ""),
        password=settings.get("password", ""),
        timeout=checked_seconds(settings.get("timeout_seconds", "20")),
    )
    return EmailSender(server, _sender(settings.get("sender", "")))


def _port(text: str, default: int) -> int:
    if not text:
        return default
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise InputError("must be a port, 1-65535", field="port")
    return int(text)


def _context(ca_file: str) -> ssl.SSLContext:
    if ca_file and not Path(ca_file).is_file():
        raise InputError("there is no such file", field="ca_file")
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError as error:
        raise InputError("holds no certificate in PEM", field="ca_file") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _sender(text: str) -> Address:
    name, address = parseaddr(text)
    try:
        return Address(display_name=name, addr_spec=address) if address else _missing()
    except (ValueError, IndexError) as error:
        raise InputError("must be an address such as Clinic <no-reply@example.org>", field="sender") from error


def _missing() -> Address:
    raise InputError("is needed, such as Clinic <no-reply@example.org>", field="sender")
