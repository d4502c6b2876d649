"""What was spent of budgets, for pages and the command line, and the settling of what ended processes left."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, tzinfo

from sqlalchemy import select, update

from careplane.gateway.budgets import MICRO, micro, periods_of
from careplane.gateway.leases import decode, encode, store_time
from careplane.gateway.shares import PURSE_SECONDS, Purse
from careplane.ledger import LedgerRecord
from careplane.records import Record
from careplane.store import Store
from careplane.store.tables import shared_limits

STARTED = "model_stream_started"
ENDED = frozenset({"model_call", "model_error", "model_shadow"})
"""Kinds of records that carry what a call cost."""


class Spent(Record, frozen=True):
    """A row of a budget for pages. ``period`` is ``day:2026-03-02``, ``month:2026-03`` or ``total``.

    ``limit_usd`` is ``None`` where nothing limits; ``reserved_usd`` is leased by processes and not spent; ``stopped``
    says that a request was refused for it.
    """

    subject: str
    period: str
    limit_usd: float | None
    spent_usd: float
    reserved_usd: float
    stopped: bool


def spending(store: Store, subject: str | None = None) -> list[Spent]:
    """What was spent of every budget so far, newest period first."""
    query = select(shared_limits).where(shared_limits.c.kind == "purse")
    if subject is not None:
        query = query.where(shared_limits.c.subject == subject)
    with store.read() as connection:
        rows = connection.execute(query.order_by(shared_limits.c.subject, shared_limits.c.period.desc())).all()
    found = []
    for row in rows:
        state: Purse = decode(Purse, row.body)
        found.append(
            Spent(
                subject=row.subject,
                period=row.period,
                limit_usd=None if state.limit is None else state.limit / MICRO,
                spent_usd=state.spent / MICRO,
                reserved_usd=state.leased / MICRO,
                stopped=state.stopped,
            )
        )
    return found


class Reconciled(Record, frozen=True):
    """What was found of a process that ended without settling."""

    holder: str
    subject: str
    period: str
    posted_usd: float
    freed_usd: float


def reconcile(
    store: Store,
    records: Iterable[LedgerRecord],
    *,
    timezone: tzinfo = UTC,
    subjects: Callable[[LedgerRecord], Iterable[str]] | None = None,
) -> list[Reconciled]:
    """Post what the ledger says that ended processes spent and had not told, and free what they had leased.

    Run it at the start of a gateway and now and then: while every process lives it is one query, and ``records`` is not
    touched. A process counts as ended when its lease was not renewed for :data:`~.shares.PURSE_SECONDS` and as long
    again. One that lives all the same (it could not reach the store) spends nothing meanwhile, and what it tells later
    is not counted twice.

    Args:
        records: of this installation's ledger. Those of :data:`ENDED` carry ``call``, ``holder`` and ``cost_usd``,
            those of :data:`STARTED` carry ``call``, ``holder`` and ``reserved_usd``.
        subjects: whom a record's cost counts for; its app, and its fact ``site``.
    """
    with store.read() as connection:
        now = store_time(connection)
        rows = connection.execute(select(shared_limits).where(shared_limits.c.kind == "purse")).all()
    found_dead = {row.key: _dead(decode(Purse, row.body), now) for row in rows}
    keys = [key for key, names in found_dead.items() if names]
    dead = {name for names in found_dead.values() for name in names}
    if not dead:
        return []
    spent = _from_ledger(records, dead, timezone, subjects or _subjects)
    found: list[Reconciled] = []
    with store.write() as connection:
        query = select(shared_limits).where(shared_limits.c.key.in_(keys))
        for row in connection.execute(query.order_by(shared_limits.c.key).with_for_update()).all():
            state: Purse = decode(Purse, row.body)
            changed = [_post(state, name, spent, row.subject, row.period) for name in _dead(state, now)]
            if changed:
                found += changed
                change = update(shared_limits).where(shared_limits.c.key == row.key).values(body=encode(state))
                connection.execute(change)
    return found


def _dead(state: Purse, now: float) -> list[str]:
    return [name for name, held in state.held.items() if held.leased and held.until + PURSE_SECONDS < now]


def _subjects(record: LedgerRecord) -> list[str]:
    site = record.facts.get("site")
    return [f"app:{record.app}", *([f"site:{site}"] if site else [])]


def _from_ledger(
    records: Iterable[LedgerRecord],
    dead: set[str],
    timezone: tzinfo,
    subjects: Callable[[LedgerRecord], Iterable[str]],
) -> Counter[tuple[str, str, str]]:
    """USD millionths by holder, subject and period. A stream that started and has no end counts what was reserved."""
    spent: Counter[tuple[str, str, str]] = Counter()
    started: dict[str, LedgerRecord] = {}

    def count(record: LedgerRecord, usd: object) -> None:
        if isinstance(usd, int | float):
            periods = periods_of(record.at.astimezone(timezone)).values()
            for subject in subjects(record):
                spent.update({(str(record.facts["holder"]), subject, period): micro(usd) for period in periods})

    for record in records:
        if record.facts.get("holder") not in dead:
            continue
        call = str(record.facts.get("call"))
        if record.kind == STARTED:
            started[call] = record
        elif record.kind in ENDED:
            started.pop(call, None)
            count(record, record.facts.get("cost_usd"))
    for record in started.values():
        count(record, record.facts.get("reserved_usd"))
    return spent


def _post(state: Purse, name: str, spent: Counter[tuple[str, str, str]], subject: str, period: str) -> Reconciled:
    held = state.held[name]
    untold = max(0, spent[name, subject, period] - held.posted)
    freed = held.leased
    state.spent += untold
    held.posted += untold
    held.leased = 0
    return Reconciled(
        holder=name, subject=subject, period=period, posted_usd=untold / MICRO, freed_usd=max(0, freed - untold) / MICRO
    )
