"""What an ERP told, in the store: each file once by its content, its facts by kind and key, its costs in the ledger.

Facts, costs and the note that the file was taken are one transaction; what apps may be for is submitted after it, from
the note, so a crash in between loses nothing.
"""

from datetime import date, datetime

from sqlalchemy import Connection, select, update

from careplane.records import Record
from careplane.records.erp import Claim, ErpBatch, ErpEvent, ErpFact, Shift
from careplane.records.money import CostLine
from careplane.store import Store, fetch, find, insert_new, save, stamp
from careplane.store.tables import erp_files, erp_records
from careplane.value.costs import add_costs


class ErpFile(Record, frozen=True):
    """A file (or answer) of an ERP that was looked at: taken, or refused with its problem."""

    hash: str
    name: str
    at: datetime
    facts: int = 0
    costs: int = 0
    events: tuple[ErpEvent, ...] = ()
    problem: str = ""


def take(store: Store, batch: ErpBatch, at: datetime) -> ErpFile | None:
    """Take a batch; ``None`` when its content was taken before."""
    with store.write() as connection:
        if _known(connection, batch.hash):
            return None
        costs = add_costs(connection, batch.costs)
        facts = [fact for fact in batch.facts if not isinstance(fact, CostLine)]
        for fact in facts:
            row = {"kind": _kind(fact), "id": fact.key, "on": _day(fact).isoformat(), "file": batch.name}
            save(connection, erp_records, fact, **row)
        file = ErpFile(
            hash=batch.hash, name=batch.name, at=at, facts=len(batch.facts), costs=costs, events=batch.events
        )
        save(connection, erp_files, file, hash=file.hash, name=file.name, state="received", at=stamp(at))
    return file


def refuse(store: Store, digest: str, name: str, problem: str, at: datetime) -> bool:
    """Note a file that is not good; says whether that is news."""
    file = ErpFile(hash=digest, name=name, at=at, problem=problem)
    with store.write() as connection:
        return insert_new(connection, erp_files, file, hash=digest, name=name, state="refused", at=stamp(at))


def known(store: Store, digest: str) -> bool:
    """Whether a content was taken or refused before."""
    with store.read() as connection:
        return _known(connection, digest)


def to_submit(store: Store) -> list[ErpFile]:
    """Files that were taken and whose events are not all submitted."""
    with store.read() as connection:
        return find(connection, erp_files, ErpFile, erp_files.c.state == "received", order_by=(erp_files.c.at.asc(),))


def submitted(store: Store, file: ErpFile) -> None:
    """All events of a file are where they run."""
    with store.write() as connection:
        connection.execute(update(erp_files).where(erp_files.c.hash == file.hash).values(state="done"))


def find_files(store: Store, limit: int = 50) -> list[ErpFile]:
    """Files that were looked at, newest first."""
    with store.read() as connection:
        return find(connection, erp_files, ErpFile, order_by=(erp_files.c.at.desc(),), limit=limit)


def find_claims(store: Store, limit: int = 100) -> list[Claim]:
    """Claims, newest first."""
    with store.read() as connection:
        where, newest = erp_records.c.kind == "claim", (erp_records.c.on.desc(),)
        return find(connection, erp_records, Claim, where, order_by=newest, limit=limit)


def find_fact(store: Store, kind: type[Record], key: str) -> Record | None:
    """One fact by its kind and key."""
    with store.read() as connection:
        name = kind.__name__.lower()
        return fetch(connection, erp_records, kind, erp_records.c.kind == name, erp_records.c.id == key)


def _known(connection: Connection, digest: str) -> bool:
    found = connection.execute(select(erp_files.c.hash).where(erp_files.c.hash == digest)).first()
    return found is not None


def _kind(fact: ErpFact) -> str:
    return type(fact).__name__.lower()


def _day(fact: ErpFact) -> date:
    if isinstance(fact, Shift):
        return fact.starts.date()
    for name in ("posted_on", "ordered_on", "as_of", "on", "starts"):
        value = getattr(fact, name, None)
        if isinstance(value, date):
            return value
    return date.min
