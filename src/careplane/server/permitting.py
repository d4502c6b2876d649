"""Whether apps may run for events: what the rooms know of them, read once for all events of a moment."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from careplane import alignment, change, evidence, governance
from careplane.governance import PermitRequest
from careplane.ledger import Ledger
from careplane.records.app import App
from careplane.records.design import Placement
from careplane.records.run import Event, Permit, Reason
from careplane.store import Store

Clock = Callable[[], datetime]

Permitted = tuple[Permit, Placement | None]
"""The permit, and where the event stands in a running plan."""


def permit_run(store: Store, ledger: Ledger, clock: Clock, region: str | None, app: App, event: Event) -> Permitted:
    """Whether the app may run for this event."""
    return permit_runs(store, ledger, clock, region, [(app, event)])[app.id, event.id]


def permit_runs(
    store: Store, ledger: Ledger, clock: Clock, region: str | None, asked: Sequence[tuple[App, Event]]
) -> dict[tuple[str, str], Permitted]:
    """Whether each app may run for its event, by the ids of both. Ten apps of one call cost little more than one.

    Args:
        ledger: gets the allocation of who had no arm yet.
        clock: the time of such an allocation.
        region: where the model runs.
        asked: apps with their events.
    """
    ids = {app.id for app, _ in asked}
    items = alignment.items_of(store, ids)
    stops = governance.switches(store)
    planned = evidence.apps_with_plans(store, ids)
    passed = change.lessons_passed(store, ids, {event.user for _, event in asked if event.user is not None})
    found: dict[tuple[str, str], Permitted] = {}
    for app, event in asked:
        placed = evidence.placement(store, ledger, event, clock()) if app.id in planned else None
        request = PermitRequest(
            app=app,
            event=event,
            item=items.get(app.id),
            stopped=governance.stopped_by(stops, app.id, event.site, app.spec.version),
            plan=placed.plan if placed else None,
            arm=placed.arm if placed else None,
            region=region,
        )
        gate = partial(_training_gate, passed)
        found[app.id, event.id] = governance.permit(request, (*governance.CHECKS, gate)), placed
    return found


def _training_gate(passed: change.Passed, request: PermitRequest) -> Reason:
    return change.trained_by(passed, request.app, request.event.user, request.event.at)
