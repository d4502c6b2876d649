"""The composition root: the only place that wires packages together.

Lower rooms never look upwards; what they need from above reaches them as a callable made here: the training gate lives
in ``change`` and reaches ``governance`` as one of its checks; the arm lives in ``evidence`` and reaches ``workflow``
(:mod:`careplane.server.permitting`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from careplane import alignment, change, governance, workflow
from careplane._shelf import items, load
from careplane.connectors import FhirConnector
from careplane.errors import SettingsError
from careplane.estimators._item import Item, item
from careplane.gateway import DataPlane, Gateway, Standing
from careplane.gateway.replies import repeatable
from careplane.ledger import Ledger, open_ledger
from careplane.measures import Measure
from careplane.records.app import App
from careplane.server.ehr import open_fhir
from careplane.server.entitling import entitle, find_app, read_apps, region_of
from careplane.server.hl7v2_context import layered, messages_of
from careplane.server.messaging import Post, open_post, patient_text
from careplane.server.models import gateway_file, model_region, open_models
from careplane.server.parts import OpenParts, open_parts
from careplane.server.permitting import permit_run
from careplane.server.swapping import held_to_models
from careplane.settings import Settings
from careplane.shield.checks import run_checks
from careplane.store import Store, open_store
from careplane.store.grouping import GroupedWrites
from careplane.store.hl7v2_inbox import Hl7v2Inbox
from careplane.workflow.messaging import Messages
from careplane.workflow.outages import Outages

Clock = Callable[[], datetime]


def site_clock(settings: Settings) -> Clock:
    """The time of the machine in the zone of the site, so that what is written carries local wall time.

    Raises:
        SettingsError: the zone is not an IANA name.
    """
    name = settings.text("timezone")
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(f"{name!r} is not an IANA time zone, such as America/Chicago", field="timezone") from error
    return partial(datetime.now, zone)


@dataclass(frozen=True, slots=True)
class Platform:
    """All rooms of one installation, wired."""

    settings: Settings
    store: Store
    ledger: Ledger
    apps: Mapping[str, App]
    measures: Mapping[str, Measure]
    estimators: Mapping[str, Item]
    gateway: Gateway
    plane: DataPlane
    fhir: FhirConnector
    hl7v2: Hl7v2Inbox | None
    runtime: workflow.Runtime
    post: Post
    messages: Messages
    clock: Clock
    synthetic: bool
    parts: OpenParts
    writes: GroupedWrites

    @property
    def home(self) -> Path:
        return self.settings.home

    def app(self, name: str) -> App:
        """An app by id.

        Raises:
            NotFound: names the nearest ones.
        """
        return find_app(self.apps, name)

    def close(self) -> None:
        """Give files and connections back."""
        self.plane.standing.close()
        self.parts.close()
        self.writes.close()
        if self.hl7v2 is not None:
            self.hl7v2.close()
        self.store.close()


def open_platform(
    settings: Settings,
    *,
    clock: Clock | None = None,
    fhir: FhirConnector | None = None,
    synthetic: bool = False,
) -> Platform:
    """Open an installation: its store, ledger, shelves and model routes.

    Args:
        settings: the settings in force; ``home`` is made when it is missing.
        clock: the time that every record carries; by default the machine's, in the zone of the site.
        fhir: an EHR connector; by default the endpoint of ``fhir_base_url``, else the loaded data.
        synthetic: whether everything here is synthetic, which every page and report then says.
    """
    clock = clock or site_clock(settings)
    home = settings.home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = open_store(settings.database_url, settings.home)
    ledger = open_ledger(home / "ledger")
    apps = read_apps(Path(settings.text("apps_path")))
    register_ideas(store, ledger, apps, clock())
    file = gateway_file(settings)
    providers, routes = open_models(settings, file)
    standing = Standing(store, partial(entitle, store, apps, partial(region_of, routes), clock))
    standing.start()
    writes = GroupedWrites(store)
    opened = open_parts(file, store, ledger, standing, settings, writes)
    gateway = Gateway(providers, routes, ledger, clock, opened.parts)
    messages = messages_of(settings)
    connector = layered(fhir or open_fhir(settings, apps.values()), messages)
    post = open_post(settings, store, ledger, connector)
    runtime = workflow.Runtime(
        apps=partial(find_app, apps),
        store=store,
        ledger=ledger,
        fhir=connector,
        complete=repeatable(gateway.complete, opened.replies, ledger, clock),
        permit=partial(permit_run, store, ledger, clock, model_region(settings)),
        may_sign=partial(change.trained, store),
        checks=run_checks,
        clock=clock,
        region=model_region(settings),
        synthetic=synthetic,
        outages=Outages(store, ledger),
        patient_text=partial(patient_text, post.planner, clock),
        writes=writes,
    )
    runtime = replace(runtime, permit=held_to_models(runtime.permit, store, gateway))
    return Platform(
        settings=settings,
        store=store,
        ledger=ledger,
        apps=apps,
        measures={name: load("measures", name).MEASURE for name in items("measures")},
        estimators={name: item(load("estimators", name)) for name in items("estimators")},
        gateway=gateway,
        plane=DataPlane(gateway, standing, ledger, clock, settings.secret("metrics_token")),
        fhir=connector,
        hl7v2=messages,
        runtime=runtime,
        post=post,
        messages=Messages(runtime, post.planner, post.senders),
        clock=clock,
        synthetic=synthetic,
        parts=opened,
        writes=writes,
    )


def register_ideas(store: Store, ledger: Ledger, apps: Mapping[str, App], at: datetime) -> None:
    """Put apps that are not on the register there as ideas: known and owned, but not yet entitled to run."""
    known = {item.id for item in alignment.find_items(store)}
    for name, app in apps.items():
        if name not in known:
            tier = governance.tier(app.spec.tier).tier
            alignment.register_app(store, ledger, app, tier, "idea", at, "from its folder")
