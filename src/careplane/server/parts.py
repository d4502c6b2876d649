"""What a gateway is made of besides its models: limits, budgets, cache, prices, telemetry, guards."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from careplane.errors import CareplaneError
from careplane.gateway import Parts, Standing, Telemetry
from careplane.gateway.budgets import Budgets
from careplane.gateway.cache import ReplyCache
from careplane.gateway.config import GatewayFile
from careplane.gateway.leases import Keeper
from careplane.gateway.limits import Limits
from careplane.gateway.prices import with_site
from careplane.gateway.spending import reconcile
from careplane.gateway.telemetry import open_tracer
from careplane.ledger import Ledger
from careplane.store import Store

RECONCILE_SECONDS = 60.0
log = logging.getLogger("careplane.gateway")


@dataclass(frozen=True, slots=True)
class OpenParts:
    """Parts with what has to be closed at the end."""

    parts: Parts
    close: Callable[[], None]


def open_parts(file: GatewayFile | None, store: Store, ledger: Ledger, standing: Standing, timezone: str) -> OpenParts:
    """The parts of a gateway. Without a file nothing is limited and nothing is kept from before.

    Raises:
        DataError: the site's price file does not hold.
        MissingExtra: traces are asked for without the extra ``telemetry``.
    """
    if file is None:
        return OpenParts(Parts(stops=standing.stops), lambda: None)
    keeper = Keeper(store)
    zone = ZoneInfo(timezone)
    parts = Parts(
        prices=with_site(Path(file.price_file) if file.price_file else None),
        telemetry=Telemetry(open_tracer(file.traces_endpoint, file.traces_ratio, "careplane-gateway")),
        stops=standing.stops,
        limits=Limits(keeper, file.limits),
        budgets=Budgets(keeper, file.budgets, timezone=zone),
        cache=ReplyCache(file.cache_bytes, file.cache_seconds) if file.cache_bytes else None,
    )
    reconciler = _Reconciler(store, ledger, zone)
    reconciler.start()

    def close() -> None:
        reconciler.end()
        keeper.close()

    return OpenParts(parts, close)


class _Reconciler(threading.Thread):
    """Posts, at the start and now and then, what processes spent that ended without telling."""

    def __init__(self, store: Store, ledger: Ledger, zone: ZoneInfo) -> None:
        super().__init__(name="careplane-reconcile", daemon=True)
        self._store = store
        self._ledger = ledger
        self._zone = zone
        self._ended = threading.Event()

    def run(self) -> None:
        while True:
            try:
                reconcile(self._store, self._ledger.records(kind="model_call"), timezone=self._zone)
            except CareplaneError as error:
                log.warning("budgets could not be reconciled", extra={"facts": {"error": type(error).__name__}})
            if self._ended.wait(RECONCILE_SECONDS):
                return

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join(5)
