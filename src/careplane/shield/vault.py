"""The vault: surrogate maps that outlive a call, encrypted at rest, expiring.

A conversation or a run of several calls keeps its surrogates over calls and workers. Its map is one row: sealed with
AES-256-GCM under a key of this installation (``<home>/secrets/shield.key``, mode 600), with the run, the version and
the expiry as associated data, so that a row moved to another run, changed, or given more time does not open. Two
workers that extend one map at a time are told apart by the version: the second reads again and repeats its work.
Nothing is logged.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from careplane.errors import SettingsError, ShieldError, StoreError
from careplane.shield.surrogates import SurrogateMap
from careplane.store import Store
from careplane.store.rows import stamp
from careplane.store.sealing import open_key
from careplane.store.tables import shield_maps

T = TypeVar("T")

_NONCE = 12
_TRIES = 20


class Vault:
    """The maps of all runs.

    Args:
        store: where the rows are.
        secret: the 32 bytes of the key.
        clock: the time, aware.
        hours: how long a map is kept after it was last extended.
    """

    def __init__(self, store: Store, secret: bytes, clock: Callable[[], datetime], hours: float = 24.0) -> None:
        self._store = store
        self._cipher = AESGCM(hmac.digest(secret, b"careplane shield map", hashlib.sha256))
        self._pseudonym = hmac.digest(secret, b"careplane shield run", hashlib.sha256)
        self._clock = clock
        self._kept = timedelta(hours=hours)

    def update(
        self, run: str, work: Callable[[SurrogateMap], T], *, realistic: bool = False, shifted: bool = False
    ) -> T:
        """Let ``work`` use and extend the map of a run, which is made on its first call, and keep it.

        ``work`` may be called again, with a fresh copy, when another worker was quicker: it should do nothing but use
        the map. An expired map is not used any more; the run gets a new one.

        Raises:
            ShieldError: the map does not open, or could not be kept. Nothing may leave.
        """
        try:
            for _ in range(_TRIES):
                row = self._row(run)
                table = SurrogateMap(realistic=realistic, shifted=shifted)
                now = self._clock()
                live = row is not None and row.expires_at > stamp(now)
                if row is not None and live:
                    self._opened(run, row, table)
                before = table.encode()
                result = work(table)
                after = table.encode()
                fresh = row is not None and row.expires_at > stamp(now + self._kept / 2)
                if (fresh and after == before) or self._saved(run, row.version if row else 0, after):
                    return result
        except (StoreError, SQLAlchemyError) as error:
            raise ShieldError("The map of this run could not be read or kept, so nothing left.") from error
        raise ShieldError("Too many workers extend the map of this run, so nothing left. Try again.")

    def read(self, run: str) -> SurrogateMap:
        """The map of a run, to restore with.

        Raises:
            ShieldError: there is none (any more), or it does not open.
        """
        try:
            row = self._row(run)
        except (StoreError, SQLAlchemyError) as error:
            raise ShieldError("The map of this run could not be read.") from error
        if row is None or row.expires_at <= stamp(self._clock()):
            raise ShieldError("There is no map of this run, or it has expired: its surrogates cannot be restored.")
        return self._opened(run, row, SurrogateMap())

    def delete(self, run: str) -> bool:
        """Delete the map of a run; says whether there was one."""
        with self._store.write() as connection:
            found = connection.execute(delete(shield_maps).where(shield_maps.c.run == self._name(run)))
            return found.rowcount > 0

    def purge(self) -> int:
        """Delete all maps that have expired; says how many there were."""
        with self._store.write() as connection:
            found = connection.execute(delete(shield_maps).where(shield_maps.c.expires_at <= stamp(self._clock())))
            return found.rowcount

    def _name(self, run: str) -> str:
        return hmac.digest(self._pseudonym, run.encode(errors="surrogatepass"), hashlib.sha256).hex()

    def _row(self, run: str) -> Row[tuple[str, int, str, str]] | None:
        with self._store.read() as connection:
            return connection.execute(select(shield_maps).where(shield_maps.c.run == self._name(run))).first()

    def _bound(self, run: str, version: int, expires_at: str) -> bytes:
        return msgspec.json.encode(["careplane shield map", run, version, expires_at])

    def _opened(self, run: str, row: Row[tuple[str, int, str, str]], table: SurrogateMap) -> SurrogateMap:
        try:
            sealed = base64.b64decode(row.sealed, validate=True)
            bound = self._bound(run, row.version, row.expires_at)
            return table.decode(self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound))
        except (InvalidTag, ValueError, binascii.Error, msgspec.MsgspecError) as error:
            kind = type(error).__name__
        raise ShieldError(f"The map of this run does not open ({kind}), so nothing left.")

    def _saved(self, run: str, version: int, content: bytes) -> bool:
        """Whether the map was kept: not if another worker has kept one meanwhile."""
        now = self._clock()
        expires_at = stamp(now + self._kept)
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, content, self._bound(run, version + 1, expires_at))
        values = {
            "version": version + 1,
            "expires_at": expires_at,
            "sealed": base64.b64encode(sealed).decode(),
        }
        try:
            with self._store.write() as connection:
                if version:
                    where = (shield_maps.c.run == self._name(run), shield_maps.c.version == version)
                    return connection.execute(update(shield_maps).where(*where).values(**values)).rowcount == 1
                connection.execute(delete(shield_maps).where(shield_maps.c.expires_at <= stamp(now)))
                connection.execute(insert(shield_maps).values(run=self._name(run), **values))
                return True
        except IntegrityError:
            return False


def open_vault(store: Store, home: Path, clock: Callable[[], datetime], hours: float = 24.0) -> Vault:
    """The vault of an installation; its key is made on first use.

    Raises:
        ShieldError: the key cannot be made or read, others can read it, or it is none.
    """
    return Vault(store, installation_secret(home), clock, hours)


def installation_secret(home: Path) -> bytes:
    """The 32 bytes from which an installation derives the keys of what it seals at rest; made on first use.

    Raises:
        ShieldError: they cannot be made or read, others can read them, or they are none.
    """
    try:
        return open_key(home / "secrets" / "shield.key")
    except SettingsError as error:
        raise ShieldError(f"The key of the shield cannot be used: {error}.") from error
