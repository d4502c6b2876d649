"""Harm flags: a person's word that a run did harm, or could have. The safety watch counts the runs, not the flags."""

import hashlib
from datetime import datetime

from careplane.errors import InputError
from careplane.ledger import Ledger
from careplane.records.monitoring import HarmFlag, HarmLevel
from careplane.store import Store, find, insert_new, stamp
from careplane.store.tables import harm_flags
from careplane.workflow.records import load_run

LONGEST_NOTE = 2000


def flag_harm(
    store: Store, ledger: Ledger, run: str, level: HarmLevel, by: str, at: datetime, note: str = ""
) -> HarmFlag:
    """Keep that a run did harm. The same person's second word about a run changes nothing: the first stays.

    Raises:
        NotFound: there is no such run.
        InputError: nobody is named, or the note is too long.
    """
    if not by.strip():
        raise InputError("must not be empty", field="by")
    if len(note) > LONGEST_NOTE:
        raise InputError(f"must have at most {LONGEST_NOTE} characters, it has {len(note)}", field="note")
    held = load_run(store, run)
    ident = "harm-" + hashlib.sha256(f"{run}\n{by}".encode()).hexdigest()[:24]
    flag = HarmFlag(id=ident, run=run, app=held.app, level=level, by=by, at=at, note=note.strip())
    with store.write() as connection:
        new = insert_new(connection, harm_flags, flag, id=ident, run=run, app=held.app, level=level, at=stamp(at))
    if not new:
        return next(one for one in find_flags(store, run=run) if one.id == ident)
    ledger.append("harm.flagged", at=at, actor=by, run=run, app=held.app, facts={"level": level})
    return flag


def find_flags(store: Store, app: str | None = None, run: str | None = None) -> list[HarmFlag]:
    """Flags, newest first, of one app, of one run, or all."""
    where = [column == value for column, value in ((harm_flags.c.app, app), (harm_flags.c.run, run)) if value]
    with store.read() as connection:
        return find(connection, harm_flags, HarmFlag, *where, order_by=(harm_flags.c.at.desc(), harm_flags.c.id))
