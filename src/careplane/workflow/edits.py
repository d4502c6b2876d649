"""Edits under way: what a reviewer has typed and not signed yet, kept so that a reload or a lost network loses nothing.

An edit belongs to one run and one person, holds PHI as the run does, and goes when the draft is signed or rejected.
"""

from datetime import datetime

from sqlalchemy import delete

from careplane.errors import Conflict, InputError
from careplane.records.run import Edit
from careplane.store import Store, fetch, save, stamp
from careplane.store.tables import edits as table
from careplane.workflow.records import load_run

LONGEST_EDIT = 100_000
_PART = 5_000


def keep_edit(store: Store, edit: Edit, at: datetime) -> Edit:
    """Keep an edit; an older one that arrives late (``n`` counts them) changes nothing. Gives what is kept.

    Raises:
        NotFound: no such run.
        Conflict: the draft was reviewed meanwhile.
        InputError: it is longer than any draft.
    """
    if len(edit.text) > LONGEST_EDIT:
        raise InputError(f"must have at most {LONGEST_EDIT:,} characters", field="final_text")
    if max(len(edit.reason), len(edit.comment)) > _PART:
        raise InputError(f"must have at most {_PART:,} characters", field="comment")
    run = load_run(store, edit.run)
    if run.status != "draft":
        raise Conflict(f"This run is {run.status}, so there is no draft to edit. Reload to see what happened.")
    with store.write() as connection:
        held = fetch(connection, table, Edit, table.c.run == edit.run, table.c.person == edit.person)
        if held is not None and held.n >= edit.n:
            return held
        save(connection, table, edit, run=edit.run, person=edit.person, at=stamp(at))
    return edit


def kept_edit(store: Store, run: str, person: str) -> Edit | None:
    """What a person has typed for a run."""
    with store.read() as connection:
        return fetch(connection, table, Edit, table.c.run == run, table.c.person == person)


def drop_edits(store: Store, run: str) -> None:
    """The draft was signed or rejected: nothing of any edit is kept."""
    with store.write() as connection:
        connection.execute(delete(table).where(table.c.run == run))
