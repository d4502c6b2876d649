"""What an ERP tells: invoices, orders, rosters, cost centres, stock, claims. Money is exact (``Decimal``).

Each record says where it was read (``source``: file and line, address, or file and segment). ``key`` names it within
its kind, the same however often it is told.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec.structs import replace

from careplane.records import Record
from careplane.records.money import CostLine

ErpKind = Literal[
    "invoice", "purchase_order", "cost_centre", "contract", "rate", "shift", "stock", "claim", "employment"
]
EventName = Literal["invoice.posted", "item.backordered", "roster.gap", "claim.denied"]


class CostCentre(Record, frozen=True):
    """A cost centre of the ledger."""

    cost_centre: str
    name: str
    division: str
    source: str

    @property
    def key(self) -> str:
        return self.cost_centre


class Contract(Record, frozen=True):
    """A contract with a vendor: what it costs in a year, and from when to when."""

    contract: str
    vendor: str
    item: str
    annual: Decimal
    starts: date
    ends: date
    source: str
    clause: str = ""

    @property
    def key(self) -> str:
        return self.contract


class Rate(Record, frozen=True):
    """What an hour of a job costs with everything that comes on top (loaded rate, USD)."""

    job: str
    per_hour: Decimal
    source: str

    @property
    def key(self) -> str:
        return self.job


class Invoice(Record, frozen=True):
    """An invoice of a vendor, as posted. ``purchase_order`` and ``contract`` are what it refers to, if anything."""

    invoice: str
    vendor: str
    posted_on: date
    amount: Decimal
    source: str
    purchase_order: str = ""
    contract: str = ""
    cost_centre: str = ""
    description: str = ""
    currency: str = "USD"

    @property
    def key(self) -> str:
        return f"{self.vendor}/{self.invoice}"


class PurchaseOrder(Record, frozen=True):
    """One line of a purchase order."""

    purchase_order: str
    line: int
    vendor: str
    item: str
    ordered_on: date
    quantity: Decimal
    unit_price: Decimal
    source: str
    currency: str = "USD"

    @property
    def key(self) -> str:
        return f"{self.purchase_order}/{self.line}"


class Shift(Record, frozen=True):
    """A shift of a roster: how many people a unit needs of a job, and how many are planned. Times are aware."""

    shift: str
    unit: str
    job: str
    starts: datetime
    ends: datetime
    needed: int
    planned: int
    source: str

    @property
    def key(self) -> str:
        return self.shift

    @property
    def gap(self) -> int:
        """How many people are missing."""
        return max(0, self.needed - self.planned)


class Employment(Record, frozen=True):
    """One line of the HR roster: somebody in a job of a unit, from the first to the last day (``None``: still there).

    ``person`` and ``unit`` are references (``Practitioner/p001``); ``fte`` is the clinical full-time equivalent, of
    which 1 is a full week of patient care; ``as_of`` the day on which the line was true.
    """

    person: str
    job: str
    unit: str
    fte: Decimal
    hired_on: date
    as_of: date
    source: str
    left_on: date | None = None

    @property
    def key(self) -> str:
        return f"{self.person}/{self.unit}/{self.job}/{self.hired_on.isoformat()}"


class StockItem(Record, frozen=True):
    """An item of the store room: on hand, on order, and what the supplier says of a back order."""

    item: str
    description: str
    on_hand: Decimal
    reorder_point: Decimal
    back_ordered: Decimal
    as_of: date
    source: str
    expected_on: date | None = None
    supplier: str = ""
    site: str = ""

    @property
    def key(self) -> str:
        return f"{self.site}/{self.item}/{self.as_of.isoformat()}"


DENIED = "4"
"""CLP02: denied. A claim that is processed and pays nothing (a deductible, a contract) is not."""


class Adjustment(Record, frozen=True):
    """Why a payer paid less (X12 CAS): group (CO, PR, OA, PI, CR), CARC reason code, amount."""

    group: str
    reason: str
    amount: Decimal


class Claim(Record, frozen=True):
    """What became of a claim (835), or what was claimed (837). ``paid`` is ``None`` before a payer answered.

    ``claim`` is the submitter's control number (CLM01, CLP01); ``status`` the payer's code (CLP02: 4 is denied).
    ``patient`` and ``response`` are references into the chart, where the export gives them.
    """

    claim: str
    charged: Decimal
    on: date
    payer: str
    source: str
    paid: Decimal | None = None
    patient_owes: Decimal = Decimal(0)
    status: str = ""
    payer_control: str = ""
    patient: str = ""
    response: str = ""
    reason: str = ""
    adjustments: tuple[Adjustment, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.claim}/{self.payer_control or 'claimed'}"

    @property
    def denied(self) -> bool:
        """Whether the payer denied it."""
        return self.status == DENIED


ErpFact = CostCentre | Contract | Rate | Invoice | PurchaseOrder | Shift | Employment | StockItem | Claim | CostLine
"""Anything that an ERP tells."""


class ErpEvent(Record, frozen=True):
    """Something in an ERP's data that an app may be for: the name of the trigger, and which record it is about.

    ``id`` is the same each time it is told; the others are those of an occurrence.
    """

    id: str
    on: EventName
    kind: ErpKind
    key: str
    at: datetime
    patient: str | None = None
    focus: str | None = None
    unit: str | None = None
    site: str | None = None
    source: str = ""


class ErpBatch(Record, frozen=True):
    """One file or answer of an ERP, whole and good."""

    name: str
    hash: str
    facts: tuple[ErpFact, ...] = ()
    events: tuple[ErpEvent, ...] = ()

    @property
    def costs(self) -> tuple[CostLine, ...]:
        """The lines for the cost ledger."""
        return tuple(fact for fact in self.facts if isinstance(fact, CostLine))


def events_in(facts: Iterable[ErpFact], midnight: Callable[[date], datetime]) -> tuple[ErpEvent, ...]:
    """What of some facts an app may be for; ``midnight`` gives the aware start of a day at the site."""
    return tuple(event for fact in facts if (event := _event(fact, midnight)) is not None)


def _event(fact: ErpFact, midnight: Callable[[date], datetime]) -> ErpEvent | None:
    if isinstance(fact, Invoice):
        return _told("invoice.posted", "invoice", fact.key, midnight(fact.posted_on), fact.source)
    if isinstance(fact, StockItem) and fact.back_ordered > 0:
        since = fact.expected_on or fact.as_of
        name = f"{fact.site}/{fact.item}/{since.isoformat()}"
        event = _told("item.backordered", "stock", fact.key, midnight(fact.as_of), fact.source, name)
        return replace(event, site=fact.site or None)
    if isinstance(fact, Shift) and fact.gap:
        event = _told("roster.gap", "shift", fact.key, fact.starts, fact.source, f"{fact.key}/{fact.gap}")
        return replace(event, unit=fact.unit)
    if isinstance(fact, Claim) and fact.denied:
        event = _told("claim.denied", "claim", fact.key, midnight(fact.on), fact.source)
        return replace(event, patient=fact.patient or None, focus=fact.response or None)
    return None


def _told(on: EventName, kind: ErpKind, key: str, at: datetime, source: str, name: str = "") -> ErpEvent:
    return ErpEvent(id=f"{on}:{name or key}", on=on, kind=kind, key=key, at=at, source=source)
