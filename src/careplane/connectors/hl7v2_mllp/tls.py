"""TLS contexts of both ends: version 1.2 or later, certificates always verified."""

import ssl
import stat
from pathlib import Path

from careplane.errors import SettingsError


def server_tls(cert: str, key: str, client_ca: str = "") -> ssl.SSLContext:
    """What a listener needs; with ``client_ca`` only who shows a certificate of that authority may connect.

    Raises:
        SettingsError: a file cannot be used, or others can read the key.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _show(context, cert, key, "mllp_tls_cert_file", "mllp_tls_key_file")
    if client_ca:
        _trust(context, client_ca, "mllp_tls_client_ca_file")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_tls(ca: str = "", cert: str = "", key: str = "") -> ssl.SSLContext:
    """What a sender needs: whom it trusts (the machine's authorities by default), and what it shows.

    Raises:
        SettingsError: a file cannot be used, or others can read the key.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=None)
    if ca:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _trust(context, ca, "tls_ca_file")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert or key:
        _show(context, cert, key, "tls_cert_file", "tls_key_file")
    return context


def _trust(context: ssl.SSLContext, ca: str, field: str) -> None:
    try:
        context.load_verify_locations(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError("is no file of certificates (PEM) that can be read", file=ca, field=field) from error


def _show(context: ssl.SSLContext, cert: str, key: str, cert_field: str, key_field: str) -> None:
    if not (cert and key):
        raise SettingsError("certificate and key are needed together", field=key_field if cert else cert_field)
    try:
        if Path(key).stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            raise SettingsError(f"others can read this file; run: chmod 600 {key}", file=key, field=key_field)
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            "certificate and key cannot be read or do not match", file=cert, field=cert_field
        ) from error
