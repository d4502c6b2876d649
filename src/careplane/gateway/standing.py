"""Who may call now: keys, entitlements and stops, read from the store at most moments ago.

A call must not wait for the database, and a stop must hold within seconds on every worker. So each worker keeps what it
last read: a key and its app's entitlement are read anew every second while they are in use (behind the calls, not
before them; before the first call after a rest), and a thread reads the kill switches twice a second and cuts the calls
that they concern. What could not be read for :data:`STALE_SECONDS` counts for nothing: the answer is no (fail closed).
"""

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio.to_thread

from careplane.errors import CareplaneError, Refused, StoreError
from careplane.gateway.deadline import Deadline
from careplane.gateway.keys import KeyRow, key_row
from careplane.governance import Switch, switches
from careplane.records.app import Entitlement
from careplane.store import Store

FRESH_SECONDS = 1.0
STALE_SECONDS = 15.0
POLL_SECONDS = 0.5
_MOST_KEYS = 10_000


class Unauthorised(CareplaneError):
    """No key, or one that is unknown or revoked."""

    status = 401


@dataclass(frozen=True, slots=True)
class Caller:
    """An app that may call now, the id of the key that it came with, and the site that the key is tied to."""

    entitled: Entitlement
    key: str
    site: str | None = None


Entitle = Callable[[str], Entitlement]
"""What an app that may use the gateway now is entitled to; raises ``Refused`` with reasons. It may block."""


@dataclass(slots=True)
class _Known:
    """What was last read about a key: the caller, or why it is none. ``owner`` is the app and the id of the key,
    also of one that may not call; ``tried`` is when it could not be read anew."""

    at: float
    caller: Caller | None = None
    error: CareplaneError | None = None
    owner: tuple[str | None, str | None] = (None, None)
    tried: float = 0.0
    reading: asyncio.Task[None] | None = None


class Standing:
    """What one worker knows about who may call. :meth:`start` and :meth:`close` frame its thread."""

    def __init__(self, store: Store, entitle: Entitle) -> None:
        self._store = store
        self._entitle = entitle
        self._known: dict[bytes, _Known] = {}
        self.stops = Stops(store)

    def start(self) -> None:
        """Read the stops for the first time, and go on reading them."""
        self.stops.start()

    def close(self) -> None:
        """End the thread."""
        self.stops.close()

    async def caller(self, key: str) -> Caller:
        """The app whose key this is; :meth:`check` says whether it is stopped.

        Raises:
            Unauthorised: the key is unknown or revoked.
            Refused: the app is not entitled now; the reasons say why.
            StoreError: it cannot be known, because the store has not answered for too long.
        """
        digest = _digest(key)
        known = self._known.get(digest)
        now = time.monotonic()
        if known is None or now - known.at > STALE_SECONDS or (known.caller is None and now - known.at > FRESH_SECONDS):
            known = await self._read(digest)
        elif (age := now - max(known.at, known.tried)) > FRESH_SECONDS:
            known = await self._renewed(digest, known, age)
        if known.error is not None:
            raise known.error
        assert known.caller is not None  # noqa: S101 - one of the two is always there
        return known.caller

    def owner(self, key: str) -> tuple[str | None, str | None]:
        """The app and the id of a key that was asked for just now, for the record of a refusal; ``None`` if unknown."""
        known = self._known.get(_digest(key))
        return (None, None) if known is None else known.owner

    def check(self, caller: Caller) -> None:
        """Whether a caller is stopped, or its site is.

        Raises:
            Refused: it is.
            StoreError: it cannot be known.
        """
        self.stops.check(caller.entitled.app, caller.site, caller.entitled.version)

    async def _renewed(self, digest: bytes, known: _Known, age: float) -> _Known:
        """Read a key anew: a busy one behind its calls. The first call after a rest waits for it, lest a revoked key
        come through once more, but no longer than a second: then what is known holds until it is stale."""
        if known.reading is None:
            known.reading = asyncio.get_running_loop().create_task(self._refresh(digest, known))
        if age <= 2 * FRESH_SECONDS:
            return known
        done, _ = await asyncio.wait({known.reading}, timeout=FRESH_SECONDS)
        if not done:
            known.tried = time.monotonic()
        return self._known.get(digest, known)

    async def _refresh(self, digest: bytes, old: _Known) -> None:
        try:
            await self._read(digest)
        except CareplaneError:
            old.tried = time.monotonic()
        finally:
            old.reading = None

    async def _read(self, digest: bytes) -> _Known:
        known = await anyio.to_thread.run_sync(self._look_up, digest)
        if len(self._known) >= _MOST_KEYS:
            self._known.clear()
        self._known[digest] = known
        return known

    def _look_up(self, digest: bytes) -> _Known:
        row: KeyRow | None = key_row(self._store, digest.hex())
        if row is None:
            told = "Give a valid key of a registered app: 'Authorization: Bearer cp-...' or 'x-api-key: cp-...'."
            return _Known(time.monotonic(), error=Unauthorised(told))
        try:
            entitled = self._entitle(row.app)
        except StoreError:
            raise
        except CareplaneError as error:
            return _Known(time.monotonic(), error=error, owner=(row.app, row.id))
        return _Known(time.monotonic(), caller=Caller(entitled, row.id, row.site), owner=(row.app, row.id))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


@dataclass(eq=False, slots=True)
class ActiveCall:
    """A call under way, which a stop can cut. ``halted`` says why, once it is cut."""

    app: str
    site: str | None
    version: str
    loop: asyncio.AbstractEventLoop
    deadline: Deadline
    halted: str | None = None

    def halt(self, reason: str) -> None:
        """Cut the call, from any thread: its time is over now."""
        self.halted = reason
        self.loop.call_soon_threadsafe(self.deadline.fire)


@dataclass(eq=False)
class Stops:
    """The kill switches as this worker last read them, and the calls that they would cut."""

    store: Store
    _held: dict[tuple[str, str], Switch] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _active: set[ActiveCall] = field(default_factory=set)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Read once, then go on reading in a thread."""
        self.read()
        self._thread = threading.Thread(target=self._poll, name="careplane-stops", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(POLL_SECONDS * 4)

    def check(self, app: str, site: str | None, version: str) -> None:
        """Whether the app may run here.

        Raises:
            Refused: it is stopped.
            StoreError: the stops could not be read for too long.
        """
        if time.monotonic() - self._read_at > STALE_SECONDS:
            raise StoreError("Whether the app is stopped cannot be read from the database, so nothing runs.")
        if self._held and (why := self._why(app, site, version)):
            raise Refused([f"{app} is stopped: {why}."], "A second person releases the stop: careplane stop --help")

    def _why(self, app: str, site: str | None, version: str) -> str | None:
        for scope, target in (("app", app), ("version", f"{app}@{version}"), ("site", site)):
            if target is not None and (held := self._held.get((scope, target))) is not None:
                return f"{held.reason} ({held.scope} {held.target}, by {held.by})"
        return None

    def enter(self, call: ActiveCall) -> None:
        """A call begins; :meth:`leave` ends it. One that was stopped since it was let in is cut at once."""
        self._active.add(call)  # first: a stop that is read meanwhile finds it here, or is found here
        if self._held and (why := self._why(call.app, call.site, call.version)):
            call.halt(why)

    def leave(self, call: ActiveCall) -> None:
        """A call is over."""
        self._active.discard(call)

    def read(self) -> None:
        """Read the switches now, and cut what they stop."""
        held: dict[tuple[str, str], Switch] = {(one.scope, one.target): one for one in switches(self.store)}
        self._read_at = time.monotonic()
        if held == self._held:
            return
        self._held = held
        for call in list(self._active):
            if call.halted is None and (why := self._why(call.app, call.site, call.version)):
                call.halt(why)

    def _poll(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            try:
                self.read()
            except CareplaneError:
                continue  # it counts as unread, and what is unread for too long refuses
