"""Budgets in USD per app, per site or per key, by day, month or in all: told at a share, stopped at the whole.

Before a call its worst case is reserved, after it (however it ends) the real cost is settled. A process reserves from a
lease of the shared budget, so no call waits for the database while the lease lasts, and the sum of what was spent and
what is leased never exceeds the budget; what a call costs beyond its reservation is the only way past it.

A lease stays counted when its process dies. :func:`reconcile` then posts what the ledger says that process spent, and
frees the rest.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Literal

from msgspec import Meta

from careplane.errors import LimitReached, Refused
from careplane.gateway.leases import ASK_SECONDS, PATIENCE_SECONDS, Keeper, decode, encode
from careplane.gateway.limits import told
from careplane.gateway.shares import PURSE_SECONDS, Grant, Purse, PurseAsk, purse_step
from careplane.records import Record

Usd = Annotated[float, Meta(ge=0, le=1e9)]
Period = Literal["day", "month", "total"]
PERIODS: tuple[Period, ...] = ("day", "month", "total")
MICRO = 1_000_000
LEASE_CALLS = 20
LEASE_SECONDS = 3.0
"""A lease aims at so many calls like the last ones, or at what they reserve in so many seconds if that is more."""
LOOK_SECONDS = 30.0
"""How often the calendar is looked at."""
SOON_SECONDS = 3600.0
"""A budget that turns within this time says when; otherwise waiting is no use."""


class Budget(Record, frozen=True):
    """USD that a subject may spend; ``None`` is no limit. ``warn_share`` of it is told once per period."""

    day: Usd | None = None
    month: Usd | None = None
    total: Usd | None = None
    warn_share: Annotated[float, Meta(gt=0, le=1)] = 0.8

    def of(self, period: Period) -> float | None:
        """The limit of a period."""
        return {"day": self.day, "month": self.month, "total": self.total}[period]


class BudgetEvent(Record, frozen=True):
    """A budget reached its warning share or its end: once per period, over all processes. For ledger and metrics."""

    kind: Literal["budget.warned", "budget.stopped"]
    subject: str
    period: str
    limit_usd: float
    spent_usd: float


class _PurseLease:
    """Money of one subject and period that this process may spend."""

    kind = "purse"

    def __init__(self, holder: str, subject: str, period: str) -> None:
        self.key = f"usd/{subject}/{period}"
        self.subject = subject
        self.period = period
        self.limit: int | None = None
        self.warn_share = 0.8
        self.events: list[tuple[Literal["budget.warned", "budget.stopped"], int]] = []
        self.left = 0
        self.outstanding = 0
        self.spent = 0
        self.until = 0.0
        self.typical = 0
        self.needs: list[int] = []
        self.closed_until = 0.0
        self.over = False
        self._holder = holder
        self._posted = 0
        self._used_at = 0.0
        self._reserved = 0
        self._aim = 0
        self._asked = 0.0
        self._wanted = False
        self._state = Purse()

    def reserve(self, need: int, now: float) -> None:
        self.left -= need
        self.outstanding += need
        self.typical = max(need, self.typical - self.typical // 8)
        self._reserved += need
        self._used_at = now

    @property
    def low(self) -> bool:
        """Whether it is time to lease more."""
        return self.left < self._aim // 4

    def settle(self, reserved: int, real: int) -> None:
        self.outstanding -= reserved
        self.left += reserved - real
        self.spent += real

    # ---- for the keeper

    def ask(self, now: float, *, closing: bool) -> PurseAsk | None:
        if closing:
            self.needs.clear()
        idle = (now - self._used_at > 5.0 and not self.needs) or self._wanted or closing or self.over
        surplus = idle and self.left > 0
        limited = self.limit is not None
        low = limited and not idle and self.low and now - self._asked > ASK_SECONDS
        renew = bool(self.left or self.outstanding) and now - self._asked > PURSE_SECONDS / 4
        if not (self.needs or surplus or low or renew or self.spent != self._posted or closing):
            return None
        if surplus:
            self.left = 0
        self.left = max(0, self.left) if limited else 0
        want = 0
        if limited and (self.needs or not idle):
            rate = self._reserved / min(60.0, max(0.05, now - self._asked))
            self._aim = max(self.typical * LEASE_CALLS, int(rate * LEASE_SECONDS))
            want = max(0, sum(self.needs) + self._aim - self.left)
        return PurseAsk(
            self._holder,
            spent=self.spent,
            keep=self.left + self.outstanding,
            need=max(0, min(self.needs, default=0) - self.left),
            want=want,
            warn_at=self.warn_share,
            last=closing and not self.outstanding,
        )

    def step(self, body: str, now: float, ask: PurseAsk) -> tuple[str, Grant]:
        state: Purse = decode(Purse, body)
        grant = purse_step(state, now, self.limit, ask)
        self._state = state
        return encode(state), grant

    def take(self, grant: Grant, until: float, ask: PurseAsk) -> None:
        now = time.monotonic()
        self.left += grant.units
        self.until, self._asked, self._wanted, self._reserved = until, now, grant.wanted, 0
        self._posted = max(self._posted, ask.spent)
        self.closed_until = 0.0 if grant.retry_after is None else now + 0.5
        if grant.warn:
            self.events.append(("budget.warned", self._state.spent))
        if grant.stop:
            self.events.append(("budget.stopped", self._state.spent))

    def lost(self, ask: PurseAsk) -> None:
        """Nothing is lost: all that was spent is told again, and what was leased without our knowing is told as it is
        by the next ask."""

    def alive(self, now: float) -> bool:
        return bool(self.left or self.outstanding or self.needs or self.spent != self._posted)


class Hold:
    """A reservation. Settle it when the call has ended; a hold that is released without a cost counts nothing."""

    __slots__ = ("_budgets", "_leases", "_open", "micro")

    def __init__(self, budgets: "Budgets", leases: Sequence[_PurseLease], micro: int) -> None:
        self._budgets = budgets
        self._leases = leases
        self.micro = micro
        self._open = True

    @property
    def usd(self) -> float:
        """What is reserved."""
        return self.micro / MICRO

    def settle(self, usd: float | None) -> None:
        """The real cost; ``None`` when it is not known, then the whole reservation counts. Twice does no harm.

        Never waits, so it may run while a task is being cancelled.
        """
        real = self.micro if usd is None else micro(usd)
        self._budgets._settle(self, real)

    def release(self) -> None:
        """The call was never made."""
        self._budgets._settle(self, 0)


class Budgets:
    """The budgets in force. ``clock`` gives aware time, ``timezone`` says where a day ends."""

    def __init__(
        self,
        keeper: Keeper,
        budgets: Mapping[str, Budget] | None = None,
        *,
        timezone: tzinfo = UTC,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._keeper = keeper
        self._budgets: dict[str, Budget] = dict(budgets or {})
        self._timezone = timezone
        self._clock = clock
        self._leases: dict[tuple[str, str], _PurseLease] = {}
        self._groups: dict[tuple[str, ...], list[_PurseLease]] = {}
        self._periods: dict[Period, str] = {}
        self._look = 0.0
        self._turns = 0.0
        self._old: list[_PurseLease] = []

    @property
    def holder(self) -> str:
        """This process's name in the shared rows. Write it into the facts of each record of a call as ``holder``:
        :func:`reconcile` finds by it what a process spent."""
        return self._keeper.holder

    def set(self, subject: str, budget: Budget | None) -> None:
        """Change the budget of a subject; ``None`` removes its limits (what it spends is counted all the same)."""
        with self._keeper.lock:
            if budget is None:
                self._budgets.pop(subject, None)
            else:
                self._budgets[subject] = budget
            self._groups.clear()
            for lease in self._leases.values():
                if lease.subject == subject:
                    self._limit(lease)

    def budget(self, subject: str) -> Budget | None:
        """The budget of a subject."""
        return self._budgets.get(subject)

    async def reserve(self, subjects: tuple[str, ...], usd: float | None) -> Hold:
        """Reserve the worst case of a call from every budget it counts for, or from none.

        Raises:
            LimitReached: a budget does not cover it (``insufficient_quota``).
            Refused: a budget limits it, but its cost is not known (``usd`` is ``None``).
            StoreError: nothing is leased and the store does not answer.
        """
        waited_until = 0.0
        need = 0 if usd is None else micro(usd)
        while True:
            with self._keeper.lock:
                now = time.monotonic()
                group = self._group(subjects, now)
                if usd is None:
                    _refuse_unpriced(group)
                short = [
                    lease for lease in group if lease.limit is not None and (lease.left < need or now >= lease.until)
                ]
                if not short:
                    return self._hold(group, need, now)
                for lease in short:
                    if need > (lease.limit or 0) or now < lease.closed_until:
                        raise self._refusal(lease, now)
                waited_until = waited_until or now + PATIENCE_SECONDS
                waiting = self._keeper.next_exchange([(lease, need) for lease in short])
            await waiting.wait(waited_until - now)

    def events(self) -> list[BudgetEvent]:
        """What happened to budgets since the last call, each thing told by one process only."""
        told_: list[BudgetEvent] = []
        with self._keeper.lock:
            for lease in (*self._leases.values(), *self._old):
                for kind, spent in lease.events:
                    told_.append(
                        BudgetEvent(
                            kind=kind,
                            subject=lease.subject,
                            period=lease.period,
                            limit_usd=(lease.limit or 0) / MICRO,
                            spent_usd=spent / MICRO,
                        )
                    )
                lease.events.clear()
            self._old = [lease for lease in self._old if lease.alive(0.0)]
        return told_

    def _hold(self, group: list[_PurseLease], need: int, now: float) -> Hold:
        for lease in group:
            lease.reserve(need, now)
            if lease.limit is not None and lease.low:
                self._keeper.watch(lease)
                self._keeper.nudge()
        return Hold(self, group, need)

    def _settle(self, hold: Hold, real: int) -> None:
        with self._keeper.lock:
            if not hold._open:
                return
            hold._open = False
            for lease in hold._leases:
                lease.settle(hold.micro, real)
                self._keeper.watch(lease)

    def _refusal(self, lease: _PurseLease, now: float) -> LimitReached:
        name = lease.period.partition(":")[0]
        wait = self._until_turn(name, now)
        when = f"Try again in {math.ceil(wait / 60)} minutes" if wait is not None else "Wait for the next period"
        return LimitReached(
            f"The budget of {told(lease.subject)} ({lease.period.replace(':', ' ')}) does not cover this request.",
            f"{when if name != 'total' else 'Ask for fewer tokens'}, or have the budget raised.",
            retry_after=wait,
            code="insufficient_quota",
        )

    def _until_turn(self, name: str, now: float) -> float | None:
        here = self._clock().astimezone(self._timezone)
        if name == "total" or (name == "month" and (here + timedelta(days=1)).month == here.month):
            return None
        wait = self._turns - now
        return wait if 0 < wait <= SOON_SECONDS else None

    def _group(self, subjects: tuple[str, ...], now: float) -> list[_PurseLease]:
        """The leases of some subjects in the periods of now."""
        if now >= self._look:
            self._turn(now)
        group = self._groups.get(subjects)
        if group is None:
            group = self._groups[subjects] = [
                self._lease(subject, self._periods[period])
                for subject in subjects
                for period in PERIODS
                if self._counts(subject, period)
            ]
        return group

    def _counts(self, subject: str, period: Period) -> bool:
        """Apps and sites are counted by day and month in any case, all else where it is limited."""
        limited = self._budgets.get(subject, Budget()).of(period) is not None
        return limited or (period != "total" and subject.startswith(("app:", "site:")))

    def _turn(self, now: float) -> None:
        """Look at the clock. On a new day the leases are new; the old ones are forgotten once they are settled."""
        at = self._clock()
        here = at.astimezone(self._timezone)
        midnight = datetime.combine(here.date() + timedelta(days=1), datetime.min.time(), tzinfo=self._timezone)
        self._turns = now + (midnight - at).total_seconds()
        self._look = min(self._turns, now + LOOK_SECONDS)
        periods = periods_of(here)
        if periods == self._periods:
            return
        self._periods = periods
        self._groups.clear()
        self._old = [lease for lease in self._old if lease.alive(now) or lease.events]
        for name, lease in list(self._leases.items()):
            if lease.period not in periods.values():
                lease.over = True
                self._old.append(self._leases.pop(name))

    def _lease(self, subject: str, period: str) -> _PurseLease:
        lease = self._leases.get((subject, period))
        if lease is None:
            lease = self._leases[subject, period] = _PurseLease(self._keeper.holder, subject, period)
            self._limit(lease)
        return lease

    def _limit(self, lease: _PurseLease) -> None:
        budget = self._budgets.get(lease.subject) or Budget()
        period: Period = "day" if lease.period[0] == "d" else "month" if lease.period[0] == "m" else "total"
        limit = budget.of(period)
        if lease.limit is None:
            lease.left = 0  # without a limit nothing was leased
        lease.limit = None if limit is None else micro(limit)
        lease.warn_share = budget.warn_share
        lease.closed_until = 0.0


def _refuse_unpriced(group: Sequence[_PurseLease]) -> None:
    for lease in group:
        if lease.limit is not None:
            raise Refused(
                [f"{told(lease.subject).capitalize()} has a budget, and the model of this request has no known price."],
                "Add its price to the site's price file, or use a model that has one.",
            )


def micro(usd: float) -> int:
    """USD millionths, rounded up."""
    return math.ceil(round(usd * MICRO, 3))


def periods_of(here: datetime) -> dict[Period, str]:
    """The names of the periods that a local time falls in."""
    return {"day": f"day:{here:%Y-%m-%d}", "month": f"month:{here:%Y-%m}", "total": "total"}
