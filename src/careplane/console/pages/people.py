"""People: training, panels and voice of each app; and the board of requests, "you said, we did"."""

from typing import get_args

from starlette.responses import Response

from careplane.alignment import find_items
from careplane.change import card_use, closed_loop_rate, find_requests, panel, post_request, three_questions, vote
from careplane.change.requests import Kind
from careplane.console.charts import reasons_figure
from careplane.console.launched import check_run
from careplane.console.pages.page import Page
from careplane.console.pages.training import training_counts
from careplane.console.visit import Visit
from careplane.errors import InputError
from careplane.records.launch import Launch
from careplane.records.people import Request
from careplane.workflow.records import find_run

KINDS: tuple[Kind, ...] = get_args(Kind)


def people(visit: Visit) -> Response:
    store = visit.context.store
    live = [
        item
        for item in find_items(store, kind="platform_app")
        if item.runnable and item.id in visit.context.apps and item.stage not in ("idea", "retired")
    ]
    uses = {item.id: use for item in live if (use := card_use(store, item.id)).told}
    return visit.page(
        "people.html",
        items=live,
        uses=uses,
        reasons={name: reasons_figure(use.reasons) for name, use in uses.items() if use.reasons},
        training={item.id: training_counts(store, item.id) for item in live},
        panels={item.id: panel(store, item.id) for item in live},
        voices={item.id: three_questions(store, item.id, visit.context.small_cell) for item in live},
        loop_state=closed_loop_rate(store, visit.now),
        open=[request for request in find_requests(store) if request.status == "open"],
    )


def requests(visit: Visit) -> Response:
    return _board(visit)


def post(visit: Visit) -> Response:
    """Take a new request."""
    try:
        kind = next((kind for kind in KINDS if kind == visit.form.get("kind")), None)
        if kind is None:
            raise InputError("Choose what it is.", field="kind")
        app = visit.app(visit.field("app"))
        run = _run(visit, app.id)
        post_request(visit.context.store, app.id, visit.who, kind, visit.field("text"), visit.now, run=run)
    except InputError as error:
        return _board(visit, error)
    return visit.go("/requests")


def _run(visit: Visit, app: str) -> str | None:
    """The run that a request is about; in a session from an EHR there is one, of its patient.

    Raises:
        InputError: there is no such run of the app, or none was named.
        Refused: it is about another patient than the session.
    """
    ident = visit.form.get("run") or None
    run = find_run(visit.context.store, ident) if ident is not None else None
    if (ident is not None or visit.launch is not None) and (run is None or run.app != app):
        raise InputError("A report is about a draft of this app. Report from the page of the draft.", field="app")
    if visit.launch is not None and run is not None:
        check_run(visit.launch, run)
    return ident


def _shown(visit: Visit) -> list[Request]:
    """The requests that may be seen: all; in a session from an EHR what this person reported about its patient."""
    found = find_requests(visit.context.store)
    if visit.launch is None:
        return found
    return [one for one in found if one.by == visit.who and _about(visit, visit.launch, one.run)]


def _about(visit: Visit, launch: Launch, ident: str | None) -> bool:
    run = find_run(visit.context.store, ident) if ident is not None else None
    return run is not None and run.event.patient == launch.patient and run.app in launch.apps


def agree(visit: Visit) -> Response:
    """Vote for a request, once a person."""
    vote(visit.context.store, visit.path("id"), visit.who, visit.now)
    return visit.go("/requests")


def _board(visit: Visit, error: InputError | None = None) -> Response:
    found = _shown(visit)
    return visit.page(
        "requests.html",
        status=400 if error else 200,
        answered=[request for request in found if request.status != "open"],
        open=[request for request in found if request.status == "open"],
        loop_state=closed_loop_rate(visit.context.store, visit.now),
        apps=[app for app in visit.context.apps.values() if app.runnable and _offered(visit, app.id)],
        kinds=KINDS,
        form=visit.form or visit.request.query_params,
        error=error,
    )


def _offered(visit: Visit, app: str) -> bool:
    return visit.launch is None or app in visit.launch.apps


PAGES = (
    Page("/people", people, "people"),
    Page("/requests", requests, "people"),
    Page("/requests", post, "take_part", "POST"),
    Page("/requests/{id}/votes", agree, "take_part", "POST"),
)
