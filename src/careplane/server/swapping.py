"""A model that was compared and found worse does not serve an app, whoever changed the route."""

from collections.abc import Callable, Collection
from datetime import date
from typing import TypeVarTuple

from careplane.alignment import find_item, model_swap
from careplane.errors import NotFound
from careplane.evidence.quality import apps_regressed
from careplane.gateway import Gateway
from careplane.governance import tier
from careplane.records.app import App
from careplane.records.run import Event, Permit, Reason
from careplane.store import Store

RULE = "model_kept"
Rest = TypeVarTuple("Rest")
"""What stands beside a permit: where the event stands in a plan."""


def models_of(gateway: Gateway, app: App) -> tuple[str, ...]:
    """The models that may answer an app on its route, fallbacks included; empty where it has no route."""
    return gateway.models(app.spec.route.model, app.id, tier(app.spec.tier).tier)


def held_to_models(
    permit: Callable[[App, Event], tuple[Permit, *Rest]],
    store: Store,
    gateway: Gateway,
    apps: Collection[str] | None = None,
) -> Callable[[App, Event], tuple[Permit, *Rest]]:
    """A permit that also asks what comparisons of models said.

    Args:
        permit: all the other checks.
        store: where the comparisons are.
        gateway: which knows the models of a route.
        apps: ids of the apps that will be asked for, so that the store is looked at once for all; else for each.
    """
    known = None if apps is None else apps_regressed(store, apps)

    def ask(app: App, event: Event) -> tuple[Permit, *Rest]:
        answer = permit(app, event)
        if app.id not in (apps_regressed(store, [app.id]) if known is None else known):
            return answer
        reason = _model_kept(store, gateway, app, event.at.date())
        held = Permit(allowed=answer[0].allowed and reason.allowed, reasons=(*answer[0].reasons, reason))
        return (held, *answer[1:])

    return ask


def _model_kept(store: Store, gateway: Gateway, app: App, today: date) -> Reason:
    item = find_item(store, app.id)
    if item is None:
        return Reason(rule=RULE, allowed=True, text="It is not on the register, so no model is held.")
    for model in models_of(gateway, app):
        check = model_swap(store, item, app, model, today)
        if check.status == "fail":
            return Reason(
                rule=RULE,
                allowed=False,
                text=check.text,
                way_out=f"Put the model back, compare again, or waive it: careplane quality waive {app.id}",
                link=check.link,
            )
    return Reason(rule=RULE, allowed=True, text="No comparison speaks against its model.")


def judge_model(gateway: Gateway, app: App) -> str:
    """The model that answers first on the route of an app's judge.

    Raises:
        NotFound: there is no such route.
    """
    found = gateway.models(app.spec.quality.judge, app.id, tier(app.spec.tier).tier)
    if not found:
        raise NotFound(f"There is no route {app.spec.quality.judge!r} for the judge of {app.id} (quality.judge).")
    return found[0]
