"""The end of a launch: the person's account, the patient's drafts, and the session that is limited to them."""

from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from careplane.codecs.smart import Identity, ResourceScope, TokenResponse
from careplane.console import ConsoleContext, accounts
from careplane.console.launched import LAUNCH_COOKIE, LAUNCH_HOURS, set_launch_cookie
from careplane.errors import CareplaneError, UpstreamError
from careplane.records import JSON
from careplane.records.launch import Ehr, Launch
from careplane.records.people import Account
from careplane.server.launches import Pending
from careplane.server.launching import (
    account_of,
    active_apps,
    app_of_launch,
    banner_of,
    granted_apps,
    patient_of_launch,
    run_of_launch,
)
from careplane.server.platform import Platform
from careplane.server.smart_clients import SmartClient
from careplane.workflow import find_runs
from careplane.workflow.records import find_run


async def begin_session(
    platform: Platform,
    context: ConsoleContext,
    request: Request,
    client: SmartClient,
    ehr: Ehr,
    pending: Pending,
    token: TokenResponse,
    identity: Identity,
) -> Response:
    """Begin the session and send the browser to the draft, or to the list of drafts.

    The token is used for one read and revoked; it is never kept.

    Raises:
        Refused: the person has no account here, no patient is open, or the EHR names the draft of another patient.
    """
    patient = patient_of_launch(ehr, token.context)
    chart = await _patient(platform, client, token, patient)
    with suppress(CareplaneError):  # an EHR may offer no revocation; the token ends by itself in minutes
        await client.revoke(token.access_token, "access_token")
    account, launch = await run_in_threadpool(_limits, platform, ehr, pending, token, identity, patient, chart)
    return await run_in_threadpool(_enter, platform, context, request, account, launch)


async def _patient(platform: Platform, client: SmartClient, token: TokenResponse, patient: str) -> JSON:
    """The Patient resource, with the rights of whoever launched; without them from our own reading of the chart."""
    wanted = [ResourceScope(level=level, type="Patient", interactions="r") for level in ("patient", "user")]
    if any(token.scopes.allows(one) for one in wanted):
        return await client.read(patient, token.access_token)
    try:
        return await platform.fhir.read(patient) or {}
    except UpstreamError:
        return {}


def _limits(
    platform: Platform,
    ehr: Ehr,
    pending: Pending,
    token: TokenResponse,
    identity: Identity,
    patient: str,
    chart: JSON,
) -> tuple[Account, Launch]:
    """Who it is, and what the session may see."""
    account = account_of(platform.store, ehr, identity.fhir_user)
    apps = granted_apps(active_apps(platform.store, platform.apps, pending.app), token.scopes)
    return account, Launch(
        ehr=ehr.name,
        patient=patient,
        encounter=token.context.encounter,
        apps=apps,
        app=pending.app or app_of_launch(token.context, apps),
        run=run_of_launch(platform.store, token.context, patient, apps),
        banner=banner_of(chart) if token.context.banner else None,
        frames=ehr.frames,
    )


def _enter(platform: Platform, context: ConsoleContext, request: Request, account: Account, launch: Launch) -> Response:
    """A fresh session, whatever the browser held before; an earlier launch of the same browser ends."""
    now = context.wall_clock()
    hours = min(LAUNCH_HOURS, context.session_hours)
    accounts.end_session(platform.store, request.cookies.get(LAUNCH_COOKIE, ""))
    session = accounts.start_session(platform.store, account, now, hours, launch)
    platform.ledger.append(
        "launched",
        at=now,
        actor=account.id,
        app=launch.app,
        facts={"ehr": launch.ehr, "patient": platform.ledger.pseudonym(launch.patient)},
    )
    response = RedirectResponse(_landing(platform, account, launch), 303, {"Cache-Control": "no-store"})
    set_launch_cookie(response, LAUNCH_COOKIE, session, int(hours * 3600))
    return response


def _landing(platform: Platform, account: Account, launch: Launch) -> str:
    """The draft that the EHR named, else the only one there is, else the list."""
    if launch.run is not None:
        return f"/review/{launch.run}" if find_run(platform.store, launch.run) else "/review?wait=yes"
    apps = [launch.app] if launch.app is not None and launch.app in launch.apps else launch.apps
    reviewer = None if "owner" in account.roles else account.person or account.id
    waiting = find_runs(platform.store, app=apps, status="draft", reviewer=reviewer, patient=launch.patient, limit=2)
    return f"/review/{waiting[0].id}" if len(waiting) == 1 else "/review"
