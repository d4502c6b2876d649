"""Keys by which an app's own software calls the gateway. Shown once; the store holds only their SHA-256."""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import insert, select, update

from careplane.errors import InputError, NotFound
from careplane.records import Record
from careplane.store import Store, stamp
from careplane.store.tables import keys

PREFIX = "cp-"
MIN_KEY = 20


class Key(Record, frozen=True):
    """A key as it may be shown: never the key itself."""

    id: str
    app: str
    created_at: str
    revoked_at: str | None


def issue_key(store: Store, app: str, at: datetime) -> str:
    """Make a key for an app and return it; it cannot be shown again. 256 random bits, so a plain hash is enough."""
    key = PREFIX + secrets.token_urlsafe(32)
    row = {"id": f"key-{secrets.token_hex(4)}", "app": app, "hash": _hash(key), "created_at": stamp(at)}
    with store.write() as connection:
        connection.execute(insert(keys).values(**row))
    return key


def app_of_key(store: Store, key: str) -> str | None:
    """The app whose key this is, or ``None`` for an unknown or revoked key."""
    query = select(keys.c.app).where(keys.c.hash == _hash(key), keys.c.revoked_at.is_(None))
    with store.read() as connection:
        row = connection.execute(query).first()
    return None if row is None else str(row[0])


def keep_key(store: Store, app: str, key: str, at: datetime) -> None:
    """Let a key that was made elsewhere be the app's, if it is not yet.

    Raises:
        InputError: it is too short to be a secret.
    """
    if len(key) < MIN_KEY:
        raise InputError(f"a key has at least {MIN_KEY} characters", field=f"apps.{app}")
    row = {"id": f"key-{secrets.token_hex(4)}", "app": app, "hash": _hash(key), "created_at": stamp(at)}
    with store.write() as connection:
        if connection.execute(select(keys.c.id).where(keys.c.hash == row["hash"])).first() is None:
            connection.execute(insert(keys).values(**row))


def revoke_app_keys(store: Store, app: str, at: datetime) -> None:
    """Revoke every key of an app."""
    change = update(keys).where(keys.c.app == app, keys.c.revoked_at.is_(None)).values(revoked_at=stamp(at))
    with store.write() as connection:
        connection.execute(change)


class KeyRow(Record, frozen=True):
    """A valid key: its id and whose it is."""

    id: str
    app: str


def key_row(store: Store, digest: str) -> KeyRow | None:
    """The valid key with a SHA-256 (hex), or ``None``."""
    query = select(keys.c.id, keys.c.app).where(keys.c.hash == digest, keys.c.revoked_at.is_(None))
    with store.read() as connection:
        row = connection.execute(query).first()
    return None if row is None else KeyRow(id=row.id, app=row.app)


def list_keys(store: Store, app: str | None = None) -> list[Key]:
    """All keys, the oldest first."""
    query = select(keys.c.id, keys.c.app, keys.c.created_at, keys.c.revoked_at).order_by(keys.c.created_at, keys.c.id)
    if app is not None:
        query = query.where(keys.c.app == app)
    with store.read() as connection:
        return [Key(id=i, app=a, created_at=c, revoked_at=r) for i, a, c, r in connection.execute(query)]


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


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
