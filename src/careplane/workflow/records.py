"""Runs in the store: one row per app and event."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from sqlalchemy import ColumnElement, Connection, select, update

from careplane.errors import NotFound
from careplane.records.design import Exposure
from careplane.records.run import Run, RunStatus
from careplane.store import Store, fetch, find, insert_new, stamp
from careplane.store.grouping import GroupedWrites
from careplane.store.rows import digest, opened, row_values
from careplane.store.tables import runs
from careplane.workflow.exposures import keep_exposure

SIGNED: tuple[RunStatus, ...] = ("accepted", "edited")
REVIEWED: tuple[RunStatus, ...] = (*SIGNED, "rejected")


def run_id(app: str, event: str) -> str:
    """The id of the run of an app for an event: always the same, so a repeat meets its first."""
    return "run-" + hashlib.sha256(f"{app}\n{event}".encode()).hexdigest()[:24]


def load_run(store: Store, ident: str) -> Run:
    """One run.

    Raises:
        NotFound: there is none.
    """
    run = find_run(store, ident)
    if run is None:
        raise NotFound(f"There is no run {ident}.")
    return run


def find_run(store: Store, ident: str) -> Run | None:
    """One run, or ``None``."""
    with store.read() as connection:
        return fetch(connection, runs, Run, runs.c.id == ident)


def known_runs(store: Store, idents: Iterable[str]) -> list[Run]:
    """Those of these runs that there are."""
    with store.read() as connection:
        return find(connection, runs, Run, runs.c.id.in_(list(idents)))


def find_runs(
    store: Store,
    app: str | Sequence[str] | None = None,
    status: RunStatus | Sequence[RunStatus] | None = None,
    reviewer: str | None = None,
    patient: str | None = None,
    limit: int | None = 50,
    offset: int = 0,
) -> list[Run]:
    """Runs, newest first; ``app`` and ``status`` may be one or several, ``patient`` is a reference."""
    where: list[ColumnElement[bool]] = []
    if app is not None:
        where.append(runs.c.app.in_([app] if isinstance(app, str) else app))
    if status is not None:
        where.append(runs.c.status.in_([status] if isinstance(status, str) else status))
    if reviewer is not None:
        where.append(runs.c.reviewer == reviewer)
    order = (runs.c.at.desc(), runs.c.id.asc())
    with store.read() as connection:
        if patient is not None:
            where.append(about_patient(connection, patient))
        return find(connection, runs, Run, *where, order_by=order, limit=limit, offset=offset)


def about_patient(connection: Connection, patient: str) -> ColumnElement[bool]:
    """Runs whose event is about a patient, a reference."""
    return runs.c.patient == digest(connection, patient)


def unwritten_runs(store: Store) -> list[Run]:
    """Signed runs whose resources have not reached the chart (a crash or an EHR that failed in between)."""
    with store.read() as connection:
        return find(connection, runs, Run, runs.c.status.in_(SIGNED), runs.c.unwritten)


def save_new_run(store: Store, run: Run, exposure: Exposure | None = None) -> Run:
    """Insert a run with its exposure, or give back the one that was first."""
    with store.write() as connection:
        new = _insert(connection, run, exposure)
    return run if new else load_run(store, run.id)


async def keep_new_run(store: Store, run: Run, writes: GroupedWrites | None, exposure: Exposure | None) -> Run:
    """As :func:`save_new_run`, from an event loop; with ``writes`` it shares a transaction with others."""
    if writes is None:
        return await asyncio.to_thread(save_new_run, store, run, exposure)
    new = await writes.run_async(partial(_insert, run=run, exposure=exposure))
    return run if new else await asyncio.to_thread(load_run, store, run.id)


def _insert(connection: Connection, run: Run, exposure: Exposure | None) -> bool:
    new = insert_new(connection, runs, run, **_columns(run))
    if new and exposure is not None:
        keep_exposure(connection, exposure)
    return new


def replace_run(store: Store, run: Run, expected: RunStatus, also: Callable[[Connection], None] | None = None) -> bool:
    """Replace a run if its status is still the expected one; says whether it was. ``also`` is done with it or not at
    all."""
    mine = (runs.c.id == run.id, runs.c.status == expected)
    with store.write() as connection:
        values = row_values(connection, runs, run, _columns(run))
        replaced = bool(connection.execute(update(runs).where(*mine).values(**values)).rowcount)
        if replaced and also is not None:
            also(connection)
    return replaced


def change_run(store: Store, before: Run, after: Run, also: Callable[[Connection], None] | None = None) -> bool:
    """Replace a run if nothing of it changed since it was read; says whether nothing had."""
    with store.write() as connection:
        row = connection.execute(select(runs.c.id, runs.c.body).where(runs.c.id == before.id).with_for_update()).first()
        if row is None or opened(connection, runs, row, Run) != before:
            return False
        values = row_values(connection, runs, after, _columns(after))
        connection.execute(update(runs).where(runs.c.id == after.id).values(**values))
        if also is not None:
            also(connection)
    return True


def _columns(run: Run) -> dict[str, str | float | bool | None]:
    return {
        "id": run.id,
        "app": run.app,
        "event": run.event.id,
        "status": run.status,
        "at": stamp(run.created_at),
        "reviewer": run.review.by if run.review else run.event.user,
        "plan": run.plan,
        "arm": run.arm,
        "cost_usd": run.cost_usd,
        "patient": run.event.patient,
        "unwritten": run.status in SIGNED and not run.written,
        "surveyed": run.survey is not None,
        "critical": run.draft is not None and any(one.severity == "critical" for one in run.draft.findings),
    }
