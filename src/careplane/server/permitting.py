"""Whether apps may run for events: what the rooms know of them, read once for all events of a moment."""

from collections.abc import Sequence
from functools import partial

from careplane import alignment, change, evidence, governance
from careplane.governance import PermitRequest
from careplane.records.app import App
from careplane.records.run import Event, Permit, Reason
from careplane.store import Store

Permitted = tuple[Permit, str | None, str | None]
"""The permit, and the plan and arm that the unit of the event is in."""


def permit_run(store: Store, region: str | None, app: App, event: Event) -> Permitted:
    """Whether the app may run for this event."""
    return permit_runs(store, region, [(app, event)])[app.id, event.id]


def permit_runs(
    store: Store, region: str | None, asked: Sequence[tuple[App, Event]]
) -> dict[tuple[str, str], Permitted]:
    """Whether each app may run for its event, by the ids of both. Ten apps of one call cost little more than one.

    Args:
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
        assigned = evidence.arm_of(store, app.id, event.unit, event.at) if app.id in planned else None
        plan, arm = assigned if assigned is not None else (None, None)
        request = PermitRequest(
            app=app,
            event=event,
            item=items.get(app.id),
            stopped=governance.stopped_by(stops, app.id, event.site, app.spec.version),
            plan=plan,
            arm=arm,
            region=region,
        )
        gate = partial(_training_gate, passed)
        found[app.id, event.id] = governance.permit(request, (*governance.CHECKS, gate)), plan, arm
    return found


def _training_gate(passed: change.Passed, request: PermitRequest) -> Reason:
    return change.trained_by(passed, request.app, request.event.user, request.event.at)
