"""A listening socket."""

import socket

from careplane.errors import SettingsError


def bind(host: str, port: int, choose: str = "--host or --port") -> socket.socket:
    """A listening socket; the port may be 0 for a free one, ``choose`` says what to change where it cannot be."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        told = str(error.strerror).partition(" (")[0]
        raise SettingsError(f"cannot listen on {host}:{port} ({told}); choose another with {choose}") from error
