"""An installation whose apps answer hooks, served for real, with a trusted EHR: made once for a module of tests."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from careplane import alignment, change, governance
from careplane.codecs.cdshooks import Reply
from careplane.governance.cds_trust import trust_client
from careplane.ledger import LedgerRecord
from careplane.records import JSON
from careplane.records.portfolio import Stage
from careplane.records.run import Run
from careplane.sandbox.cds_client import CdsClient, prefetch_of
from careplane.server.platform import Platform, open_platform
from careplane.settings import read_settings
from careplane.store.lake import load_path
from careplane.workflow import find_runs
from careplane.workflow.durable import Durable

from .conftest import chart, served
from .hook_apps import CONDITIONS, write_app, write_models

NURSE = "Practitioner/p1"
CONTEXT: JSON = {"userId": NURSE, "patientId": "ana", "encounterId": "e1"}
ALL = "careplane-patient-view"
ORDERS = "  - {resource: ServiceRequest, search: '_id={focus}', fields: [code], limit: 1}"
SLOW_MS = 4000
BUDGET_MS = 2500
APPS = {
    "quick_one": "patient-view",
    "quick_two": "patient-view",
    "of_our_own": "our-own.hook",
    "of_orders": "order-sign",
    "slow_one": "slow.hook",
    "quick_three": "slow.hook",
    "in_shadow": "quiet.hook",
    "stopped_one": "quiet.hook",
    "untrained_one": "quiet.hook",
    "away_one": "away.hook",
    "set_aside": "aside.hook",
}
SHIPPED = "previsit_summary"


class Site:
    """The installation, its worker, its EHR, and what happened since the test began."""

    def __init__(self, platform: Platform, durable: Durable, ehr: CdsClient, home: Path) -> None:
        self.platform, self.durable, self.ehr, self.home = platform, durable, ehr, home
        self._seen = 0

    @property
    def base(self) -> str:
        return self.ehr.base_url

    def begin(self) -> None:
        """A test begins: the EHR is trusted as at first, and earlier records are of others."""
        self.trust(own_reads=True)
        self._seen = self.platform.ledger.head.seq

    def trust(self, **agreed: Any) -> None:
        trust_client(self.platform.store, self.platform.ledger, self.ehr.trust(**agreed))

    def ask(self, service: str, prefetch: JSON | None = None, **changes: Any) -> Reply:
        """Open the chart of ana, with all that the service asks to have along unless ``prefetch`` says otherwise."""

        async def session() -> Reply:
            said = next(one for one in await self.ehr.discover() if one["id"] == service)
            context = {**CONTEXT, **changes.pop("context", {})}
            sent = await prefetch_of(said, context, self.platform.fhir) if prefetch is None else prefetch
            return await self.ehr.call(service, said["hook"], context, prefetch=sent, **changes)

        return asyncio.run(session())

    def runs(self, app: str) -> list[Run]:
        """Runs of an app that began in this test, by the ledger."""
        began = {one.run for one in (*self.records("run.permitted"), *self.records("run.refused"))}
        return [run for run in find_runs(self.platform.store, app=app) if run.id in began]

    def records(self, kind: str) -> list[LedgerRecord]:
        return [one for one in self.platform.ledger.records(kind=kind) if one.seq > self._seen]

    def facts(self, kind: str) -> list[Any]:
        return [one.facts for one in self.records(kind)]


@contextmanager
def hook_site(folder: Path) -> Iterator[Site]:
    """The installation; every app but the one that says so has a trained nurse, and all run warm."""
    home, file = folder / "home", folder / "chart.ndjson"
    home.mkdir(mode=0o700)
    file.write_text("".join(json.dumps(resource) + "\n" for resource in chart()), encoding="utf-8")
    load_path(file, home)
    for app, hook in APPS.items():
        context = CONDITIONS + "\n" + ORDERS if app == "of_orders" else CONDITIONS
        write_app(folder / "apps", app, hook, "slow" if app == "slow_one" else "default", context)
    write_models(folder / "models.toml", SLOW_MS)
    settings = read_settings(
        {},
        home=str(home),
        timezone="America/Chicago",
        apps_path=str(folder / "apps"),
        gateway_file=str(folder / "models.toml"),
        cds_budget_ms=BUDGET_MS,
    )
    platform = open_platform(settings, synthetic=True)
    for app in (*APPS, SHIPPED):
        _promote(platform, app, "shadow" if app == "in_shadow" else "pilot")
        if app != "untrained_one":
            _train(platform, app)
    governance.stop(platform.store, platform.ledger, "app", "stopped_one", "officer", "wrong doses", platform.clock())
    durable = Durable(platform.runtime, platform.home)
    durable.start()
    try:
        with served(platform, durable) as address, CdsClient(address) as ehr:
            site = Site(platform, durable, ehr, home)
            site.begin()
            site.ask("quick_one", instance=f"warm-{uuid4()}")  # the first run of a process loads its models
            asyncio.run(durable.drain())
            yield site
    finally:
        durable.stop()
        platform.close()


def _promote(platform: Platform, app: str, to: Stage) -> None:
    steps: tuple[Stage, ...] = ("intake", "shadow", "pilot")
    for stage in steps[: steps.index(to) + 1]:
        item = alignment.load_item(platform.store, app)
        alignment.move_stage(platform.store, platform.ledger, item, stage, platform.clock(), "owner", "test")


def _train(platform: Platform, app: str) -> None:
    known = platform.app(app)
    answers = [question.answer for question in change.lesson(known).questions]
    change.take_quiz(platform.store, platform.ledger, known, NURSE, answers, platform.clock())
