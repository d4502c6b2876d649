"""A listening socket."""

import socket

from careplane.errors import SettingsError


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; the port may be 0 for a free one."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        told = str(error.strerror).partition(" (")[0]
        raise SettingsError(f"cannot listen on {host}:{port} ({told}); choose another with --host or --port") from error
