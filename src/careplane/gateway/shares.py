"""What the gateway's processes share of a limit, and how one of them gets its part: pure functions of a row's state.

Each process *leases* a part of a limit, spends it without asking anybody, and comes back for more. A step takes the
state of a row, the time of the store and what one process asks; it gives the new state and what that process may spend.
Steps of one row never run at the same time (the row is locked), so the sum of all leases stays within the limit.

========  ===========================================  ==================================================
state     limits                                       a lease ends
========  ===========================================  ==================================================
Window    units in any 60 seconds (requests, tokens)   after seconds; what is left is given back
Slots     units at once (requests under way)           when it is not renewed: a crash frees its slots
Purse     USD millionths of a period                   never by itself: money may have been spent, so it
                                                       stays counted until it is settled or reconciled
========  ===========================================  ==================================================
"""

import math
from typing import NamedTuple

import msgspec

WINDOW = 60
LEASE_SECONDS = 10.0
SHORT_LEASE_SECONDS = 2.0
SLOT_SECONDS = 15.0
PURSE_SECONDS = 60.0
WANTED_SECONDS = 3.0
"""How long a process that was refused is taken to be waiting: the others give back what they do not use."""


class Grant(NamedTuple):
    """What a step answers. ``units`` are newly granted (for slots: the whole lease), usable until ``until`` (time of
    the store); ``second`` is where a window charged them; ``retry_after`` is set when the need was not met;
    ``wanted`` says that another process waits for what this one does not use, ``fair`` how much each may keep then;
    ``warn`` and ``stop`` that a budget got there with this step."""

    units: int
    until: float
    second: int = 0
    retry_after: float | None = None
    wanted: bool = False
    fair: int | None = None
    warn: bool = False
    stop: bool = False


# ---- units in any 60 seconds


class Window(msgspec.Struct):
    """Units by the second in which, at the latest, they are spent."""

    limit: int = 0
    charges: dict[int, int] = msgspec.field(default_factory=dict)


class WindowAsk(NamedTuple):
    """``need`` comes on top of ``hold``, the unspent units of the lease charged at ``second``: they move with the new
    lease. ``back`` was not spent (by second), ``owe`` was spent beyond what had been leased. Without ``renew`` there is
    no new lease."""

    need: int = 0
    want: int = 0
    hold: int = 0
    second: int = 0
    back: dict[int, int] = {}  # noqa: RUF012 - a NamedTuple's default, never changed
    owe: int = 0
    renew: bool = True


def window_step(state: Window, now: float, limit: int, ask: WindowAsk) -> Grant:
    """Lease units of a window; changes ``state``.

    A unit is charged to the end of its lease, so it is counted for at least 60 seconds after it was really spent: at no
    time are more than ``limit`` spent in the 60 seconds before.
    """
    charges = state.charges
    for second, units in (*ask.back.items(), (ask.second, ask.hold)):
        if second in charges:
            charges[second] = max(0, charges[second] - units)
    if ask.owe:
        charges[math.ceil(now)] = charges.get(math.ceil(now), 0) + ask.owe
    latest = math.ceil(now + LEASE_SECONDS)
    kept: dict[int, int] = {}
    for second, units in charges.items():  # a second far ahead is that of a clock set back since
        if units and second + WINDOW >= now:
            kept[min(second, latest)] = kept.get(min(second, latest), 0) + units
    state.limit = limit
    free = limit - sum(kept.values()) - ask.hold
    units = min(free, max(ask.need, min(ask.want, free // 4))) if free >= ask.need else 0
    units = max(0, units)
    until = now + (LEASE_SECONDS if 2 * free > limit else SHORT_LEASE_SECONDS)
    charged = math.ceil(until)
    kept[charged] = kept.get(charged, 0) + units + ask.hold
    state.charges = kept
    refused = units < ask.need
    return Grant(units, until, charged, _reopens(kept, now, limit, ask.need) if refused else None)


def _reopens(charges: dict[int, int], now: float, limit: int, need: int) -> float:
    """Seconds until so many charges are old that the need is met."""
    free = limit - sum(charges.values())
    for second in sorted(charges):
        free += charges[second]
        if free >= need:
            return max(0.05, second + WINDOW - now)
    return float(WINDOW)


# ---- units at once


class Slots(msgspec.Struct):
    """Leased units and their end, and when a process was refused, each by process."""

    limit: int = 0
    held: dict[str, tuple[int, float]] = msgspec.field(default_factory=dict)
    wanted: dict[str, float] = msgspec.field(default_factory=dict)


class SlotsAsk(NamedTuple):
    """``hold`` is what the process uses and keeps, and promises not to exceed meanwhile; ``need`` comes on top."""

    holder: str
    hold: int = 0
    need: int = 0
    want: int = 0


def slots_step(state: Slots, now: float, limit: int, ask: SlotsAsk) -> Grant:
    """Lease slots, or give some back; changes ``state``. Requests under way keep theirs, whatever the limit says."""
    state.held = {name: lease for name, lease in state.held.items() if lease[1] > now and name != ask.holder}
    others = {name: at for name, at in state.wanted.items() if 0 <= now - at < WANTED_SECONDS and name != ask.holder}
    fair = limit // len({ask.holder, *others, *state.held}) if others else None
    free = max(0, limit - ask.hold - sum(slots for slots, _ in state.held.values()))
    if fair is not None:
        free = min(free, max(0, max(1, fair) - ask.hold))
    slots = ask.hold + min(free, max(ask.need, min(ask.want, free // 4)))
    until = now + SLOT_SECONDS
    if slots:
        state.held[ask.holder] = (slots, until)
    refused = slots < ask.hold + ask.need
    state.limit = limit
    state.wanted = others | ({ask.holder: now} if refused else {})
    return Grant(slots, until, retry_after=1.0 if refused else None, fair=fair)


# ---- money of a period


class Held(msgspec.Struct, array_like=True):
    """What one process leases of a budget, until when it is renewed, and all that it ever posted as spent."""

    leased: int = 0
    until: float = 0.0
    posted: int = 0


class Purse(msgspec.Struct):
    """Money in USD millionths. ``warned`` and ``stopped`` say that it was told, once per period and limit."""

    limit: int | None = None
    spent: int = 0
    held: dict[str, Held] = msgspec.field(default_factory=dict)
    warned: bool = False
    stopped: bool = False
    wanted: float = 0.0

    @property
    def leased(self) -> int:
        """All leases, also those of processes that are gone and not reconciled."""
        return sum(held.leased for held in self.held.values())


class PurseAsk(NamedTuple):
    """``spent`` is all that the process ever spent of this period, so that telling it twice does no harm; ``keep`` is
    what it has reserved and not spent. ``last``: the process ends, and has nothing left to tell."""

    holder: str
    spent: int = 0
    keep: int = 0
    need: int = 0
    want: int = 0
    warn_at: float = 0.8
    last: bool = False


def purse_step(state: Purse, now: float, limit: int | None, ask: PurseAsk) -> Grant:
    """Post what was spent and lease more; changes ``state``. Without a limit it only posts and warns of nothing."""
    mine = state.held.setdefault(ask.holder, Held())
    state.spent += max(0, ask.spent - mine.posted)
    mine.posted = max(mine.posted, ask.spent)
    mine.leased, mine.until = ask.keep, now + PURSE_SECONDS
    if limit != state.limit:
        state.limit, state.warned, state.stopped = limit, False, False
    units = ask.want
    refused = False
    if limit is not None:
        free = limit - state.spent - state.leased
        refused = free < ask.need or (ask.need > 0 and free <= 0)
        units = 0 if refused else max(0, min(free, max(ask.need, min(ask.want, free // 8))))
    mine.leased += units
    wanted = 0 <= now - state.wanted < WANTED_SECONDS
    if refused:
        state.wanted = now
    warn = limit is not None and not state.warned and state.spent >= ask.warn_at * limit
    stop = refused and not state.stopped
    state.warned, state.stopped = state.warned or warn, state.stopped or refused
    if ask.last and not mine.leased:
        del state.held[ask.holder]
    return Grant(units, mine.until, retry_after=0.0 if refused else None, wanted=wanted, warn=warn, stop=stop)
