"""What a gateway is made of besides its models: limits, budgets, cache, prices, telemetry."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import anyio.to_thread

from careplane.errors import StoreError
from careplane.gateway import Parts, Standing, Telemetry
from careplane.gateway.allowances import Allowances
from careplane.gateway.cache import ReplyCache
from careplane.gateway.config import GatewayFile
from careplane.gateway.prices import with_site
from careplane.gateway.replies import KeptReplies
from careplane.gateway.telemetry import open_tracer
from careplane.ledger import Ledger
from careplane.settings import Settings
from careplane.shield.guards import injection_score
from careplane.shield.vault import installation_secret, open_vault
from careplane.store import Store
from careplane.store.grouping import GroupedWrites

PURGE_SECONDS = 3600.0
log = logging.getLogger("careplane.gateway")


@dataclass(frozen=True, slots=True)
class OpenParts:
    """Parts, and what is to be tended while a gateway serves and closed when it ends."""

    parts: Parts
    replies: KeptReplies
    allowances: Allowances | None = None

    async def tend(self) -> None:
        """Runs beside the gateway until it is cancelled: budgets are told, maps and replies that have expired
        are deleted."""
        async with anyio.create_task_group() as group:
            if self.allowances is not None:
                group.start_soon(self.allowances.tend)
            group.start_soon(self._purge)

    async def _purge(self) -> None:
        while self.parts.vault is not None:
            try:
                await anyio.to_thread.run_sync(self.parts.vault.purge)
                await anyio.to_thread.run_sync(self.replies.purge)
            except StoreError:
                log.warning("expired maps and replies could not be deleted; trying again")
            await anyio.sleep(PURGE_SECONDS)

    def close(self) -> None:
        """Give back what is leased, and send the spans that wait."""
        if self.allowances is not None:
            self.allowances.close()
        self.parts.telemetry.close()


def open_parts(
    file: GatewayFile | None,
    store: Store,
    ledger: Ledger,
    standing: Standing,
    settings: Settings,
    writes: GroupedWrites,
) -> OpenParts:
    """The parts of a gateway. Without a file nothing is limited and nothing is kept from before.

    Raises:
        DataError: the site's price file does not hold.
        MissingExtra: traces are asked for without the extra ``telemetry``.
    """
    vault = open_vault(store, settings.home, partial(datetime.now, UTC))
    replies = KeptReplies(store, installation_secret(settings.home), partial(datetime.now, UTC), writes)
    if file is None:
        return OpenParts(replies=replies, parts=Parts(stops=standing.stops, vault=vault, signal=injection_score))
    allowances = Allowances(store, ledger, timezone=ZoneInfo(settings.text("timezone")))
    allowances.apply(file.limits, file.budgets)
    parts = Parts(
        prices=with_site(Path(file.price_file) if file.price_file else None),
        telemetry=Telemetry(open_tracer(file.traces_endpoint, file.traces_ratio, "careplane-gateway")),
        stops=standing.stops,
        signal=injection_score,
        limits=allowances.limits,
        budgets=allowances.budgets,
        vault=vault,
        cache=ReplyCache(file.cache_bytes, file.cache_seconds) if file.cache_bytes else None,
    )
    return OpenParts(parts, replies, allowances)
