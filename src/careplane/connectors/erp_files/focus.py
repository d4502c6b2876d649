"""A cloud bill in FOCUS 1.x (FinOps Open Cost and Usage Specification, focus.finops.org): one cost line per row.

Needed columns: ``BilledCost``, ``BillingCurrency``, ``ChargePeriodStart``, ``ChargeCategory``, ``ServiceName``. Used
where they are: ``ChargeDescription``, ``SubAccountName``, ``SubAccountId``, ``Tags`` and what names a row. Others are
passed over. The tags ``careplane_item`` and ``cost_centre`` say which app or shared item and which cost centre pays.

A row has no id of its own in FOCUS; its id here follows from what identifies a charge and its amount, and counts equal
ones within a file: the same bill read again adds nothing, a correction (``ChargeClass`` ``Correction``) is a new row.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

from careplane.connectors.erp_files.cells import day_of, quantity
from careplane.connectors.erp_files.sheet import Fault, Sheet, refuse
from careplane.records.money import CostLine

NEEDED = ("BilledCost", "BillingCurrency", "ChargePeriodStart", "ChargeCategory", "ServiceName")
CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
SHARED = "platform"
_IDENTITY = (
    *("BillingAccountId", "SubAccountId", "ResourceId", "SkuId", "SkuPriceId", "ServiceName", "ChargeCategory"),
    *("ChargeClass", "ChargeDescription", "ChargePeriodStart", "ChargePeriodEnd", "BilledCost", "Tags"),
)
_LONGEST = 200


def cost_lines(sheet: Sheet) -> tuple[CostLine, ...]:
    """The cost lines of a bill.

    Raises:
        DataError: some cells are bad; nothing is taken.
    """
    faults: list[Fault] = []
    lines: list[CostLine] = []
    seen: Counter[str] = Counter()
    for number, row in sheet.rows:
        found = _check(number, row)
        faults += found
        if found:
            continue
        identity = "\x1f".join(row.get(name, "") for name in _IDENTITY)
        seen[identity] += 1
        digest = hashlib.sha256(f"{identity}\x1f{seen[identity]}".encode()).hexdigest()[:24]
        lines.append(_line(row, f"focus-{digest}", f"{sheet.file}:{number}"))
    refuse(sheet.file, faults)
    return tuple(lines)


def _check(number: int, row: Mapping[str, str]) -> Sequence[Fault]:
    faults = []
    for name, parse in (("BilledCost", _billed), ("ChargePeriodStart", day_of)):
        try:
            parse(row[name])
        except ValueError as error:
            faults.append(Fault(number, name, str(error)))
    if row["BillingCurrency"] != "USD":
        faults.append(Fault(number, "BillingCurrency", "is not USD, the one currency of the cost ledger"))
    if row["ChargeCategory"] not in CATEGORIES:
        faults.append(Fault(number, "ChargeCategory", f"is not one of {', '.join(CATEGORIES)}"))
    if not row["ServiceName"]:
        faults.append(Fault(number, "ServiceName", "is empty"))
    if _tags(row) is None:
        faults.append(Fault(number, "Tags", "is not a JSON object"))
    return faults


def _billed(cell: str) -> Decimal:
    """FOCUS allows scientific notation in numbers."""
    if "e" in cell.lower():
        base, _, power = cell.lower().partition("e")
        shift = power.lstrip("+-")
        if not shift.isdigit() or len(shift) > 2:
            raise ValueError("is not a number such as 12.5")
        return quantity(base) * Decimal(10) ** int(power)
    return quantity(cell)


def _tags(row: Mapping[str, str]) -> dict[str, object] | None:
    cell = row.get("Tags", "")
    if not cell or cell.upper() == "NULL":
        return {}
    try:
        tags = json.loads(cell)
    except (json.JSONDecodeError, RecursionError):
        return None
    return tags if isinstance(tags, dict) else None


def _line(row: Mapping[str, str], ident: str, source: str) -> CostLine:
    tags = _tags(row) or {}
    told = row.get("ChargeDescription", "")
    account = row.get("SubAccountName") or row.get("SubAccountId") or ""
    return CostLine(
        id=ident,
        item=str(tags.get("careplane_item") or SHARED)[:_LONGEST],
        category="credit" if row["ChargeCategory"] == "Credit" else "cloud",
        usd=float(_billed(row["BilledCost"])),
        on=day_of(row["ChargePeriodStart"]),
        cost_centre=str(tags.get("cost_centre") or account or "cloud")[:_LONGEST],
        source=source,
        description=(f"{row['ServiceName']}: {told}" if told else row["ServiceName"])[:_LONGEST],
    )
