"""FHIR resources that messages of HL7 v2 were turned into, sealed, beside the inbox and in its file."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

import orjson

from careplane.records import JSON
from careplane.store.hl7v2_inbox import Hl7v2Inbox
from careplane.store.rows import stamp
from careplane.store.sealing import Seal

_PUT = (
    "INSERT INTO resources (kind, id, patient, at, kept_at, sealed) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO"
)
_NEW = f"{_PUT} NOTHING"
_NEWER = (
    f"{_PUT} UPDATE SET patient = excluded.patient, at = excluded.at, kept_at = excluded.kept_at,"
    " sealed = excluded.sealed WHERE excluded.at >= resources.at"
)


class Hl7v2Context:
    """The resources of one home: read, found by patient, and put there together with the end of their message."""

    def __init__(self, inbox: Hl7v2Inbox) -> None:
        self._file = inbox.file
        self._seal: Seal = inbox.seal

    async def put(
        self, resources: Sequence[tuple[JSON, str]], at: datetime, now: datetime, *, only_new: bool = False
    ) -> None:
        """Keep the resources of a message, each with the patient (``Patient/id``, or empty) it is about.

        ``at`` is when it was true: a message that comes late does not replace what a later one said. With ``only_new``
        nothing is replaced, and whatever comes later replaces them.
        """
        since = "" if only_new else stamp(at)
        sealed = ((one, patient, self._seal.seal(orjson.dumps(one), _row(one))) for one, patient in resources)
        rows = [(one["resourceType"], one["id"], patient, since, stamp(now), body) for one, patient, body in sealed]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(_NEW if only_new else _NEWER, rows)

        if rows:
            await self._file.write_async(work)

    def read(self, kind: str, ident: str) -> JSON | None:
        """One resource, or ``None``."""
        return next(iter(self._found("kind = ? AND id = ?", (kind, ident))), None)

    def of_kind(self, kind: str, patient: str | None = None) -> list[JSON]:
        """All resources of a type, of one patient (``Patient/id``) when it is given."""
        if patient is None:
            return list(self._found("kind = ?", (kind,)))
        return list(self._found("kind = ? AND patient = ?", (kind, patient)))

    def purge(self, before: datetime) -> int:
        """Delete the resources that nothing was heard of since a time."""
        sql = "DELETE FROM resources WHERE kept_at < ?"
        return self._file.write(lambda connection: connection.execute(sql, (stamp(before),)).rowcount)

    def _found(self, where: str, values: tuple[str, ...]) -> Iterable[JSON]:
        sql = f"SELECT kind, id, sealed FROM resources WHERE {where} ORDER BY at DESC, id"  # noqa: S608 - of this module
        rows = self._file.read(lambda connection: connection.execute(sql, values).fetchall())
        return (orjson.loads(self._seal.open(sealed, f"{kind}/{ident}")) for kind, ident, sealed in rows)


def _row(resource: JSON) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
