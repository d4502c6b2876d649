"""What a gateway is made of besides its models: limits, budgets, cache, prices, telemetry."""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from careplane.gateway import Parts, Standing, Telemetry
from careplane.gateway.allowances import Allowances
from careplane.gateway.cache import ReplyCache
from careplane.gateway.config import GatewayFile
from careplane.gateway.prices import with_site
from careplane.gateway.telemetry import open_tracer
from careplane.ledger import Ledger
from careplane.store import Store


@dataclass(frozen=True, slots=True)
class OpenParts:
    """Parts, and what is to be tended while a gateway serves and closed when it ends."""

    parts: Parts
    allowances: Allowances | None = None

    async def tend(self) -> None:
        """Runs beside the gateway until it is cancelled."""
        if self.allowances is not None:
            await self.allowances.tend()

    def close(self) -> None:
        """Give back what is leased, and send the spans that wait."""
        if self.allowances is not None:
            self.allowances.close()
        self.parts.telemetry.close()


def open_parts(file: GatewayFile | None, store: Store, ledger: Ledger, standing: Standing, timezone: str) -> OpenParts:
    """The parts of a gateway. Without a file nothing is limited and nothing is kept from before.

    Raises:
        DataError: the site's price file does not hold.
        MissingExtra: traces are asked for without the extra ``telemetry``.
    """
    if file is None:
        return OpenParts(Parts(stops=standing.stops))
    allowances = Allowances(store, ledger, timezone=ZoneInfo(timezone))
    allowances.apply(file.limits, file.budgets)
    parts = Parts(
        prices=with_site(Path(file.price_file) if file.price_file else None),
        telemetry=Telemetry(open_tracer(file.traces_endpoint, file.traces_ratio, "careplane-gateway")),
        stops=standing.stops,
        limits=allowances.limits,
        budgets=allowances.budgets,
        cache=ReplyCache(file.cache_bytes, file.cache_seconds) if file.cache_bytes else None,
    )
    return OpenParts(parts, allowances)
