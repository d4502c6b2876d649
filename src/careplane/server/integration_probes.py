"""Probes of five of the integration checks: sign-on, governed data, telemetry, entitlement and kill switch.

Each does the thing itself, as a person or a run would: it signs in, reads the EHR, looks for the records of a run,
throws a switch. None tells anything of a patient.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from msgspec.structs import replace
from starlette.types import ASGIApp

from careplane import console, gateway, governance
from careplane.console.accounts import load_account, save_account
from careplane.errors import CareplaneError, InputError, NotFound, UpstreamError
from careplane.governance import PermitRequest
from careplane.governance.ehrs import find_ehrs
from careplane.records.app import App
from careplane.records.integration import CheckState
from careplane.records.launch import Ehr
from careplane.records.run import Event, Run
from careplane.server.platform import Platform
from careplane.workflow import find_runs
from careplane.workflow.context import read_context

CHECKER = "integration-check"
SECOND = "integration-check-second"
_RECENT = 50
_HTTP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Probing:
    """What a probe works on: the installation, the app, and the server's own ASGI application."""

    platform: Platform
    app: App
    door: ASGIApp


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe found."""

    state: CheckState
    evidence: str
    way_out: str = ""


def passed(evidence: str) -> Answer:
    """It works, and this was seen."""
    return Answer("pass", evidence)


def fail(evidence: str, way_out: str) -> Answer:
    """It does not work."""
    return Answer("fail", evidence, way_out)


def unmeasured(evidence: str, way_out: str) -> Answer:
    """Nothing to tell by."""
    return Answer("not_measured", evidence, way_out)


def recent_runs(probing: Probing) -> Sequence[Run]:
    """The newest runs of the app."""
    return find_runs(probing.platform.store, probing.app.id, limit=_RECENT)


async def sign_on(probing: Probing) -> Answer:
    """A sign-in at the console that works once and not twice; and each EHR that launches us answers its discovery."""
    signed = await _console_sign_in(probing)
    if signed is not None:
        return fail(signed, "See whether accounts and sessions can be stored: careplane user list")
    ehrs = await asyncio.to_thread(find_ehrs, probing.platform.store)
    if not ehrs:
        return passed(
            "A one-time link of the console signed in once and was refused the second time. No EHR launches us."
        )
    silent = [ehr.name for ehr in ehrs if not await _discovers(ehr)]
    if silent:
        return fail(f"No SMART configuration from: {', '.join(silent)}.", "Check the issuer: careplane smart list")
    return passed(f"The console signed in, and {len(ehrs)} EHR(s) answered SMART discovery with PKCE (S256).")


async def _console_sign_in(probing: Probing) -> str | None:
    """Sign in with an account that lives for the probe; what went wrong, or ``None``."""
    store, now = probing.platform.store, datetime.now(UTC)
    name = f"{CHECKER}-{secrets.token_hex(4)}"
    await asyncio.to_thread(console.create_account, store, name, "Integration check", (), now)
    try:
        path = await asyncio.to_thread(console.one_time_link, store, name, now)
        transport = httpx.ASGITransport(probing.door)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=_HTTP_SECONDS) as client:
            page = await client.get(path)
            form = page.text.partition('name="csrf" value="')[2].partition('"')[0]
            first = await client.post(path, data={"csrf": form})
            again = await client.post(path, data={"csrf": form})
        if first.status_code not in (302, 303) or not first.headers.get("set-cookie"):
            return f"The sign-in link answered {first.status_code} and opened no session."
        if again.status_code < 400 and again.headers.get("set-cookie"):
            return "The sign-in link worked twice."
    finally:
        account = await asyncio.to_thread(load_account, store, name)
        await asyncio.to_thread(save_account, store, replace(account, disabled=True))
    return None


async def _discovers(ehr: Ehr) -> bool:
    url = f"{ehr.issuer.rstrip('/')}/.well-known/smart-configuration"
    try:
        async with httpx.AsyncClient(timeout=_HTTP_SECONDS, trust_env=False) as client:
            told = (await client.get(url)).json()
    except (httpx.HTTPError, ValueError):
        return False
    if not isinstance(told, dict) or not {"authorization_endpoint", "token_endpoint"} <= told.keys():
        return False
    return "S256" in (told.get("code_challenge_methods_supported") or ())


async def governed_data(probing: Probing) -> Answer:
    """The app's declared reads answered by the EHR now, for the subject of its last run or the test patient; nothing
    comes back that the manifest does not declare."""
    platform, app = probing.platform, probing.app
    event = await asyncio.to_thread(_subject, probing)
    if event is None:
        return unmeasured(
            "No run of this app says whom to read about.", "Set check_patient to a test patient of the EHR."
        )
    try:
        context = await read_context(
            platform.fhir, app, event, at=platform.clock(), external=platform.runtime.region != "local"
        )
    except (InputError, NotFound, UpstreamError) as error:
        return fail(
            f"The EHR did not answer a declared read ({type(error).__name__}).", "Check fhir_base_url and its scopes."
        )
    declared = {rule.resource for rule in app.spec.context}
    strange = sorted({source.label for source in context.sources} - declared)
    if strange:
        return fail(
            f"Resources came that the manifest does not declare: {', '.join(strange)}.", "Stop the app and report it."
        )
    if not context.sources and not context.message:
        return unmeasured(
            "The EHR answered every declared read with nothing.", "Set check_patient to a patient with data."
        )
    kinds = sorted({source.label for source in context.sources})
    return passed(
        f"{len(context.sources)} resources of {len(kinds)} declared types read from the EHR; {context.withheld} "
        f"withheld."
    )


def _subject(probing: Probing) -> Event | None:
    """Whom to read about: the subject of the newest run that had sources, else the test patient."""
    held = next((run.event for run in recent_runs(probing) if run.sources), None)
    patient = probing.platform.settings.text("check_patient")
    if held is not None or not patient:
        return held
    now = probing.platform.clock()
    return Event(id=f"{CHECKER}-{now:%Y%m%d%H%M%S}", app=probing.app.id, kind="manual", at=now, patient=patient)


async def telemetry(probing: Probing) -> Answer:
    """The newest run that asked a model is whole: its calls are on the run, and permit, call and draft in the
    ledger."""
    run = next((one for one in await asyncio.to_thread(recent_runs, probing) if one.calls), None)
    if run is None:
        return unmeasured("No run of this app has asked a model yet.", "Move it to shadow and let an event come.")
    records = await asyncio.to_thread(lambda: list(probing.platform.ledger.records(run=run.id)))
    missing = sorted({"run.permitted", "model_call", "run.drafted"} - {record.kind for record in records})
    if missing:
        return fail(f"The ledger lacks of the newest run: {', '.join(missing)}.", "Verify it: careplane ledger verify")
    usage = run.calls[-1].usage
    return passed(
        f"The run of {run.created_at:%Y-%m-%d} has {len(run.calls)} metered call(s), "
        f"{usage.input_tokens} + {usage.output_tokens} tokens, and {len(records)} ledger records."
    )


async def kill_switch(probing: Probing) -> Answer:
    """An unregistered app is refused, an unknown key opens nothing, and a stop thrown on a
    version that nobody runs holds at once and is released by a second person only."""
    return await asyncio.to_thread(_kill_switch, probing)


def _kill_switch(probing: Probing) -> Answer:
    platform, app = probing.platform, probing.app
    store, ledger, now = platform.store, platform.ledger, platform.clock()
    event = Event(id=CHECKER, app=app.id, kind="manual", at=now)
    request = PermitRequest(app=app, event=event, item=None, region=platform.runtime.region)
    if governance.permit(request, governance.CHECKS).allowed:
        return fail("An app that is not on the register was permitted.", "Stop the gateway and report it.")
    if gateway.app_of_key(store, f"cp-{secrets.token_urlsafe(24)}") is not None:
        return fail("A key that was never issued opened the gateway.", "Stop the gateway and report it.")
    version = f"0.0.0-check-{secrets.token_hex(3)}"
    target = f"{app.id}@{version}"
    governance.stop(store, ledger, "version", target, CHECKER, "Nightly check of the kill switch.", now)
    held = governance.stopped(store, app.id, None, version)
    permitted = governance.permit(replace(request, stopped=held), governance.CHECKS)
    alone = _releases(probing, target, CHECKER)
    if not alone:
        governance.release(store, ledger, "version", target, SECOND, now)
    after = governance.stopped(store, app.id, None, version)
    if held is None or "not_stopped" not in {reason.rule for reason in permitted.refusals}:
        return fail("A stop was thrown and did not hold.", "Stop the gateway and report it.")
    if alone or after is not None:
        return fail("A stop was released by one person, or by nobody.", "Stop the gateway and report it.")
    return passed(
        "Refused without a register row and without a key; a stop held at once and took a second person to release."
    )


def _releases(probing: Probing, target: str, by: str) -> bool:
    platform = probing.platform
    try:
        governance.release(platform.store, platform.ledger, "version", target, by, platform.clock())
    except CareplaneError:
        return False
    return True
