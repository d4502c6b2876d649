"""The funnel from idea to sustained use: every move is time-stamped, with who and why."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import get_args

import msgspec
from sqlalchemy import func, select

from careplane.alignment.register import save_item, save_move
from careplane.errors import Conflict, InputError, NotFound, Refused
from careplane.ledger import FreeText, Ledger
from careplane.records.portfolio import STAGES, FunnelStage, RegisterItem, Stage, StageMove
from careplane.store import Store, fetch, find
from careplane.store.tables import register, stage_moves

SPONSOR_DAYS = 180
WINDOW_DAYS = 91
SCALE_STAGES: tuple[Stage, ...] = ("limited_production", "scaled", "sustained")
LEGAL: dict[Stage, tuple[Stage, ...]] = {
    "idea": ("intake", "stopped"),
    "intake": ("shadow", "idea", "stopped"),
    "shadow": ("pilot", "intake", "stopped"),
    "pilot": ("limited_production", "shadow", "stopped"),
    "limited_production": ("scaled", "pilot", "stopped", "retired"),
    "scaled": ("sustained", "limited_production", "stopped", "retired"),
    "sustained": ("limited_production", "stopped", "retired"),
    "stopped": ("intake", "retired"),
    "retired": (),
}


def move_stage(
    store: Store, ledger: Ledger, item: RegisterItem, to_stage: Stage, at: datetime, by: str, why: str
) -> RegisterItem:
    """Move an item one step of the funnel.

    Raises:
        InputError: no reason is given.
        Refused: the move is not a step of the funnel, or it scales an item whose sponsor has not confirmed.
        Conflict: the item was moved meanwhile.
    """
    if not why.strip():
        raise InputError("say why", field="why")
    _check_step(item, to_stage)
    _check_sponsor(item, to_stage, at.date())
    move = StageMove(item=item.id, from_stage=item.stage, to_stage=to_stage, at=at, by=by, why=why.strip())
    with store.write() as connection:
        held = fetch(connection, register, RegisterItem, register.c.id == item.id)
        if held is None:
            raise NotFound(f"{item.id} is not on the register.")
        if held.stage != item.stage:
            raise Conflict(f"{item.id} is in {held.stage} by now; reload and decide again.")
        moved = msgspec.structs.replace(held, stage=to_stage, stage_since=at.date())
        save_item(connection, moved)
        save_move(connection, move)
        ledger.append(
            "stage.moved",
            at=at,
            app=item.id,
            actor=by,
            facts={"from": item.stage, "to": to_stage, "why": FreeText(move.why)},
        )
    return moved


def import_moves(store: Store, moves: Iterable[StageMove]) -> int:
    """Add moves of the past (of an imported register); says how many were new. The rows themselves stay."""
    with store.write() as connection:
        return sum(save_move(connection, move) for move in moves)


def find_moves(store: Store, item: str | None = None) -> list[StageMove]:
    """The moves of one item or of all, oldest first; of several at one instant the one from the earlier stage first."""
    where = () if item is None else (stage_moves.c.item == item,)
    with store.read() as connection:
        found = find(connection, stage_moves, StageMove, *where, order_by=(stage_moves.c.at, stage_moves.c.item))
    return sorted(found, key=lambda move: (move.at, move.item, _place(move.from_stage)))


def _place(stage: Stage | None) -> int:
    return -1 if stage is None else STAGES.index(stage)


def funnel(store: Store, today: date, window_days: int = WINDOW_DAYS) -> list[FunnelStage]:
    """All stages in order: how many are there now, how many entered and left within the last ``window_days``, and the
    median days of those that have left it, ever."""
    with store.read() as connection:
        rows = connection.execute(select(register.c.stage, func.count()).group_by(register.c.stage)).all()
    now = {stage: int(total) for stage, total in rows}
    moves = find_moves(store)
    recent = [move for move in moves if today - timedelta(days=window_days) < move.at.date() <= today]
    entered = Counter(move.to_stage for move in recent)
    left = Counter(move.from_stage for move in recent)
    stays = _stays(moves)
    return [
        FunnelStage(
            stage=stage,
            now=now.get(stage, 0),
            entered=entered[stage],
            left=left[stage],
            median_days=median(stays[stage]) if stage in stays else None,
        )
        for stage in STAGES
    ]


def sponsor_confirmed(item: RegisterItem, today: date) -> bool:
    """Whether the sponsor confirmed within the last 180 days."""
    confirmed = item.sponsor_confirmed_at
    return bool(item.sponsor) and confirmed is not None and (today - confirmed).days <= SPONSOR_DAYS


def _check_step(item: RegisterItem, to_stage: Stage) -> None:
    if to_stage not in get_args(Stage):
        raise InputError(f"{to_stage!r} is not a stage; the stages are: {', '.join(STAGES)}", field="to_stage")
    allowed = LEGAL[item.stage]
    if to_stage not in allowed:
        way_out = f"From {item.stage} it can go to: {', '.join(allowed)}." if allowed else "Register a new item."
        raise Refused([f"{item.title} is in {item.stage}; {to_stage} is not a step from there."], way_out)


def _check_sponsor(item: RegisterItem, to_stage: Stage, today: date) -> None:
    forward = STAGES.index(to_stage) > STAGES.index(item.stage)
    if forward and to_stage in SCALE_STAGES and not sponsor_confirmed(item, today):
        raise Refused(
            [f"The sponsor of {item.title} ({item.sponsor or 'nobody'}) has not confirmed in the last 180 days."],
            "Let the sponsor confirm, then scale.",
        )


def _stays(moves: Sequence[StageMove]) -> dict[Stage, list[int]]:
    """Days spent in a stage, one for each time that an item left it."""
    since: dict[str, datetime] = {}
    stays: dict[Stage, list[int]] = {}
    for move in moves:
        start = since.get(move.item)
        if start is not None and move.from_stage is not None:
            stays.setdefault(move.from_stage, []).append((move.at.date() - start.date()).days)
        since[move.item] = move.at
    return stays
