"""The limits and budgets of one gateway process, opened together: their keeper, their events, and what crashes left."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo

import anyio.to_thread

from careplane.errors import CareplaneError
from careplane.gateway.budgets import Budget, BudgetEvent, Budgets
from careplane.gateway.leases import Keeper
from careplane.gateway.limits import Limits, Quota
from careplane.gateway.spending import reconcile
from careplane.ledger import Ledger
from careplane.store import Store

log = logging.getLogger("careplane.gateway")


class Allowances:
    """What subjects (``app:...``, ``site:...``, ``key:...``) may use, over all processes that share the store.

    ``apply`` takes the quotas and budgets in force, at the start and whenever the configuration or the register
    changed; ``tend`` runs beside the gateway for as long as it serves; ``close`` gives back what is leased.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        *,
        timezone: tzinfo = UTC,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._timezone = timezone
        self._clock = clock
        self._keeper = Keeper(store)
        self._subjects: set[str] = set()
        self._untold: list[BudgetEvent] = []
        self.limits = Limits(self._keeper)
        self.budgets = Budgets(self._keeper, timezone=timezone, clock=clock)

    @property
    def holder(self) -> str:
        """This process's name: the fact ``holder`` of every record of a call (see :func:`~.spending.reconcile`)."""
        return self._keeper.holder

    @property
    def exchanges(self) -> int:
        """How often the store was asked."""
        return self._keeper.exchanges

    @property
    def outage(self) -> str | None:
        """Why the shared limits cannot be reached now, or ``None``."""
        return self._keeper.outage

    def apply(self, quotas: Mapping[str, Quota], budgets: Mapping[str, Budget]) -> None:
        """The quotas and budgets in force from now on; a subject that is not named has none."""
        subjects = {*quotas, *budgets}
        for subject in subjects | self._subjects:
            self.limits.set(subject, quotas.get(subject))
            if self.budgets.budget(subject) != budgets.get(subject):
                self.budgets.set(subject, budgets.get(subject))
        self._subjects = subjects

    async def tend(self, *, events_seconds: float = 2.0, reconcile_seconds: float = 300.0) -> None:
        """Record what happens to budgets, and settle what processes left that ended without a word; until cancelled."""
        due = 0.0
        while True:
            now = asyncio.get_running_loop().time()
            try:
                if now >= due:
                    due = now + reconcile_seconds
                    await anyio.to_thread.run_sync(self._reconcile)
                await self.tell()
            except CareplaneError as error:
                log.warning("budgets could not be tended, trying again: %s", error)
            await asyncio.sleep(events_seconds)

    async def tell(self) -> None:
        """Record the events of budgets that came up since the last time."""
        self._untold += self.budgets.events()
        while self._untold:
            event = self._untold[0]
            kind, _, name = event.subject.partition(":")
            await self._ledger.append_async(
                event.kind,
                at=self._clock(),
                app=name if kind == "app" else None,
                facts={
                    "subject": event.subject,
                    "period": event.period,
                    "limit_usd": event.limit_usd,
                    "spent_usd": event.spent_usd,
                },
            )
            del self._untold[0]
            spent, limit = event.spent_usd, event.limit_usd
            log.warning("%s: %s %s: %.2f of %.2f USD", event.kind, event.subject, event.period, spent, limit)

    def _reconcile(self) -> None:
        for found in reconcile(self._store, self._ledger.records(), timezone=self._timezone):
            log.warning(
                "a process ended without settling: %s %s: %.4f USD counted, %.4f freed",
                found.subject,
                found.period,
                found.posted_usd,
                found.freed_usd,
            )

    def close(self) -> None:
        """Give everything back. Call it once no request is under way; waits for the store for a few seconds at most."""
        self._keeper.close()
