"""HL7 v2 over MLLP: a sender, and a listener.

``open({"host": "engine.example.org", "port": "2575"})`` gives a sender; further settings: ``timeout_seconds`` (30),
``tls`` (``true``: TLS with the certificates that the machine trusts), ``tls_ca_file`` (TLS with those of a file),
``tls_cert_file`` and ``tls_key_file`` (the certificate that we show). :class:`Listener` takes messages and answers
them; what the answer is comes from above.
"""

import ssl
from collections.abc import Mapping

from careplane.connectors.hl7v2_mllp.listener import Answer, Limits, Listener
from careplane.connectors.hl7v2_mllp.sender import Sender
from careplane.connectors.hl7v2_mllp.tls import client_tls, server_tls
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "Answer", "Limits", "Listener", "Sender", "client_tls", "open", "server_tls"]

CAPABILITIES = frozenset({"send_message"})
_SETTINGS = ("host", "port", "timeout_seconds", "tls", "tls_ca_file", "tls_cert_file", "tls_key_file")


def open(settings: Mapping[str, str]) -> Sender:  # noqa: A001 - the name that the shelf fixes
    """The sender to one listener; nothing is sent yet.

    Raises:
        InputError: an unknown setting, one that is missing, or a value that is none.
        SettingsError: a certificate or key that cannot be used.
    """
    unknown = sorted(set(settings) - set(_SETTINGS))
    if unknown:
        raise InputError(f"unknown setting; known: {', '.join(_SETTINGS)}", field=unknown[0])
    host = settings.get("host", "").strip()
    if not host:
        raise InputError("the host of the listener is needed", field="host")
    return Sender(
        host, _port(settings.get("port", "")), _tls(settings), _seconds(settings.get("timeout_seconds", "30"))
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise InputError("must be a port from 1 to 65535", field="port")
    return int(text)


def _tls(settings: Mapping[str, str]) -> ssl.SSLContext | None:
    wanted = settings.get("tls", "false").lower()
    if wanted not in ("true", "false", ""):
        raise InputError("must be true or false", field="tls")
    files = [settings.get(f"tls_{name}_file", "") for name in ("ca", "cert", "key")]
    return client_tls(*files) if wanted == "true" or any(files) else None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise InputError("must be a number of seconds", field="timeout_seconds") from error
    if not 0 < seconds <= 600:
        raise InputError("must be above 0 and at most 600 seconds", field="timeout_seconds")
    return seconds
