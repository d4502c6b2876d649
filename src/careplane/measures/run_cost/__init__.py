"""What an eligible event costs: licence, tokens, infrastructure, support, review time (measure M31)."""

from collections.abc import Mapping

import ibis

from careplane.measures import Measure
from careplane.records.evidence import MeasureInfo

INFO = MeasureInfo(
    id="run_cost",
    title="Cost per eligible event",
    definition=(
        "USD per event for which an app could run, outside the control arm: the model calls of the event, the seconds "
        "of its review at the loaded hourly rate of the reviewer's job, and an equal share of what was posted for the "
        "app in the calendar month (licence, infrastructure, support and all other categories but model usage, which "
        "the calls already carry). Credits count with their sign. Refused and failed events count: they cost, too. "
        "Costs of months without an event, and of the platform that all apps share, are not here; the value room has "
        "them. An event that was reviewed by somebody without a known rate is missing."
    ),
    numerator="USD of calls, review time and the month's postings",
    denominator="eligible events outside the control arm",
    unit="USD/event",
    direction="lower",
    mcid=0.10,
    mcid_source="a default of this library",
    aim="cost",
    cadence_days=30,
    source="run record (model calls, review seconds); cost ledger and hourly rates of the ERP",
    citation="Measure M31; skewed, so compare on the log scale or propagate with gamma and PERT distributions.",
    catalogue="M31",
    row="eligible event",
    scale="log",
)


def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per eligible event outside the control arm."""
    runs = tables["runs"]
    events = runs.filter(runs.arm.isnull() | (runs.arm != "control"))
    shares = _shares(events, tables["costs"])
    told = tables["rates"]
    rates = told.group_by("clinician").aggregate(per_hour=told.per_hour.max()).rename(who="clinician")
    both = events.left_join(shares, events.run == shares.of_run).left_join(rates, events.clinician == rates.who)
    review = both.review_seconds.isnull().ifelse(0.0, both.review_seconds * both.per_hour / 3600.0)
    return both.select(
        key=both.run,
        cluster=both.unit,
        patient=both.patient,
        clinician=both.clinician,
        at=both["at"],
        value=both.cost_usd.fill_null(0.0) + review + both.share.fill_null(0.0),
    )


def _shares(events: ibis.Table, costs: ibis.Table) -> ibis.Table:
    """The share of each event (``of_run``) in what was posted for its app in its month."""
    posted = costs.filter(costs.category != "model_usage")
    monthly = posted.group_by(["item", "starts", "ends"]).aggregate(usd=posted.usd.sum())
    placed = events.select("run", "app", moment="at").join(monthly, events.app == monthly.item)
    inside = placed.filter((placed.moment >= placed.starts) & (placed.moment < placed.ends))
    counted = (
        inside.group_by(["item", "starts"]).aggregate(events=inside.run.count()).rename(app_of="item", month="starts")
    )
    both = inside.join(counted, [inside.item == counted.app_of, inside.starts == counted.month])
    return both.select(of_run="run", share=both.usd / both.events.cast("float64"))


MEASURE = Measure(
    info=INFO,
    views={},
    rows=rows,
    missing="had a review whose hourly rate is not known",
    follow_up_days=30,
    reads=("runs", "costs", "rates"),
)
