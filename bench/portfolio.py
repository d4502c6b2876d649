"""How quick the portfolio is at 1,000 apps: register pages, search, signs, look-alikes and the headline.

Run ``python bench/portfolio.py [--apps 1000] [--repeats 20]``; times are milliseconds. Reading all rows of the register
as records is measured with the others, as the floor of what needs them all.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from _machine import record
from careplane.alignment import (
    conversion,
    count_items,
    find_items,
    funnel,
    headline,
    import_decisions,
    import_items,
    look_alikes,
    signals,
)
from careplane.records.portfolio import (
    INTEGRATION_CHECKS,
    METRIC_CHECKS,
    PATH_CHECKS,
    STAGES,
    DecisionItem,
    RegisterItem,
)
from careplane.store import Store, open_store

TODAY = date(2026, 6, 1)
VERBS = ("Draft", "Summarise", "Check", "Triage", "Translate", "Code", "Schedule", "Explain", "Abstract", "Match")
NOUNS = ("messages", "visits", "referrals", "invoices", "notes", "denials", "results", "handoffs", "policies", "claims")
PLACES = ("Cardiology", "Primary Care", "Surgery", "Pharmacy", "Nursing", "Finance", "Radiology", "Oncology")
RESOURCES = ("Communication", "Condition", "Observation", "Encounter", "Claim", "DocumentReference")


def register_items(count: int, seed: int = 7) -> list[RegisterItem]:
    """Synthetic rows in all stages, the same for the same seed."""
    draw = random.Random(seed)
    return [_item(n, draw) for n in range(count)]


def fill(store: Store, items: list[RegisterItem]) -> None:
    """Put the rows, and a decision for every fourth, into a store."""
    import_items(store, items)
    import_decisions(
        store,
        [
            DecisionItem(
                id=f"d-{item.id}",
                item=item.id,
                question="Scale it?",
                owner="Committee",
                opened_at=datetime(2026, 4, 1, tzinfo=UTC),
                due_on=TODAY + timedelta(days=index % 60 - 30),
                tier=item.tier,
                gate="G3",
                net_benefit_per_year_usd=100_000.0,
            )
            for index, item in enumerate(items[::4])
        ],
    )


def timed(work: Callable[[], object], repeats: int) -> dict[str, float]:
    """Median and 95th percentile of a call, in milliseconds, after one call to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return {"median": round(statistics.median(times), 1), "p95": round(statistics.quantiles(times, n=20)[-1], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'careplane.db'}")
        items = register_items(options.apps)
        fill(store, items)
        queries: dict[str, Callable[[], object]] = {
            "register_page_of_50": lambda: (find_items(store, limit=50, offset=500), count_items(store)),
            "register_all": lambda: find_items(store),
            "search": lambda: find_items(store, "draft cardiology", limit=50),
            "funnel": lambda: funnel(store, TODAY),
            "conversion": lambda: conversion(store, TODAY),
            "look_alikes": lambda: look_alikes(store, items[0]),
            "signals": lambda: signals(store, TODAY),
            "headline": lambda: headline(store, TODAY),
        }
        result = {name: timed(work, options.repeats) for name, work in queries.items()}
        store.close()
    record("portfolio", {"apps": options.apps, "milliseconds": result})


def _item(n: int, draw: random.Random) -> RegisterItem:
    verb, noun, place = draw.choice(VERBS), draw.choice(NOUNS), draw.choice(PLACES)
    return RegisterItem(
        id=f"app_{n:04d}",
        title=f"{verb} {noun} for {place} {n}",
        kind=draw.choice(("platform_app", "point_solution", "ehr_feature", "spreadsheet_pilot")),
        stage=draw.choice(STAGES),
        tier=draw.randint(1, 3),
        area=draw.choice(("clinical", "operational", "administrative", "patient")),
        owner=f"Director of {place}" if draw.random() > 0.1 else None,
        sponsor="Chief Medical Officer" if draw.random() > 0.3 else None,
        goals=("access",),
        departments=tuple(draw.sample(PLACES, draw.randint(1, 2))),
        sites=(),
        task=f"{verb.lower()}/{noun}",
        stage_since=TODAY - timedelta(days=draw.randint(1, 500)),
        registered_at=TODAY - timedelta(days=600),
        summary=f"{verb} {noun} that {place} works on, for a person to review before it is used.",
        trigger=draw.choice(("Communication.received", "schedule", "patient-view")),
        inputs=tuple(draw.sample(RESOURCES, 3)),
        output=draw.choice(("Communication", "DocumentReference", "Task")),
        role=draw.choice(("nurse", "physician")),
        path=tuple(draw.sample(PATH_CHECKS, 4)),
        integration=tuple(draw.sample(INTEGRATION_CHECKS, 4)),
        metrics=tuple(draw.sample(METRIC_CHECKS, 4)),
        forecast_p50_usd=200_000.0,
        synthetic=True,
    )


if __name__ == "__main__":
    main()
