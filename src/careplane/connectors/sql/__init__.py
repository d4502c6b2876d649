"""Read-only queries of a warehouse through SQLAlchemy.

``open({"url": "postgresql+psycopg://reader@host/warehouse", "password": "..."})``. A query is one SELECT whose values
come as parameters (``:since``); ``row_limit`` (default 10000) and ``timeout_seconds`` (default 30) bound it. SQLite and
PostgreSQL enforce read-only and the time themselves; for another database grant the account nothing but SELECT.
"""

from collections.abc import Mapping

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from careplane.connectors._http import checked_seconds, is_loopback, only_known
from careplane.connectors.sql.warehouse import Warehouse
from careplane.errors import InputError

__all__ = ["CAPABILITIES", "Warehouse", "open"]

CAPABILITIES: frozenset[str] = frozenset({"select"})

_SETTINGS = ("password", "row_limit", "timeout_seconds", "url")


def open(settings: Mapping[str, str]) -> Warehouse:  # noqa: A001 - the name that the shelf fixes
    """The connector for one database; nothing is connected yet.

    Raises:
        InputError: an unknown setting, a URL that is none, a password in it, or a limit out of range.
    """
    only_known(settings, _SETTINGS)
    url = _url(settings.get("url", ""))
    if settings.get("password"):
        url = url.set(password=settings["password"])
    limit = settings.get("row_limit", "10000")
    if not (limit.isascii() and limit.isdigit()) or not 1 <= int(limit) <= 1_000_000:
        raise InputError("must be from 1 to 1000000", field="row_limit")
    return Warehouse(url, int(limit), checked_seconds(settings.get("timeout_seconds", "30")))


def _url(text: str) -> URL:
    if not text:
        raise InputError("is needed", field="url")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise InputError("is not a database URL", field="url") from error
    if url.password:
        raise InputError("must hold no password; give it as 'password'", field="url")
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
        encrypted = url.query.get("sslmode") in ("require", "verify-ca", "verify-full")
        if not (encrypted or _is_local(url)):
            raise InputError("must have sslmode=verify-full (or require) outside this machine", field="url")
    return url


def _is_local(url: URL) -> bool:
    """Whether the database is on this machine. libpq takes hosts out of the query of a URL too: ``/path`` is a socket,
    a service may name any host."""
    named = [url.query.get(name) for name in ("host", "hostaddr")]
    hosts = [host for one in (url.host, *named) for host in ((one,) if isinstance(one, str) else one or ()) if host]
    return "service" not in url.query and all(host.startswith("/") or is_loopback(host) for host in hosts)
