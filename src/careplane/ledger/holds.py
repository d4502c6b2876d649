"""Legal holds: records that keep other records from being removed, until a second person releases them.

A hold is a record of kind ``ledger.hold_added``, its end one of kind ``ledger.hold_released``; who is the actor. What
it covers is a run, an app, a patient (by pseudonym) or a period; two of these narrow it.
"""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

from careplane.errors import InputError, NotFound, Refused
from careplane.ledger.chain import LedgerRecord
from careplane.ledger.facts import FreeText, Scalar
from careplane.ledger.journal import Ledger
from careplane.ledger.search import Query
from careplane.records import Record

ADDED = "ledger.hold_added"
RELEASED = "ledger.hold_released"


class Hold(Record, frozen=True):
    """A hold: ``seq`` is its record, ``by`` who set it, ``since`` and ``until`` the period it covers."""

    id: str
    seq: int
    at: datetime
    by: str
    why: str
    run: str | None = None
    app: str | None = None
    patient: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def query(self) -> Query:
        """The records it covers."""
        patients = (self.patient,) if self.patient else ()
        return Query(since=self.since, until=self.until, run=self.run, app=self.app, patients=patients)


def add_hold(
    ledger: Ledger,
    by: str,
    why: str,
    at: datetime,
    *,
    run: str | None = None,
    app: str | None = None,
    patient: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Hold:
    """Set a hold.

    Args:
        patient: a pseudonym.

    Raises:
        InputError: nobody or no reason is named, or nothing is said of what it covers.
    """
    for field, value in (("by", by), ("why", why)):
        if not value.strip():
            raise InputError("must not be empty", field=field)
    if not any((run, app, patient, since, until)):
        raise InputError("Say what the hold covers: a run, an app, a patient or a period.")
    if since and until and since >= until:
        raise InputError("the period ends before it begins", field="until")
    hold = Hold(
        id=secrets.token_hex(4),
        seq=0,
        at=at,
        by=by,
        why=why.strip(),
        run=run,
        app=app,
        patient=patient,
        since=since,
        until=until,
    )
    facts: dict[str, Scalar] = {
        "hold": hold.id,
        "why": FreeText(hold.why),
        "covers_run": run,
        "covers_app": app,
        "covers_patient": patient,
        "covers_since": _told(since),
        "covers_until": _told(until),
    }
    ledger.append(ADDED, at=at, actor=by, facts=facts)
    return hold


def release_hold(ledger: Ledger, hold: str, by: str, why: str, at: datetime) -> None:
    """End a hold; takes somebody else than who set it.

    Raises:
        NotFound: there is no such hold.
        Refused: by the same person.
        InputError: nobody or no reason is named.
    """
    for field, value in (("by", by), ("why", why)):
        if not value.strip():
            raise InputError("must not be empty", field=field)
    held = {one.id: one for one in holds(ledger)}.get(hold)
    if held is None:
        raise NotFound(f"There is no hold {hold}. careplane ledger hold list shows those in force.")
    if held.by.strip().casefold() == by.strip().casefold():
        raise Refused((f"Hold {hold} was set by {held.by}.",), "A second person has to release it.")
    ledger.append(RELEASED, at=at, actor=by, facts={"hold": hold, "why": FreeText(why.strip())})


def holds(ledger: Ledger) -> list[Hold]:
    """The holds in force, oldest first."""
    force: dict[str, Hold] = {}
    for record in _records(ledger):
        if record.kind == ADDED:
            force[str(record.facts["hold"])] = _hold(record)
        else:
            force.pop(str(record.facts["hold"]), None)
    return list(force.values())


def _records(ledger: Ledger) -> Iterator[LedgerRecord]:
    yield from sorted(
        (record for kind in (ADDED, RELEASED) for record in ledger.find(Query(kind=kind))), key=lambda one: one.seq
    )


def _hold(record: LedgerRecord) -> Hold:
    facts = {name: None if value is None else str(value) for name, value in record.facts.items()}
    return Hold(
        id=facts["hold"] or "",
        seq=record.seq,
        at=record.at,
        by=record.actor or "",
        why=facts["why"] or "",
        run=facts["covers_run"],
        app=facts["covers_app"],
        patient=facts["covers_patient"],
        since=_time(facts["covers_since"]),
        until=_time(facts["covers_until"]),
    )


def _told(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
