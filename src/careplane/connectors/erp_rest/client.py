"""Records over REST: what the interface has to be, and reading it page by page.

``GET {base}/{kind}?limit=N&updated_since=TIME`` answers ``{"records": [...], "next": URL or path or null}``; the kinds
and the names of fields are those of the tables of an export (``invoices``, ``purchase_orders``, ``cost_centres``,
``roster``, ``stock``). Amounts are text or numbers; ``ETag`` and ``If-None-Match`` save a page that has not changed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec

from careplane.connectors._http import MOST_BYTES, AnswerTooLarge, Http
from careplane.connectors.erp_rest.token import Token
from careplane.errors import DataError, InputError, Refused, UpstreamBusy, UpstreamError, UpstreamTimeout
from careplane.records.erp import CostCentre, ErpBatch, ErpFact, Invoice, PurchaseOrder, Shift, StockItem, events_in

KINDS: Mapping[str, type[ErpFact]] = {
    "invoices": Invoice,
    "purchase_orders": PurchaseOrder,
    "cost_centres": CostCentre,
    "roster": Shift,
    "stock": StockItem,
}
MOST_PAGES = 1000
SHOWN = 20


class ErpRest:
    """Reads an ERP's records over REST; errors name kind and status, never a record."""

    def __init__(self, http: Http, token: Token, zone: ZoneInfo, page_size: int) -> None:
        self._http, self._token, self._zone, self._size = http, token, zone, page_size
        self._pages: dict[str, tuple[str, bytes]] = {}

    async def read(self, kind: str, since: datetime | None = None) -> ErpBatch:
        """All records of a kind, or those that changed since; whole and good, or none.

        Raises:
            InputError: there is no such kind.
            DataError: some records are wrong; lists page, record and field.
            Refused: the interface does not let us in.
            UpstreamError: it does not answer, or not as it has to.
        """
        made = KINDS.get(kind)
        if made is None:
            raise InputError(f"is none of {', '.join(KINDS)}", field="kind")
        query = {"limit": str(self._size)}
        if since is not None:
            query["updated_since"] = since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        url: str | None = str(httpx.URL(kind, params=query))
        facts: list[ErpFact] = []
        faults: list[str] = []
        digest = hashlib.sha256(kind.encode())
        for page in range(1, MOST_PAGES + 1):
            if url is None:
                break
            content = await self._page(kind, url)
            digest.update(content)
            records, url = self._decoded(kind, content)
            for n, record in enumerate(records, start=1):
                self._add(made, record, f"{kind}: page {page} record {n}", facts, faults)
        else:
            raise UpstreamError(
                f"GET {kind}: more than {MOST_PAGES} pages. Ask with 'updated since', or in larger pages."
            )
        if faults:
            more = f"\n  ... and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
            shown = "".join(f"\n  {fault}" for fault in faults[:SHOWN])
            raise DataError(f"{len(faults)} bad record(s); nothing was taken.{shown}{more}", file=kind)
        return ErpBatch(name=kind, hash=digest.hexdigest(), facts=tuple(facts), events=events_in(facts, self._midnight))

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._http.aclose()
        await self._token.aclose()

    async def _page(self, kind: str, url: str) -> bytes:
        response = await self._get(kind, url, renew=False)
        if response.status_code == 401:
            response = await self._get(kind, url, renew=True)
        if response.status_code == 304 and url in self._pages:
            return self._pages[url][1]
        _check(response, kind)
        if response.headers.get("ETag"):
            self._pages[url] = (response.headers["ETag"], response.content)
        return response.content

    async def _get(self, kind: str, url: str, *, renew: bool) -> httpx.Response:
        headers = {"Accept": "application/json"}
        token = await self._token.get(renew=renew)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if url in self._pages:
            headers["If-None-Match"] = self._pages[url][0]
        try:
            return await self._http.send(self._http.client.build_request("GET", url, headers=headers), repeatable=True)
        except AnswerTooLarge as error:
            told = f"GET {kind}: a page is larger than {MOST_BYTES // 1024**2} MB. Use smaller pages."
            raise UpstreamError(told) from error
        except httpx.TimeoutException as error:
            raise UpstreamTimeout(
                f"GET {kind}: the ERP did not answer in time. Try again, or raise timeout_seconds."
            ) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            told = f"GET {kind}: no connection to the ERP ({type(error).__name__}). Check base_url and the network."
            raise UpstreamError(told) from error

    def _decoded(self, kind: str, content: bytes) -> tuple[Sequence[Any], str | None]:
        try:
            body = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamError(f"GET {kind}: the ERP's answer is not JSON. Check base_url.") from error
        records = body.get("records") if isinstance(body, dict) else None
        following = body.get("next") if isinstance(body, dict) else None
        if not isinstance(records, list) or not isinstance(following, str | None):
            raise UpstreamError(f"GET {kind}: the ERP's answer has no list 'records'. Check base_url.")
        if following is None:
            return records, None
        base = self._http.client.base_url
        try:
            target = base.join(following)
        except httpx.InvalidURL as error:
            raise UpstreamError(f"GET {kind}: the next page has no URL.") from error
        if (target.scheme, target.host, target.port) != (base.scheme, base.host, base.port):
            raise UpstreamError(f"GET {kind}: the next page is on another host, so it was not fetched.")
        return records, str(target)

    def _add(self, made: type[ErpFact], record: Any, where: str, facts: list[ErpFact], faults: list[str]) -> None:
        if not isinstance(record, dict):
            faults.append(f"{where}: is not an object")
            return
        try:
            facts.append(msgspec.convert({**record, "source": where}, made, strict=False, dec_hook=_exact))
        except msgspec.ValidationError as error:
            # "... - at `$.amount`": the field, and what it had to be; never what it was.
            faults.append(f"{where}: {_plain(str(error))}")

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), tzinfo=self._zone)


def _exact(kind: type, value: Any) -> Any:
    return Decimal(str(value)) if kind is Decimal else value


def _plain(error: str) -> str:
    what, _, place = error.rpartition(" - at ")
    field = place.strip("`").removeprefix("$.") if what else ""
    told = what or error
    told = (
        "has a field that is not known"
        if "unknown field" in told
        else "is missing a field"
        if "missing" in told
        else told
    )
    known = ("Expected", "has a field", "is missing", "Invalid", "Unable", "Object")
    return f"{field + ': ' if field else ''}{told if told.startswith(known) else 'is not as it has to be'}"


def _check(response: httpx.Response, kind: str) -> None:
    told = f"GET {kind}: the ERP answered {response.status_code}."
    if response.status_code in (401, 403):
        raise Refused([told], "Check the token or client, and what it may read.")
    if response.status_code in (429, 503):
        raise UpstreamBusy(f"{told} Try again later.")
    if not response.is_success:
        raise UpstreamError(f"{told} Check base_url.")
