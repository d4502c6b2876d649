"""Plans and what they found: effect against zero and the worthwhile change, equity, uptake, and the rows behind."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.responses import Response

from careplane.console.evidence_report import report, write_report
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.evidence import UnitRow, find_assignments, find_plans, latest_result, load_plan, load_result, unit_rows
from careplane.records.evidence import Effect, Result


def plans(visit: Visit) -> Response:
    found = find_plans(visit.context.store)
    results = {plan.id: latest_result(visit.context.store, plan.id) for plan in found}
    verdicts = {plan: _primary(result) for plan, result in results.items() if result is not None}
    return visit.page("plans.html", plans=found, verdicts=verdicts)


def plan(visit: Visit) -> Response:
    held = load_plan(visit.context.store, visit.path("plan"))
    result = latest_result(visit.context.store, held.id)
    shown = report(visit.context, held, result)
    return visit.page("plan.html", waiting=max(0, (held.end - visit.today).days), **shown)


def printed(visit: Visit) -> Response:
    """The report of the newest result as PDF."""
    result = load_result(visit.context.store, load_plan(visit.context.store, visit.path("plan")).id)
    with TemporaryDirectory() as folder:
        body = write_report(visit.context, result.id or result.plan, Path(folder) / "report.pdf").read_bytes()
    return _file(body, "application/pdf", f"{result.plan}.pdf")


def table(visit: Visit) -> Response:
    """The figures of each unit behind the newest result, as CSV; small cells are withheld."""
    result = load_result(visit.context.store, load_plan(visit.context.store, visit.path("plan")).id)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(UnitRow.__struct_fields__)
    for row in unit_rows(visit.context.store, visit.context.home, result):
        writer.writerow(getattr(row, name) for name in UnitRow.__struct_fields__)
    return _file(text.getvalue().encode(), "text/csv; charset=utf-8", f"{result.plan}-units.csv")


def _file(body: bytes, media: str, name: str) -> Response:
    return Response(body, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def rows(visit: Visit) -> Response:
    """The units of the plan, their arms, and the figures of each arm."""
    held = load_plan(visit.context.store, visit.path("plan"))
    return visit.page(
        "plan_rows.html",
        plan=held,
        assignments=find_assignments(visit.context.store, held.id),
        result=latest_result(visit.context.store, held.id),
        info=visit.context.measures,
    )


def _primary(result: Result) -> Effect | None:
    return next((effect for effect in result.effects if effect.role == "primary"), None)


PAGES = (
    Page("/evidence", plans, "evidence"),
    Page("/evidence/{plan}", plan, "evidence"),
    Page("/evidence/{plan}/rows", rows, "evidence"),
    Page("/evidence/{plan}/rows.csv", table, "data"),
    Page("/evidence/{plan}/report.pdf", printed, "evidence"),
)
