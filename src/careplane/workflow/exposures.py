"""Exposure: every eligible event of a running plan, whether or not the app spoke, in every arm.

An event is noted in the transaction that stores its run. What no run tells is noted beside it: that the draft came
after the answer of a hook, that it was not shown, or that there was no run at all.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from msgspec.structs import replace
from sqlalchemy import Connection, select

from careplane.records.design import Exposure, Placement, Why
from careplane.records.run import Event, Run
from careplane.store import Store, find, insert_new, save, stamp
from careplane.store.grouping import GroupedWrites
from careplane.store.rows import opened
from careplane.store.tables import exposures

_BESIDE: frozenset[Why] = frozenset({"late", "shadow"})
"""What stays true when the run of the event is stored: the draft came late, or was not shown."""


def exposure_of(run: Run, placed: Placement) -> Exposure:
    """The exposure that a stored run tells."""
    refused = ",".join(reason.rule for reason in run.permit.refusals)
    return _exposure(run.event, placed, spoke=run.draft is not None, why=_why(run, placed, refused), rule=refused,
                     run=run.id)  # fmt: skip


def unspoken(event: Event, placed: Placement, why: Why, rule: str = "") -> Exposure:
    """The exposure of an event at which the app did not speak (yet)."""
    return _exposure(event, placed, spoke=False, why="control" if placed.arm == "control" else why, rule=rule, run=None)


def keep_exposure(connection: Connection, told: Exposure) -> None:
    """Keep an exposure, together with what is known of the same event already."""
    if insert_new(connection, exposures, told, **_columns(told)):
        return
    where = (exposures.c.plan == told.plan, exposures.c.event == told.event)
    wanted = select(exposures.c.plan, exposures.c.event, exposures.c.body).where(*where)
    held = opened(connection, exposures, connection.execute(wanted.with_for_update()).one(), Exposure)
    if (kept := _together(held, told)) != held:
        save(connection, exposures, kept, **_columns(kept))


def note(store: Store, told: Exposure, writes: GroupedWrites | None = None) -> None:
    """Keep an exposure that no run tells. With ``writes`` it shares a transaction with others."""
    if writes is not None:
        writes.run(partial(keep_exposure, told=told))
        return
    with store.write() as connection:
        keep_exposure(connection, told)


def find_exposures(
    store: Store, plan: str, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
) -> list[Exposure]:
    """The exposures of a plan in the order of time, from ``since`` up to, not including, ``until``."""
    where = [exposures.c.plan == plan]
    where += [] if since is None else [exposures.c.at >= stamp(since)]
    where += [] if until is None else [exposures.c.at < stamp(until)]
    with store.read() as connection:
        return find(connection, exposures, Exposure, *where, order_by=(exposures.c.at, exposures.c.event), limit=limit)


def count_exposures(found: Sequence[Exposure]) -> dict[tuple[str, str], int]:
    """How many events by arm (``none`` without one) and what became of them (``spoke`` or why not)."""
    return dict(Counter((one.arm or "none", "spoke" if one.spoke else one.why) for one in found))


def _together(held: Exposure, told: Exposure) -> Exposure:
    """Two notes of one event: the run tells whether the app spoke, a note beside it whether that was seen in time."""
    run = told if told.run is not None else held
    note = held if run is told else told
    if run.run is None or note.run is not None:
        return held
    if note.why not in _BESIDE or not run.spoke:
        return run
    return replace(run, why=note.why, spoke=note.why != "shadow")


def _why(run: Run, placed: Placement, refused: str) -> Why:
    if run.draft is not None:
        return ""
    if placed.arm == "control":
        return "control"
    if run.status != "refused":
        return "failed"
    return "stopped" if "not_stopped" in refused.split(",") else "refused"


def _exposure(event: Event, placed: Placement, *, spoke: bool, why: Why, rule: str, run: str | None) -> Exposure:
    return Exposure(
        plan=placed.plan,
        app=event.app,
        event=event.id,
        at=event.at,
        arm=placed.arm,
        spoke=spoke,
        why=why,
        rule=rule,
        subject=placed.subject,
        unit=event.unit,
        site=event.site,
        patient=event.patient,
        clinician=event.user,
        run=run,
        moved=placed.moved,
    )


def _columns(told: Exposure) -> dict[str, str | bool | None]:
    return {
        "plan": told.plan,
        "event": told.event,
        "at": stamp(told.at),
        "arm": told.arm,
        "spoke": told.spoke,
        "why": told.why,
        "unit": told.unit,
    }
