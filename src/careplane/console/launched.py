"""Sessions that an EHR's launch began: their cookie, what they may open, and the pages that begin and end them.

The cookie is sent inside a frame of the EHR too, so it is ``SameSite=None`` and, for that, ``Secure`` and
``Partitioned``: the browser keeps one for each site that frames us (browsers take ``Secure`` on plain-http loopback).
"""

from collections.abc import Sequence

from starlette.responses import HTMLResponse, Response

from careplane.console import accounts
from careplane.console.context import ConsoleContext
from careplane.console.protection import allow_frames
from careplane.console.rendering import render
from careplane.console.visit import Visit
from careplane.errors import Refused
from careplane.governance.ehrs import frame_origins
from careplane.records.launch import Launch
from careplane.records.run import Run
from careplane.workflow import load_run

LAUNCH_COOKIE = "careplane_launch"
LAUNCH_HOURS = 1.0
"""How long a session from an EHR lasts at most; the EHR launches again in one click."""

_OPEN = ("/review", "/learn", "/help", "/sign-out")
_ELSEWHERE = "Open Careplane in a tab of its own for everything else."


def set_launch_cookie(response: Response, name: str, value: str, seconds: int, path: str = "/") -> None:
    """Set a cookie that comes back inside a frame too; no ``seconds`` take it away."""
    fields = (f"{name}={value}", f"Max-Age={seconds}", f"Path={path}", "HttpOnly", "Secure", "SameSite=None")
    response.headers.append("Set-Cookie", "; ".join((*fields, "Partitioned")))


def check_launch(visit: Visit, path: str) -> None:
    """Hold a session from an EHR to its patient and its apps; ``path`` is that of the page, as its route has it.

    Raises:
        Refused: the page is none of the review, or the run is about another patient, or of an app whose reads the EHR
            did not grant.
    """
    launch = visit.launch
    if launch is None:
        return
    if path != "/requests" and not path.startswith(_OPEN):
        raise Refused(
            ["This window was opened from the EHR for one patient, and shows the drafts of that one."], _ELSEWHERE
        )
    if "run" not in visit.request.path_params:
        return
    check_run(launch, load_run(visit.context.store, visit.path("run")))


def check_run(launch: Launch, run: Run) -> None:
    """Hold a run to the patient and the apps of a launch.

    Raises:
        Refused: it is about another patient, or of an app whose reads the EHR did not grant.
    """
    if run.event.patient != launch.patient:
        raise Refused(
            ["This draft is about another patient than the one that is open in the EHR."],
            "Open that patient in the EHR, and launch from there.",
        )
    if run.app not in launch.apps:
        raise Refused(
            ["The EHR did not grant you what this app read, so its draft is not shown here."],
            "Ask the administrator of the EHR to allow the scopes of the app: careplane smart scopes APP",
        )


def launch_ended(context: ConsoleContext) -> Response:
    """What a browser gets whose launch is over; its cookie is taken away."""
    response = launch_page(
        context, "This launch has ended", ["A launch lasts an hour at most."], "Launch again from the EHR.", 401
    )
    set_launch_cookie(response, LAUNCH_COOKIE, "", 0)
    return response


def leave_launch(visit: Visit) -> Response:
    """Sign out of a launch; a console session of the same browser stays as it was."""
    accounts.end_session(visit.context.store, visit.request.cookies.get(LAUNCH_COOKIE, ""))
    response = launch_page(
        visit.context, "You have left this patient", ["Nothing of this launch is open any more."],
        "Launch again from the EHR, or close this window.",
    )  # fmt: skip
    set_launch_cookie(response, LAUNCH_COOKIE, "", 0)
    return response


def launch_page(
    context: ConsoleContext,
    title: str,
    reasons: Sequence[str],
    way_out: str,
    status: int = 200,
    frames: Sequence[str] | None = None,
) -> Response:
    """A page about a launch that did not lead to a session, which names no patient.

    ``frames`` may show it; by default every registered EHR, since it is not known which one asks.
    """
    html = render("launch.html", context=context, title=title, reasons=reasons, way_out=way_out)
    response = HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-store"})
    allow_frames(response, frame_origins(context.store) if frames is None else frames)
    return response
