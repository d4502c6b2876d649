"""Keys by which an app's own software calls the gateway. Shown once; the store holds only their SHA-256."""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import insert, select, update

from careplane.codecs.extension import word
from careplane.errors import InputError, NotFound
from careplane.records import Record
from careplane.store import Store, stamp
from careplane.store.tables import keys

PREFIX = "cp-"
MIN_KEY = 20


class Key(Record, frozen=True):
    """A key as it may be shown: never the key itself. ``site`` is the one hospital that calls with it, if it is one."""

    id: str
    app: str
    created_at: str
    revoked_at: str | None
    site: str | None = None


def issue_key(store: Store, app: str, at: datetime, site: str | None = None) -> str:
    """Make a key for an app and return it; it cannot be shown again. 256 random bits, so a plain hash is enough.

    Args:
        site: all that is asked with the key is of this site; without one, a request says it, or leaves it open.

    Raises:
        InputError: the site is not a name that a request could give.
    """
    key = PREFIX + secrets.token_urlsafe(32)
    row = _row(app, key, at, site)
    with store.write() as connection:
        connection.execute(insert(keys).values(**row))
    return key


def app_of_key(store: Store, key: str) -> str | None:
    """The app whose key this is, or ``None`` for an unknown or revoked key."""
    query = select(keys.c.app).where(keys.c.hash == _hash(key), keys.c.revoked_at.is_(None))
    with store.read() as connection:
        row = connection.execute(query).first()
    return None if row is None else str(row[0])


def keep_key(store: Store, app: str, key: str, at: datetime, site: str | None = None) -> None:
    """Let a key that was made elsewhere be the app's, if it is not yet, and of this site from now on.

    Raises:
        InputError: it is too short to be a secret, it is the key of another app, or the site is not a name.
    """
    if len(key) < MIN_KEY:
        raise InputError(f"a key has at least {MIN_KEY} characters", field=f"apps.{app}")
    row = _row(app, key, at, site)
    with store.write() as connection:
        found = connection.execute(select(keys.c.app, keys.c.site).where(keys.c.hash == row["hash"])).first()
        if found is None:
            connection.execute(insert(keys).values(**row))
        elif found.app != app:
            raise InputError(f"this is the key of the app {found.app}: give each its own", field=f"apps.{app}")
        elif found.site != site:
            connection.execute(update(keys).where(keys.c.hash == row["hash"]).values(site=site))


def revoke_app_keys(store: Store, app: str, at: datetime) -> None:
    """Revoke every key of an app."""
    change = update(keys).where(keys.c.app == app, keys.c.revoked_at.is_(None)).values(revoked_at=stamp(at))
    with store.write() as connection:
        connection.execute(change)


class KeyRow(Record, frozen=True):
    """A valid key: its id, whose it is, and the site that it is tied to."""

    id: str
    app: str
    site: str | None = None


def key_row(store: Store, digest: str) -> KeyRow | None:
    """The valid key with a SHA-256 (hex), or ``None``."""
    query = select(keys.c.id, keys.c.app, keys.c.site).where(keys.c.hash == digest, keys.c.revoked_at.is_(None))
    with store.read() as connection:
        row = connection.execute(query).first()
    return None if row is None else KeyRow(id=row.id, app=row.app, site=row.site)


def list_keys(store: Store, app: str | None = None) -> list[Key]:
    """All keys, the oldest first."""
    shown = (keys.c.id, keys.c.app, keys.c.created_at, keys.c.revoked_at, keys.c.site)
    query = select(*shown).order_by(keys.c.created_at, keys.c.id)
    if app is not None:
        query = query.where(keys.c.app == app)
    with store.read() as connection:
        return [Key(id=i, app=a, created_at=c, revoked_at=r, site=s) for i, a, c, r, s in connection.execute(query)]


def revoke_key(store: Store, ident: str, at: datetime) -> None:
    """Revoke a key: the next request with it is refused. Revoking twice keeps the first time.

    Raises:
        NotFound: no key has this id.
    """
    if all(key.id != ident for key in list_keys(store)):
        raise NotFound(f"There is no key {ident!r}. List them with: careplane key list")
    change = update(keys).where(keys.c.id == ident, keys.c.revoked_at.is_(None)).values(revoked_at=stamp(at))
    with store.write() as connection:
        connection.execute(change)


def _row(app: str, key: str, at: datetime, site: str | None) -> dict[str, str | None]:
    return {
        "id": f"key-{secrets.token_hex(4)}",
        "app": app,
        "hash": _hash(key),
        "created_at": stamp(at),
        "site": None if site is None else word(site, "site"),
    }


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
