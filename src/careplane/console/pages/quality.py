"""Quality of outputs: what is known of each app, and what waits for readers."""

from starlette.responses import Response

from careplane.console.charts.quality import rates_figure
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.evidence import quality
from careplane.evidence.quality import QualitySummary
from careplane.records.quality import Agreement, Sample


def overview(visit: Visit) -> Response:
    """What waits for this person, and the apps of which anything is known."""
    store = visit.context.store
    mine = [(sample, _role(sample, visit.who), _waiting(visit, sample)) for sample in quality.find_samples(store)]
    return visit.page(
        "quality.html",
        mine=[row for row in mine if row[1]],
        apps=[visit.context.apps[name] for name in quality.apps_with_quality(store) if name in visit.context.apps],
        others=sorted(visit.context.apps),
    )


def _role(sample: Sample, who: str) -> str:
    return "read" if who in sample.readers else "settle" if who == sample.adjudicator else ""


def _waiting(visit: Visit, sample: Sample) -> list[int]:
    return [row.n for row in quality.waiting_for(visit.context.store, sample, visit.who)]


def of_app(visit: Visit) -> Response:
    """What is known of the quality of one app."""
    app = visit.app(visit.path("app"))
    groups = quality.patient_groups(visit.context.home, visit.today)
    seen = quality.summary(visit.context.store, app, groups, visit.context.small_cell)
    newest = next((one for one in seen.evaluations if one.hash == app.hash), None)
    checked = [rate for rate in newest.rates if rate.unit == "per 100 outputs"] if newest else []
    return visit.page(
        "quality_app.html",
        app=app,
        seen=seen,
        any_error=_any_error(seen),
        by_class=rates_figure(seen.adjudicated, seen.sentence, _WEIGHTED) if seen.adjudicated else None,
        by_version=rates_figure(seen.by_version, _over_versions(seen)) if seen.by_version else None,
        by_group=[
            (name, rates_figure(rates, f"All errors by {name.replace('_', ' ')}.", _WITHHELD))
            for name, rates in seen.by_group.items()
            if any(rate.value is not None for rate in rates)
        ],
        hidden=[name for name, rates in seen.by_group.items() if all(rate.value is None for rate in rates)],
        newest=newest,
        checked=rates_figure(checked, _of_checks(newest.label)) if newest else None,
        shares=[rate for rate in newest.rates if rate.unit == "share"] if newest else [],
    )


_WEIGHTED = (
    "Outputs are drawn by risk and weighted back by their probability (Horvitz-Thompson); Fay-Feuer gamma intervals."
)
_WITHHELD = "Groups with few outputs read are withheld, and as many more as it takes so that none can be derived."


def _any_error(seen: QualitySummary) -> Agreement | None:
    return next((one for one in seen.agreements if one.what == "any error"), None)


def _over_versions(seen: QualitySummary) -> str:
    count = len(seen.by_version)
    return f"All errors that people settled, in {count} {'version' if count == 1 else 'versions'}, oldest first."


def _of_checks(label: str) -> str:
    return f"What output checks and the expectations of cases find in {label}: a floor, as readers see more."


PAGES = (
    Page("/safety/quality", overview, "safety"),
    Page("/safety/quality/{app}", of_app, "evidence"),
)
"""Reading itself is in :mod:`careplane.console.pages.reading`."""
