"""Waivers: a signed, reasoned exception to one check of one item, which expires by itself."""

from datetime import date, datetime

from sqlalchemy import delete, insert, select

from careplane.alignment.register import load_item
from careplane.errors import InputError
from careplane.ledger import FreeText, Ledger
from careplane.records import Record
from careplane.store import Store
from careplane.store.tables import waivers as table


class Waiver(Record, frozen=True):
    """An exception: who signed it, why, and the last day it holds."""

    item: str
    check: str
    by: str
    reason: str
    expires_on: date


def waive(
    store: Store, ledger: Ledger, item: str, check: str, by: str, reason: str, expires_on: date, at: datetime
) -> Waiver:
    """Waive a check; a newer waiver of the same check replaces the older.

    Raises:
        InputError: no reason, or an expiry that is not after today.
        NotFound: the item is not on the register.
    """
    if not reason.strip():
        raise InputError("say why", field="reason")
    if expires_on <= at.date():
        raise InputError("must be after today", field="expires_on")
    load_item(store, item)
    waiver = Waiver(item=item, check=check, by=by, reason=reason.strip(), expires_on=expires_on)
    facts = {"check": check, "reason": FreeText(waiver.reason), "expires_on": expires_on.isoformat()}
    ledger.append("check.waived", at=at, app=item, actor=by, facts=facts)
    with store.write() as connection:
        connection.execute(delete(table).where(table.c.item == item, table.c.check_name == check))
        connection.execute(
            insert(table).values(
                item=item, check_name=check, by=by, reason=waiver.reason, expires_on=expires_on.isoformat()
            )
        )
    return waiver


def waivers(store: Store, item: str, today: date) -> dict[str, Waiver]:
    """The waivers of an item that hold today, by check."""
    with store.read() as connection:
        rows = connection.execute(
            select(table).where(table.c.item == item, table.c.expires_on >= today.isoformat())
        ).all()
    return {
        row.check_name: Waiver(
            item=row.item,
            check=row.check_name,
            by=row.by,
            reason=row.reason,
            expires_on=date.fromisoformat(row.expires_on),
        )
        for row in rows
    }
