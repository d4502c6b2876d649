"""The inbox of HL7 v2: every message that came, raw and parsed, on disk before it is acknowledged.

It is a file of its own (``<home>/hl7v2.db``), because a sender that waits for an acknowledgement must not wait for the
runs of apps: in one file with them the answer took seconds instead of milliseconds. Contents are sealed
(:mod:`careplane.store.sealing`); type, sender, control id and reason stand beside them in clear and name no patient.

==========  ==========================================================================================
state       a message that
==========  ==========================================================================================
received    was acknowledged and waits for its turn
done        has been turned into what apps read, and into their events
failed      was acknowledged, and could not be; ``reason`` says why; kept, and can be played again
refused     was not accepted; ``reason`` says why; kept, and can be played again
==========  ==========================================================================================

A message is known by its sender and control id. The same content again is counted and not taken again; another content
under the same id is refused and kept.
"""

import hashlib
import itertools
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from careplane.errors import NotFound
from careplane.store.group_commit import GroupCommit
from careplane.store.rows import stamp
from careplane.store.sealing import Seal, open_key

FILE = "hl7v2.db"
State = Literal["received", "done", "failed", "refused"]
Outcome = Literal["new", "again", "conflict", "refused"]

CONFLICT = "the control id was used before, by the same sender, for another message"
LEASE_SECONDS = 30
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, row TEXT NOT NULL, name TEXT UNIQUE, digest TEXT NOT NULL,
  state TEXT NOT NULL, kind TEXT NOT NULL, sender TEXT NOT NULL, control TEXT NOT NULL, peer TEXT NOT NULL,
  received_at TEXT NOT NULL, deliveries INTEGER NOT NULL DEFAULT 1, reason TEXT NOT NULL DEFAULT '',
  charset TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0, try_at TEXT NOT NULL DEFAULT '', sealed BLOB
);
CREATE INDEX IF NOT EXISTS messages_turn ON messages (try_at, id) WHERE state = 'received';
CREATE INDEX IF NOT EXISTS messages_digest ON messages (digest) WHERE state = 'refused';
CREATE TABLE IF NOT EXISTS resources (
  kind TEXT NOT NULL, id TEXT NOT NULL, patient TEXT NOT NULL, at TEXT NOT NULL, kept_at TEXT NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS resources_patient ON resources (kind, patient);
"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came: ``parsed`` is its JSON, empty where it could not be read and ``reason`` says why."""

    raw: bytes
    parsed: bytes
    kind: str
    sender: str
    control: str
    peer: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of an arrival, and the number under which it is kept."""

    outcome: Outcome
    id: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of the list, without its content. ``name`` is what makes it the same when it comes again."""

    id: int
    name: str
    state: State
    kind: str
    sender: str
    control: str
    peer: str
    received_at: str
    deliveries: int
    reason: str
    charset: str
    tries: int


_COLUMNS = (
    "id, coalesce(name, row), state, kind, sender, control, peer, received_at, deliveries, reason, charset, tries"
)
_TAKE = (
    "UPDATE messages SET try_at = ?, tries = tries + 1 WHERE id IN (SELECT id FROM messages"  # noqa: S608 - constants
    f" WHERE state = 'received' AND try_at <= ? ORDER BY id LIMIT ?) RETURNING {_COLUMNS}"
)


class Hl7v2Inbox:
    """The messages of one home.

    Args:
        file: its file.
        seal: what seals the contents.
    """

    def __init__(self, file: GroupCommit, seal: Seal) -> None:
        self.file = file
        self.seal = seal
        self._rows = map(f"{secrets.token_hex(8)}-{{}}".format, itertools.count())

    async def keep(self, arrival: Arrival) -> Kept:
        """Keep a message, whatever it is; durable on return.

        Raises:
            StoreError: it could not be kept, so it must not be acknowledged.
        """
        row = next(self._rows)
        digest = self.seal.digest(arrival.raw)
        sealed = self._sealed(arrival.raw, arrival.parsed, row)
        return await self.file.write_async(lambda connection: _keep(connection, arrival, row, digest, sealed))

    async def take(self, at: datetime, limit: int = 32) -> list[Entry]:
        """The next messages to work on, oldest first; they are this worker's for ``LEASE_SECONDS``."""
        until = stamp(at + timedelta(seconds=LEASE_SECONDS))

        def work(connection: sqlite3.Connection) -> list[Entry]:
            found = connection.execute(_TAKE, (until, stamp(at), limit))
            return sorted((Entry(*row) for row in found), key=lambda entry: entry.id)

        return await self.file.write_async(work)

    async def again(self, entry: Entry, at: datetime, reason: str) -> None:
        """Work on a message later, since something that it needs is away; the pauses grow."""
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(entry.tries, 12), LONGEST_PAUSE_SECONDS)
        later = stamp(at + timedelta(seconds=pause))
        await self._set(entry.id, "received", reason, later)

    async def finish(self, entry: Entry, state: State, reason: str = "") -> None:
        """Record that a message is done, or why it cannot be."""
        await self._set(entry.id, state, reason, "")

    def content(self, ident: int) -> tuple[bytes, bytes]:
        """The raw and the parsed content of a message.

        Raises:
            NotFound: there is none, or its content was deleted after the time it is kept for.
        """
        sql = "SELECT row, sealed FROM messages WHERE id = ?"
        found = self.file.read(lambda connection: connection.execute(sql, (ident,)).fetchone())
        if found is None or found[1] is None:
            raise NotFound(
                f"There is no message {ident}, or its content is no longer kept. List: careplane hl7v2 inbox"
            )
        raw, parsed = msgspec.msgpack.decode(self.seal.open(found[1], found[0]), type=tuple[bytes, bytes])
        return raw, parsed

    def entry(self, ident: int) -> Entry:
        """One message of the list.

        Raises:
            NotFound: there is none.
        """
        found = self.entries(where="id = ?", values=(ident,), limit=1)
        if not found:
            raise NotFound(f"There is no message {ident} in the inbox. List: careplane hl7v2 inbox")
        return found[0]

    def newest(self, *, failed: bool = False, limit: int = 50) -> list[Entry]:
        """The newest messages first; with ``failed`` only those that need somebody."""
        return self.entries("state IN ('failed', 'refused')" if failed else "1", (), limit)

    def entries(self, where: str, values: tuple[object, ...], limit: int) -> list[Entry]:
        """The entries that meet a condition, newest first."""
        sql = f"SELECT {_COLUMNS} FROM messages WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608 - of this module
        found = self.file.read(lambda connection: connection.execute(sql, (*values, limit)).fetchall())
        return [Entry(*row) for row in found]

    def counts(self) -> dict[str, int]:
        """How many messages are in each state."""
        sql = "SELECT state, count(*) FROM messages GROUP BY state ORDER BY state"
        return dict(self.file.read(lambda connection: connection.execute(sql).fetchall()))

    def replay(self, ident: int, *, kind: str, parsed: bytes, charset: str, only_free: bool = False) -> bool:
        """Let a message be worked on again, as a message that was accepted; ``charset`` is what a person gave.

        Not done for what was accepted with the same content, nor with ``only_free`` for a message whose control id was
        accepted with another content since: its sender may have mended it. Says whether it was done.
        """
        raw, _ = self.content(ident)
        entry = self.entry(ident)
        name = name_of(entry.sender, entry.control)

        def work(connection: sqlite3.Connection) -> bool:
            row, digest = connection.execute("SELECT row, digest FROM messages WHERE id = ?", (ident,)).fetchone()
            held = "SELECT digest FROM messages WHERE name = ? AND id != ?"
            other = connection.execute(held, (name, ident)).fetchone()
            if other is not None and (only_free or other[0] == digest):
                return False
            connection.execute(
                "UPDATE messages SET state = 'received', reason = '', tries = 0, try_at = '', kind = ?, charset = ?,"
                " sealed = ?, name = coalesce(name, ?) WHERE id = ?",
                (kind, charset, self._sealed(raw, parsed, row), name if entry.control and not other else row, ident),
            )
            return True

        return self.file.write(work)

    def purge(self, before: datetime) -> int:
        """Delete the contents of messages that are done and came before a time; their ids stay, to know them again."""
        sql = "UPDATE messages SET sealed = NULL WHERE state = 'done' AND sealed IS NOT NULL AND received_at < ?"
        return self.file.write(lambda connection: connection.execute(sql, (stamp(before),)).rowcount)

    def close(self) -> None:
        """Give the file back."""
        self.file.close()

    async def _set(self, ident: int, state: State, reason: str, try_at: str) -> None:
        sql = "UPDATE messages SET state = ?, reason = ?, try_at = ? WHERE id = ?"
        await self.file.write_async(lambda connection: connection.execute(sql, (state, reason, try_at, ident)).rowcount)

    def _sealed(self, raw: bytes, parsed: bytes, row: str) -> bytes:
        return self.seal.seal(msgspec.msgpack.encode((raw, parsed)), row)


def open_inbox(home: Path) -> Hl7v2Inbox:
    """The inbox of a home; file and key (``secrets/hl7v2.key``) are made on first use.

    Raises:
        SettingsError: the key cannot be used.
        StoreError: the file cannot be opened.
    """
    seal = Seal(open_key(home / "secrets" / "hl7v2.key"), "careplane hl7v2")
    return Hl7v2Inbox(GroupCommit(home / FILE, _SCHEMA), seal)


def name_of(sender: str, control: str) -> str:
    """What makes a message the same when it is delivered again: its sender and its control id."""
    return hashlib.sha256(f"{sender}\0{control}".encode(errors="surrogatepass")).hexdigest()[:32]


def _keep(connection: sqlite3.Connection, arrival: Arrival, row: str, digest: str, sealed: bytes) -> Kept:
    if arrival.reason:
        return _aside(connection, arrival, row, digest, sealed, "refused", arrival.reason)
    name = name_of(arrival.sender, arrival.control)
    new = _insert(connection, arrival, row, name, digest, sealed, "received", "")
    if new is not None:
        connection.execute("DELETE FROM messages WHERE digest = ? AND state = 'refused'", (digest,))
        return Kept("new", new)
    held, same = connection.execute("SELECT id, digest FROM messages WHERE name = ?", (name,)).fetchone()
    if same == digest:
        connection.execute("UPDATE messages SET deliveries = deliveries + 1 WHERE id = ?", (held,))
        return Kept("again", held)
    return _aside(connection, arrival, row, digest, sealed, "conflict", CONFLICT)


def _aside(
    connection: sqlite3.Connection,
    arrival: Arrival,
    row: str,
    digest: str,
    sealed: bytes,
    outcome: Outcome,
    reason: str,
) -> Kept:
    """Keep a message that is not accepted, once however often it comes."""
    held = connection.execute(
        "UPDATE messages SET deliveries = deliveries + 1, reason = ?"
        " WHERE digest = ? AND state = 'refused' RETURNING id",
        (reason, digest),
    ).fetchall()
    if held:
        return Kept(outcome, held[0][0])
    return Kept(outcome, _insert(connection, arrival, row, None, digest, sealed, "refused", reason) or 0)


def _insert(
    connection: sqlite3.Connection,
    arrival: Arrival,
    row: str,
    name: str | None,
    digest: str,
    sealed: bytes,
    state: State,
    reason: str,
) -> int | None:
    found = connection.execute(
        "INSERT INTO messages (row, name, digest, state, kind, sender, control, peer, received_at, reason, sealed)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id",
        (
            *(row, name, digest, state, arrival.kind, arrival.sender, arrival.control, arrival.peer),
            *(stamp(arrival.at), reason, sealed),
        ),
    ).fetchone()
    return None if found is None else int(found[0])
