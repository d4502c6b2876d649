"""Safety: what is stopped, what was refused, and what the checks found."""

from collections import Counter

from starlette.responses import Response

from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.governance import release, stop, switches
from careplane.records.run import Run
from careplane.workflow import find_runs

RUNS_LOOKED_AT = 1000


def safety(visit: Visit) -> Response:
    recent = find_runs(visit.context.store, limit=RUNS_LOOKED_AT)
    return visit.page(
        "safety.html",
        switches=switches(visit.context.store),
        runs=len(recent),
        refusals=_refusals(recent),
        findings=_findings(recent),
        failed=sum(run.status == "failed" for run in recent),
        apps=sorted(visit.context.apps),
    )


def halt(visit: Visit) -> Response:
    """Stop an app now."""
    app = visit.app(visit.field("app"))
    stop(visit.context.store, visit.context.ledger, "app", app.id, visit.who, visit.field("reason"), visit.now)
    return visit.go("/safety")


def let_run(visit: Visit) -> Response:
    """Release the stop of an app, or ask for it where a watch stopped it; it takes another person."""
    release(visit.context.store, visit.context.ledger, "app", visit.path("app"), visit.who, visit.now)
    return visit.go("/safety")


def _refusals(runs: list[Run]) -> list[tuple[str, int]]:
    rules = Counter(reason.rule for run in runs for reason in run.permit.refusals)
    return rules.most_common()


def _findings(runs: list[Run]) -> list[tuple[str, str, int]]:
    drafts = [run.draft for run in runs if run.draft is not None]
    seen = Counter((finding.check, finding.severity) for draft in drafts for finding in draft.findings)
    return [(check, severity, number) for (check, severity), number in seen.most_common()]


PAGES = (
    Page("/safety", safety, "safety"),
    Page("/safety/stops", halt, "stop", "POST"),
    Page("/safety/stops/{app}/release", let_run, "stop", "POST"),
)
