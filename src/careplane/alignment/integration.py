"""Results of the live integration checks: kept with their date, and what the register's row then says."""

from datetime import datetime

from msgspec.structs import replace

from careplane.alignment.register import save_item
from careplane.ledger import Ledger
from careplane.records.integration import IntegrationReport
from careplane.records.portfolio import INTEGRATION_CHECKS, RegisterItem
from careplane.store import Store, fetch, find, save, stamp
from careplane.store.tables import integration_checks, register


def keep_report(store: Store, ledger: Ledger, report: IntegrationReport) -> None:
    """Keep a report, and let the register's row say what it found: passed, failed, or not measured."""
    with store.write() as connection:
        save(connection, integration_checks, report, app=report.app, at=stamp(report.at))
        item = fetch(connection, register, RegisterItem, register.c.id == report.app)
        if item is not None:
            save_item(connection, checked(item, report))
    facts = {name: report.names(name) for name in ("pass", "fail", "not_measured")}
    told = {state: ",".join(names) or None for state, names in facts.items()}
    ledger.append("integration.checked", at=report.at, app=report.app, facts={"ehr": report.ehr, **told})


def checked(item: RegisterItem, report: IntegrationReport) -> RegisterItem:
    """A row of the register with the answers of a report in place of what its manifest promises."""
    others = tuple(name for name in item.unknown if name not in INTEGRATION_CHECKS)
    return replace(
        item,
        integration=report.names("pass"),
        unknown=(*others, *report.names("not_measured")),
        integration_at=report.at,
    )


def latest_report(store: Store, app: str) -> IntegrationReport | None:
    """The newest report of an app, or ``None`` if it was never checked."""
    order = (integration_checks.c.at.desc(),)
    with store.read() as connection:
        found = find(
            connection, integration_checks, IntegrationReport, integration_checks.c.app == app, order_by=order, limit=1
        )
    return found[0] if found else None


def checked_since(store: Store, app: str, moment: datetime) -> bool:
    """Whether an app was checked at this time or later."""
    latest = latest_report(store, app)
    return latest is not None and latest.at >= moment
