"""Replies to calls that may be asked again: a run that is repeated after a crash gets the reply of the first time.

The id of a run's call is its idempotency key: the provider gets it too, but few heed it. A reply that came whole is
kept for a day, sealed with AES-256-GCM under a key of this installation, with its row's key and its expiry as
associated data; the row's key is a keyed hash of the id and of all that was asked, so that a changed prompt is another
call. The call was metered and recorded the first time; a repeat is on record as ``model_call_repeated`` and costs
nothing.
"""

import base64
import binascii
import hashlib
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import anyio.to_thread
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from careplane.errors import StoreError
from careplane.ledger import Ledger
from careplane.records.model import ModelReply, ModelRequest
from careplane.store import Store
from careplane.store.grouping import GroupedWrites
from careplane.store.rows import insert_row, stamp
from careplane.store.tables import model_replies

log = logging.getLogger("careplane.gateway")

Complete = Callable[[ModelRequest], Awaitable[ModelReply]]

KEPT = timedelta(hours=24)
_NONCE = 12


class KeptReplies:
    """The replies of an installation.

    Args:
        store: where the rows are.
        secret: of the installation, 32 bytes.
        clock: the time, aware.
        writes: what is kept at a time shares a transaction.
    """

    def __init__(self, store: Store, secret: bytes, clock: Callable[[], datetime], writes: GroupedWrites) -> None:
        self._store, self._clock, self._writes = store, clock, writes
        self._cipher = AESGCM(hmac.digest(secret, b"careplane model reply", hashlib.sha256))
        self._pseudonym = hmac.digest(secret, b"careplane model call", hashlib.sha256)

    def find(self, request: ModelRequest) -> ModelReply | None:
        """The reply that this very call got before; ``None`` also when it does not open, and then the model is asked
        again.

        Raises:
            StoreError: the database did not answer: whether there is one is not known, and nothing is asked.
        """
        key = self._key(request)
        with self._store.read() as connection:
            row = connection.execute(select(model_replies).where(model_replies.c.key == key)).first()
        if row is None or row.expires_at <= stamp(self._clock()):
            return None
        try:
            sealed = base64.b64decode(row.sealed, validate=True)
            opened = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(key, row.expires_at))
            return msgspec.json.decode(opened, type=ModelReply)
        except (InvalidTag, ValueError, binascii.Error, msgspec.MsgspecError) as error:
            log.warning("a kept reply does not open (%s)", type(error).__name__)
            return None

    async def keep(self, request: ModelRequest, reply: ModelReply) -> None:
        """Keep a reply. One that cannot be kept is given all the same: then a repeat asks the model again."""
        key, expires_at = self._key(request), stamp(self._clock() + KEPT)
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, msgspec.json.encode(reply), _bound(key, expires_at))
        encoded = base64.b64encode(sealed).decode()
        insert = partial(insert_row, table=model_replies, key=key, expires_at=expires_at, sealed=encoded)
        try:
            await self._writes.run_async(insert)
        except (StoreError, SQLAlchemyError) as error:
            log.warning("a reply could not be kept (%s)", type(error).__name__)

    def purge(self) -> int:
        """Delete what has expired; says how many there were."""
        with self._store.write() as connection:
            here = model_replies.c.expires_at <= stamp(self._clock())
            return connection.execute(delete(model_replies).where(here)).rowcount

    def _key(self, request: ModelRequest) -> str:
        asked = msgspec.json.encode([request.id, request.app, request.version, request.route, request.body])
        return hmac.digest(self._pseudonym, asked, hashlib.sha256).hex()


def _bound(key: str, expires_at: str) -> bytes:
    return msgspec.json.encode(["careplane model reply", key, expires_at])


def repeatable(complete: Complete, replies: KeptReplies, ledger: Ledger, clock: Callable[[], datetime]) -> Complete:
    """A way to the gateway on which a call that had its reply gets it again, for callers whose request ids are stable.

    Raises:
        StoreError: the database did not answer; the model was not asked.
        CareplaneError: as :meth:`careplane.gateway.Gateway.complete`.
    """

    async def completed(request: ModelRequest) -> ModelReply:
        kept = await anyio.to_thread.run_sync(replies.find, request)
        if kept is not None:
            facts = {"call": request.id, "route": request.route}
            await ledger.append_async("model_call_repeated", at=clock(), run=request.run, app=request.app, facts=facts)
            return kept
        reply = await complete(request)
        await replies.keep(request, reply)
        return reply

    return completed
