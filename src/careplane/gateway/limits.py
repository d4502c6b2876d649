"""Limits of requests and tokens per minute and of requests at once, held across all processes of the gateway.

A *subject* is who a limit is for: ``app:portal_reply``, ``site:north``, ``key:key-1a2b3c4d``. A request is admitted
when every subject it counts for has room for it, or not at all. At most the limit is admitted in any 60 seconds, in
total, whichever process asks; a process that crashed gives its places back within :data:`~.shares.SLOT_SECONDS`.
"""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta
from sqlalchemy import select

from careplane.errors import LimitReached
from careplane.gateway.leases import ASK_SECONDS, PATIENCE_SECONDS, Keeper, decode, encode, store_time
from careplane.gateway.shares import (
    WINDOW,
    Grant,
    Slots,
    SlotsAsk,
    Window,
    WindowAsk,
    slots_step,
    window_step,
)
from careplane.records import Record
from careplane.store import Store
from careplane.store.tables import shared_limits

Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Metric = Literal["requests", "tokens", "concurrent"]

RENEW_SECONDS = 3.0
"""A lease in use is renewed this long before it ends."""
TURN_SECONDS = 1.0
"""How long a process keeps a slot, when there are fewer slots than processes that want one."""


class Quota(Record, frozen=True):
    """The limits of a subject; ``None`` is no limit, 0 admits nothing."""

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    concurrent: Count | None = None


class _WindowLease:
    """Units of a window that this process may spend, until ``until``."""

    kind = "window"
    period = "minute"

    def __init__(self, metric: Metric, subject: str, limit: int) -> None:
        self.key = f"{metric}/{subject}"
        self.metric = metric
        self.subject = subject
        self.limit = limit
        self.left = 0
        self.until = 0.0
        self.second = 0
        self.low = 0
        self.spent = 0
        self.asked = 0.0
        self.needs: list[int] = []
        self.back: dict[int, int] = {}
        self.owe = 0
        self.closed_until = 0.0
        self.reopens = 0.0
        self._asking = False

    def set_limit(self, limit: int) -> None:
        """A changed limit holds at once: what is leased beyond it goes back."""
        if limit < self.limit:
            self._give_back(self.second, max(0, self.left - limit))
            self.left = min(self.left, limit)
        self.limit = limit
        self.closed_until = 0.0

    def refund(self, second: int, units: int) -> None:
        """Units of a request that needed fewer (or, negative, more) than it had reserved."""
        if units < 0:
            self.owe -= units
        elif second == self.second and not self._asking:
            self.left += units
        else:
            self._give_back(second, units)

    def refusal(self, need: int, now: float) -> LimitReached | None:
        """Why this many units are not to be had, when the store said so a moment ago."""
        if need > self.limit:
            what = "The limit is" if self.limit == 0 else f"This request counts {need}, the limit is"
            return LimitReached(
                f"{what} {self.limit} {self.metric} a minute for {told(self.subject)}.",
                "Ask for less, or raise the limit in the gateway's file.",
            )
        if now >= self.closed_until:
            return None
        wait = max(0.05, self.reopens - now)
        return LimitReached(
            f"The limit of {self.limit} {self.metric} a minute is reached for {told(self.subject)}.",
            f"Try again in {max(1, math.ceil(wait))} seconds.",
            retry_after=wait,
        )

    def _give_back(self, second: int, units: int) -> None:
        if units:
            self.back[second] = self.back.get(second, 0) + units

    # ---- for the keeper

    def ask(self, now: float, *, closing: bool) -> WindowAsk | None:
        if closing or now >= self.until:
            self._give_back(self.second, self.left)
            self.left = 0
        need = 0 if closing else max(0, min(self.needs, default=0) - self.left)
        low = self.left <= self.low or self.until - now < RENEW_SECONDS
        low = low and now - self.asked > ASK_SECONDS
        renew = not closing and bool(self.needs or (self.spent and low))
        if not (renew or self.back or self.owe):
            return None
        want = 0
        if renew:
            rate = self.spent / min(10.0, max(0.05, now - self.asked))
            want = max(0, max(sum(self.needs), math.ceil(rate * 3.0)) - self.left)
        back, owe = self.back, self.owe
        self.back, self.owe = {}, 0
        self._asking = True
        hold, second = (self.left, self.second) if renew else (0, 0)
        return WindowAsk(need, want, hold, second, back, owe, renew)

    def step(self, body: str, now: float, ask: WindowAsk) -> tuple[str, Grant]:
        state: Window = decode(Window, body)
        grant = window_step(state, now, self.limit, ask)
        return encode(state), grant

    def take(self, grant: Grant, until: float, ask: WindowAsk) -> None:
        now = time.monotonic()
        self._asking = False
        if ask.renew:
            self.left += grant.units
            self.second, self.until = grant.second, until
            self.low = (self.left if grant.units else 0) // 4
            self.spent, self.asked = 0, now
        self.closed_until = 0.0
        if grant.retry_after is not None:
            self.reopens = now + grant.retry_after
            self.closed_until = now + min(1.0, grant.retry_after)

    def lost(self, ask: WindowAsk) -> None:
        """What was spent beyond the lease is told again; what was to go back is not: it may have gone already."""
        self._asking = False
        self.owe += ask.owe
        if ask.hold:
            self.second = 0  # it is charged here or there, so it can no longer be given back

    def alive(self, now: float) -> bool:
        return bool(self.left or self.needs or self.back or self.owe)


class _SlotsLease:
    """Requests at once that this process may have under way: up to ``slots`` of the ``leased`` ones.

    While another process waits, one that has more than its fair part starts no more until it has not, and gives the
    rest back.
    """

    kind = "slots"
    period = ""

    def __init__(self, holder: str, subject: str, limit: int) -> None:
        self.key = f"concurrent/{subject}"
        self.subject = subject
        self.limit = limit
        self.slots = 0
        self.used = 0
        self.until = 0.0
        self.peak = 0
        self.needs: list[int] = []
        self.closed_until = 0.0
        self._leased = 0
        self._fair: int | None = None
        self._holder = holder
        self._asked = 0.0
        self._since = 0.0

    def set_limit(self, limit: int) -> None:
        self.limit = limit
        self.slots = min(self.slots, limit)
        self.closed_until = 0.0

    def refusal(self, need: int, now: float) -> LimitReached | None:
        if now >= self.closed_until and self.limit:
            return None
        return LimitReached(
            f"{self.limit} requests are under way for {told(self.subject)}, which is the limit.",
            "Try again when one has ended, or raise the limit in the gateway's file.",
            retry_after=1.0,
        )

    # ---- for the keeper

    def ask(self, now: float, *, closing: bool) -> SlotsAsk | None:
        idle = now - self._asked >= RENEW_SECONDS and self.peak == 0
        none_spare = closing or idle or self._fair is not None or now >= self.until
        # what was granted to those who wait and have not taken it yet is kept: else all would ask again, one by one
        kept = max(1, self.peak - self.used, len(self.needs))
        hold = self.used if none_spare else min(self.slots, self.used + kept)
        hold = max(self.used, hold)
        renew = self._leased and now - self._asked >= RENEW_SECONDS
        if not (self.needs or hold < self._leased or renew) or (closing and not self._leased):
            return None
        self.slots = min(self.slots, hold)  # a promise while the store is asked
        self.peak = self.used
        if closing:
            return SlotsAsk(self._holder, hold)
        spare = 0 if none_spare else max(1, (self.used + len(self.needs)) // 2)
        return SlotsAsk(self._holder, hold, len(self.needs), spare if self.needs else 0)

    def step(self, body: str, now: float, ask: SlotsAsk) -> tuple[str, Grant]:
        state: Slots = decode(Slots, body)
        grant = slots_step(state, now, self.limit, ask)
        return encode(state), grant

    def take(self, grant: Grant, until: float, ask: SlotsAsk) -> None:
        now = time.monotonic()
        if not self._leased:
            self._since = now
        self._leased, self.until, self._asked, self._fair = grant.units, until, now, grant.fair
        fair = grant.units if grant.fair is None else grant.fair
        if not fair and now - self._since < TURN_SECONDS:
            fair = 1  # more processes than slots: they take turns
        self.slots = min(grant.units, fair)
        self.closed_until = 0.0 if grant.retry_after is None else now + 0.5

    def lost(self, ask: SlotsAsk) -> None:
        """The lease that was there still ends when it ended."""

    def alive(self, now: float) -> bool:
        return bool(self._leased or self.used or self.needs)


class Permit:
    """A request that was admitted. Release it when it ends, however it ends; twice does no harm."""

    __slots__ = ("_keeper", "_open", "_reserved", "_slots", "_tokens")

    def __init__(
        self, keeper: Keeper, slots: Sequence[_SlotsLease], tokens: Sequence[tuple[_WindowLease, int]], reserved: int
    ) -> None:
        self._keeper = keeper
        self._slots = slots
        self._tokens = tokens
        self._reserved = reserved
        self._open = True

    def release(self, tokens: int | None = None) -> None:
        """Give the places back. ``tokens`` is what was really used; unknown, the reserved ones stay counted."""
        with self._keeper.lock:
            if not self._open:
                return
            self._open = False
            for slot in self._slots:
                slot.used -= 1
            if tokens is not None and tokens != self._reserved:
                for lease, second in self._tokens:
                    lease.refund(second, self._reserved - tokens)
                    self._keeper.watch(lease)

    def __enter__(self) -> "Permit":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class _Group:
    """The leases that a request of these subjects needs."""

    def __init__(self) -> None:
        self.requests: list[_WindowLease] = []
        self.tokens: list[_WindowLease] = []
        self.slots: list[_SlotsLease] = []


class Limits:
    """The limits in force. Quotas may change while requests run; a change holds from the next request on."""

    def __init__(self, keeper: Keeper, quotas: Mapping[str, Quota] | None = None) -> None:
        self._keeper = keeper
        self._quotas: dict[str, Quota] = {}
        self._windows: dict[tuple[Metric, str], _WindowLease] = {}
        self._slots: dict[str, _SlotsLease] = {}
        self._groups: dict[tuple[str, ...], _Group] = {}
        for subject, quota in (quotas or {}).items():
            self.set(subject, quota)

    def set(self, subject: str, quota: Quota | None) -> None:
        """Change the limits of a subject; ``None`` removes them."""
        quota = quota or Quota()
        with self._keeper.lock:
            if self._quotas.get(subject) == quota:
                return
            self._quotas[subject] = quota
            self._groups.clear()
            requests, tokens = self._windows.get(("requests", subject)), self._windows.get(("tokens", subject))
            if requests is not None and quota.requests_per_minute is not None:
                requests.set_limit(quota.requests_per_minute)
            if tokens is not None and quota.tokens_per_minute is not None:
                tokens.set_limit(quota.tokens_per_minute)
            if subject in self._slots and quota.concurrent is not None:
                self._slots[subject].set_limit(quota.concurrent)

    def quota(self, subject: str) -> Quota:
        """The limits of a subject."""
        return self._quotas.get(subject, Quota())

    async def admit(self, subjects: tuple[str, ...], tokens: int = 0) -> Permit:
        """Admit one request that may use up to ``tokens`` tokens.

        Without a wait while leases last; else after one exchange with the store.

        Raises:
            LimitReached: a limit is reached; nothing is taken from any.
            StoreError: nothing is leased and the store does not answer.
        """
        waited_until = 0.0
        while True:
            with self._keeper.lock:
                now = time.monotonic()
                group = self._groups.get(subjects) or self._group(subjects)
                short = _short(group, tokens, now)
                if not short:
                    return self._take(group, tokens)
                for lease, need in short:
                    refusal = lease.refusal(need, now)
                    if refusal is not None:
                        raise refusal
                waited_until = waited_until or now + PATIENCE_SECONDS
                waiting = self._keeper.next_exchange(short)
            await waiting.wait(waited_until - now)

    def _take(self, group: _Group, tokens: int) -> Permit:
        keeper = self._keeper
        for lease in group.requests:
            lease.left -= 1
            lease.spent += 1
            if lease.left <= lease.low:
                keeper.nudge()
        held = []
        for lease in group.tokens:
            lease.left -= tokens
            lease.spent += tokens
            held.append((lease, lease.second))
            if lease.left <= lease.low:
                keeper.nudge()
        for slot in group.slots:
            slot.used += 1
            if slot.used > slot.peak:
                slot.peak = slot.used
        return Permit(keeper, group.slots, held, tokens)

    def _group(self, subjects: tuple[str, ...]) -> _Group:
        group = _Group()
        for subject in subjects:
            quota = self._quotas.get(subject)
            if quota is None:
                continue
            if quota.requests_per_minute is not None:
                group.requests.append(self._window("requests", subject, quota.requests_per_minute))
            if quota.tokens_per_minute is not None:
                group.tokens.append(self._window("tokens", subject, quota.tokens_per_minute))
            if quota.concurrent is not None:
                lease = self._slots.get(subject)
                if lease is None:
                    lease = self._slots[subject] = _SlotsLease(self._keeper.holder, subject, quota.concurrent)
                group.slots.append(lease)
        self._groups[subjects] = group
        return group

    def _window(self, metric: Metric, subject: str, limit: int) -> _WindowLease:
        lease = self._windows.get((metric, subject))
        if lease is None:
            lease = self._windows[metric, subject] = _WindowLease(metric, subject, limit)
        return lease


def _short(group: _Group, tokens: int, now: float) -> list[tuple[Any, int]]:
    """The leases that have no room for a request, with what it needs of them."""
    short: list[tuple[Any, int]] = []
    for lease in group.requests:
        if lease.left < 1 or now >= lease.until:
            short.append((lease, 1))
    if tokens:
        for lease in group.tokens:
            if lease.left < tokens or now >= lease.until:
                short.append((lease, tokens))
    for slot in group.slots:
        if slot.used >= slot.slots or now >= slot.until:
            short.append((slot, 1))
    return short


def told(subject: str) -> str:
    """A subject as a sentence has it."""
    kind, _, name = subject.partition(":")
    return f"the {kind} {name}" if name else subject


class LimitStatus(Record, frozen=True):
    """A limit as it stands, for pages and metrics: ``used`` counts what processes lease, so it is never too low."""

    subject: str
    metric: Metric
    limit: int
    used: int


def limits_status(store: Store) -> list[LimitStatus]:
    """All limits that were ever asked for, by subject."""
    query = select(shared_limits).where(shared_limits.c.kind.in_(["window", "slots"]))
    with store.read() as connection:
        now = store_time(connection)
        rows = connection.execute(query.order_by(shared_limits.c.subject, shared_limits.c.key)).all()
    found = []
    for row in rows:
        if row.kind == "slots":
            slots: Slots = decode(Slots, row.body)
            limit, used = slots.limit, sum(held for held, until in slots.held.values() if until > now)
        else:
            window: Window = decode(Window, row.body)
            limit, used = window.limit, sum(n for second, n in window.charges.items() if second + WINDOW >= now)
        metric: Metric = row.key.partition("/")[0]
        found.append(LimitStatus(subject=row.subject, metric=metric, limit=limit, used=used))
    return found
