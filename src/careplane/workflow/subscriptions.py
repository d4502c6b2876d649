"""Our Subscriptions at the EHR, in the store: one per resource type, with how far each was heard.

The secret that authenticates notifications is kept as its hash only. Times are those of the EHR's clock
(``meta.lastUpdated``), so that two clocks that differ lose nothing.
"""

import hashlib
import hmac
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from careplane.records import Record
from careplane.store import Store, stamp
from careplane.store.clock import database_time
from careplane.store.tables import subscriptions as table

CLAIM_SECONDS = 60.0
"""How long a process has to subscribe before another may do it."""


class Subscribed(Record, frozen=True):
    """One Subscription. ``id`` is part of our address, ``secret`` the SHA-256 of the token that notifications carry,
    ``remote`` the EHR's ``Subscription/id`` ("" until it said so), ``topic`` the canonical URL of the backport ("" for
    R4's own). What changed until ``since`` was taken, and events up to the number ``seen``; it began at ``begun``.
    """

    type: str
    id: str
    secret: str
    topic: str
    remote: str
    claimed_at: float
    begun: str
    since: str
    seen: int

    def __repr__(self) -> str:
        return f"Subscribed({self.type}, id={self.id!r}, remote={self.remote!r}, seen={self.seen})"

    def carries(self, token: str) -> bool:
        """Whether a token is the one of this Subscription; takes as long for a wrong one."""
        return hmac.compare_digest(self.secret, hashed(token))


def hashed(token: str) -> str:
    """A token as it is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


def find_subscribed(store: Store) -> list[Subscribed]:
    """All, by type."""
    with store.read() as connection:
        return [Subscribed(**row._mapping) for row in connection.execute(select(table).order_by(table.c.type))]


def subscribed(store: Store, ident: str) -> Subscribed | None:
    """The one of an address."""
    with store.read() as connection:
        row = connection.execute(select(table).where(table.c.id == ident)).first()
    return None if row is None else Subscribed(**row._mapping)


def claim(store: Store, kind: str, ident: str, token: str, topic: str, instead: Subscribed | None = None) -> bool:
    """Take it on oneself to subscribe to a type; ``False`` when it is there, or another process is at it.

    ``instead`` of one that the EHR dropped, or that was never confirmed: what that one had not heard is still to be
    heard, so it goes on from there.
    """
    since = instead.since if instead else ""
    with store.write() as connection:
        now = float(connection.execute(select(database_time(connection))).scalar_one())
        here = connection.execute(select(table).where(table.c.type == kind)).first()
        if here is not None:
            if instead is None or here.id != instead.id:
                return False
            if not here.remote and now - here.claimed_at < CLAIM_SECONDS:
                return False
            connection.execute(delete(table).where(table.c.type == kind))
        connection.execute(
            insert(table).values(
                type=kind,
                id=ident,
                secret=hashed(token),
                topic=topic,
                remote="",
                claimed_at=now,
                begun=since,
                since=since,
                seen=0,
            )
        )
    return True


def confirm(store: Store, ident: str, remote: str, begun: str) -> None:
    """Record the EHR's Subscription. ``begun`` is the EHR's time of it, from which on everything is taken, unless it
    follows on an earlier one: then from where that one was heard."""
    with store.write() as connection:
        here = table.c.id == ident
        connection.execute(update(table).where(here).values(remote=remote))
        connection.execute(update(table).where(here, table.c.since == "").values(since=begun, begun=begun))


def forget(store: Store, ident: str) -> None:
    """Drop one that is ended or gone."""
    with store.write() as connection:
        connection.execute(delete(table).where(table.c.id == ident))


def advance(store: Store, ident: str, seen: int | None, since: str | None) -> None:
    """Record how far it was heard; never back, whatever order notifications come in."""
    with store.write() as connection:
        if seen is not None:
            connection.execute(update(table).where(table.c.id == ident, table.c.seen < seen).values(seen=seen))
        if since is not None:
            connection.execute(update(table).where(table.c.id == ident, table.c.since < since).values(since=since))


def restart(store: Store, ident: str, seen: int) -> None:
    """Take the count of a handshake: the EHR counts from there."""
    with store.write() as connection:
        connection.execute(update(table).where(table.c.id == ident).values(seen=seen))


def instant(text: object) -> str | None:
    """A FHIR instant as the store keeps it (UTC, text order is time order); ``None`` for what is none."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return stamp(at) if at.tzinfo is not None else None
