"""What an app of the register may do that comes to the gateway with its key."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from careplane import governance
from careplane._shelf import folder, items, missing
from careplane.apps import read_app
from careplane.errors import NotFound, Refused
from careplane.gateway.routing import LOCAL, Routes
from careplane.governance import PermitRequest
from careplane.records.app import App, Entitlement
from careplane.records.portfolio import RegisterItem
from careplane.records.run import Event
from careplane.store import Store, fetch
from careplane.store.tables import register


def read_apps(site_folder: Path) -> dict[str, App]:
    """All apps: those of the shelf, and the site's own folders beside them (which win on the same id)."""
    folders = {name: folder("apps", name) for name in items("apps")}
    if site_folder.is_dir():
        folders |= {path.parent.name: path.parent for path in sorted(site_folder.glob("*/app.yaml"))}
    return {name: read_app(path) for name, path in sorted(folders.items())}


def find_app(apps: Mapping[str, App], name: str) -> App:
    """An app by id.

    Raises:
        NotFound: names the nearest ones.
    """
    if name not in apps:
        raise NotFound(missing("app", name, apps))
    return apps[name]


def region_of(routes: Routes, alias: str) -> str | None:
    """Where the models of an alias run: inside only if all of them do; ``None`` when there is no such route."""
    return next(iter(sorted(routes.regions(alias), key=lambda region: region == LOCAL)), None)


def entitle(
    store: Store, apps: Mapping[str, App], region: Callable[[str], str | None], clock: Callable[[], datetime], name: str
) -> Entitlement:
    """What an app may do now. No plan is asked: its arms are of units, and a call with a key is of none.

    Args:
        region: where the models of an alias run.

    Raises:
        NotFound: there is no such app.
        Refused: the app is not on the register, not in a stage that runs, or stopped.
    """
    app = find_app(apps, name)
    with store.read() as connection:
        item = fetch(connection, register, RegisterItem, register.c.id == name)
    request = PermitRequest(
        app=app,
        event=Event(id="gateway", app=name, kind="gateway", at=clock()),
        item=item,
        stopped=governance.stopped(store, name, None, app.spec.version),
        region=region(app.spec.route.model),
    )
    permit = governance.permit(request, governance.CHECKS)
    if not permit.allowed:
        raise Refused([reason.text for reason in permit.refusals], permit.refusals[0].way_out)
    spec = app.spec
    return Entitlement(
        app=spec.id,
        version=spec.version,
        tier=governance.tier(spec.tier).tier,
        data_policy=spec.data_policy,
        guards=spec.guards,
        route=spec.route,
    )
