"""The tables of an export by the name of their file: columns, their types, and the record that a row becomes.

====================  ==========================================================================================
``costs``             ``line_id,posted_on,cost_centre,vendor,category,item,description,amount_usd``
``cost_centres``      ``cost_centre,name,division``
``contracts``         ``contract,vendor,item,annual_usd,starts,ends,clause``
``rates``             ``job,loaded_usd_per_hour``
``invoices``          ``invoice,vendor,posted_on,amount`` and ``purchase_order,contract,cost_centre,description``,
                      ``currency``
``purchase_orders``   ``purchase_order,line,vendor,item,ordered_on,quantity,unit_price`` and ``currency``
``roster``            ``shift,unit,job,starts,ends,needed,planned``
``staff``             ``person,job,unit,fte,hired_on,as_of`` and ``left_on`` (the HR roster)
``stock``             ``item,description,on_hand,reorder_point,back_ordered,as_of`` and ``expected_on,supplier,site``
``claims``            ``claim_id,posted_on,event,patient,claim,claim_response,payer,amount_usd,reason``
``cloud_bill``        FOCUS 1.x (:mod:`careplane.connectors.erp_files.focus`)
====================  ==========================================================================================
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from careplane.connectors.erp_files.cells import Parse, day, moment, money, one_of, quantity, reference, text, whole
from careplane.records.erp import (
    DENIED,
    Claim,
    Contract,
    CostCentre,
    Employment,
    ErpFact,
    Invoice,
    PurchaseOrder,
    Rate,
    Shift,
    StockItem,
)
from careplane.records.money import CostLine

Values = Mapping[str, object]


@dataclass(frozen=True)
class Table:
    """A table: needed columns with their parsers, optional ones, and what a row becomes; ``check`` sees a whole row."""

    needed: Mapping[str, Parse]
    make: Callable[[Values, str], ErpFact]
    optional: Mapping[str, Parse] = field(default_factory=dict)
    may_be_empty: frozenset[str] = frozenset()
    check: Callable[[Values], tuple[str, str] | None] = lambda _values: None


def tables(zone: ZoneInfo) -> dict[str, Table]:
    """The tables by name; times without an offset are of ``zone``."""
    at = moment(zone)
    return {
        "costs": Table(
            {
                "line_id": text,
                "posted_on": day,
                "cost_centre": text,
                "vendor": text,
                "category": text,
                "item": text,
                "description": text,
                "amount_usd": money,
            },
            _cost,
            may_be_empty=frozenset({"vendor", "description"}),
        ),
        "cost_centres": Table({"cost_centre": text, "name": text, "division": text}, _plain(CostCentre)),
        "contracts": Table(
            {
                "contract": text,
                "vendor": text,
                "item": text,
                "annual_usd": money,
                "starts": day,
                "ends": day,
                "clause": text,
            },
            _plain(Contract, annual_usd="annual"),
            may_be_empty=frozenset({"clause"}),
            check=_in_order,
        ),
        "rates": Table({"job": text, "loaded_usd_per_hour": money}, _plain(Rate, loaded_usd_per_hour="per_hour")),
        "invoices": Table(
            {"invoice": text, "vendor": text, "posted_on": day, "amount": money},
            _plain(Invoice),
            {"purchase_order": text, "contract": text, "cost_centre": text, "description": text, "currency": _currency},
        ),
        "purchase_orders": Table(
            {
                "purchase_order": text,
                "line": whole,
                "vendor": text,
                "item": text,
                "ordered_on": day,
                "quantity": quantity,
                "unit_price": money,
            },
            _plain(PurchaseOrder),
            {"currency": _currency},
        ),
        "roster": Table(
            {
                "shift": text,
                "unit": reference,
                "job": text,
                "starts": at,
                "ends": at,
                "needed": whole,
                "planned": whole,
            },
            _plain(Shift),
            check=_in_order,
        ),
        "staff": Table(
            {"person": reference, "job": text, "unit": reference, "fte": quantity, "hired_on": day, "as_of": day},
            _plain(Employment),
            {"left_on": day},
            check=_employed,
        ),
        "stock": Table(
            {
                "item": text,
                "description": text,
                "on_hand": quantity,
                "reorder_point": quantity,
                "back_ordered": quantity,
                "as_of": day,
            },
            _plain(StockItem),
            {"expected_on": day, "supplier": text, "site": reference},
        ),
        "claims": Table(
            {
                "claim_id": text,
                "posted_on": day,
                "event": one_of("claim.denied", "claim.paid"),
                "patient": reference,
                "claim": reference,
                "claim_response": reference,
                "payer": text,
                "amount_usd": money,
                "reason": text,
            },
            _claim,
            may_be_empty=frozenset({"reason"}),
        ),
    }


def _currency(cell: str) -> str:
    if len(cell) != 3 or not cell.isascii() or not cell.isupper():
        raise ValueError("is not a currency such as USD")
    return cell


def _in_order(values: Values) -> tuple[str, str] | None:
    return ("ends", "is before it starts") if values["ends"] < values["starts"] else None  # type: ignore[operator]


def _employed(values: Values) -> tuple[str, str] | None:
    left, fte = values.get("left_on"), values["fte"]
    if left is not None and left < values["hired_on"]:  # type: ignore[operator]
        return "left_on", "is before hired_on"
    return ("fte", "is more than 2") if fte > 2 else None  # type: ignore[operator]


def _plain(kind: type, **renamed: str) -> Callable[[Values, str], ErpFact]:
    def make(values: Values, source: str) -> ErpFact:
        made: ErpFact = kind(source=source, **{renamed.get(name, name): value for name, value in values.items()})
        return made

    return make


def _cost(values: Values, source: str) -> CostLine:
    vendor, description = str(values.get("vendor", "")), str(values.get("description", ""))
    return CostLine(
        id=str(values["line_id"]),
        item=str(values["item"]),
        category=str(values["category"]),
        usd=float(values["amount_usd"]),  # type: ignore[arg-type]
        on=values["posted_on"],  # type: ignore[arg-type]
        cost_centre=str(values["cost_centre"]),
        source=source,
        description=f"{vendor}: {description}" if vendor and description else vendor or description,
    )


def _claim(values: Values, source: str) -> Claim:
    denied = values["event"] == "claim.denied"
    amount = values["amount_usd"]
    return Claim(
        claim=str(values["claim_id"]),
        charged=amount,  # type: ignore[arg-type]
        paid=None if denied else amount,  # type: ignore[arg-type]
        on=values["posted_on"],  # type: ignore[arg-type]
        payer=str(values["payer"]),
        status=DENIED if denied else "1",
        patient=str(values["patient"]),
        response=str(values["claim_response"]),
        reason=str(values.get("reason", "")),
        source=source,
    )
