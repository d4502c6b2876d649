"""The probe of the in-workflow launch: can what the manifest declares start the app now?

An event that came by the declared door within a week is the best evidence. Without one, the door itself is asked: is
the hook in discovery and is an EHR trusted to call it, does the port of HL7 v2 answer, has the clock a unit to start
in, has the app a key.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

from careplane import gateway
from careplane.governance.cds_trust import find_trusts
from careplane.records.app import Trigger, TriggerKind
from careplane.server.cds_services import hook_services, stages_of
from careplane.server.integration_probes import Answer, Probing, fail, passed, recent_runs, unmeasured
from careplane.server.schedules import posts
from careplane.workflow.subscriptions import find_subscribed

RECENT = timedelta(days=7)
STRAIGHT = "simulation"
"""The source of an event that a simulation put behind the doors: no evidence that a door works."""

_CONNECT_SECONDS = 5.0
_RANK = {"pass": 0, "fail": 1, "not_measured": 2}

ProbeOfKind = Callable[[Probing, Trigger], Awaitable[Answer]]


async def in_workflow_launch(probing: Probing) -> Answer:
    """The best answer of the app's triggers; where none passes, what each of them lacks."""
    answers = [await _trigger(probing, trigger) for trigger in probing.app.spec.starts]
    best = min(answers, key=lambda answer: _RANK[answer.state])
    if best.state == "pass":
        return best
    evidence, ways = (dict.fromkeys(getattr(one, name) for one in answers) for name in ("evidence", "way_out"))
    return Answer(best.state, " ".join(evidence), " Or: ".join(ways))


async def _trigger(probing: Probing, trigger: Trigger) -> Answer:
    if trigger.kind in ("chat", "manual"):
        return fail(
            f"It is started by {trigger.kind}, which is not where the work is.",
            "Declare a trigger that an EHR, a schedule or another system starts.",
        )
    came = await asyncio.to_thread(_came, probing, trigger)
    if came is not None:
        return came
    probe = _PROBES.get(trigger.kind)
    if probe is None:
        return unmeasured(
            f"No {trigger.kind} event came within {RECENT.days} days.",
            f"Try it: careplane app simulate {probing.app.id}; then let the connected system send one.",
        )
    return await probe(probing, trigger)


def _came(probing: Probing, trigger: Trigger) -> Answer | None:
    since = probing.platform.clock() - RECENT
    for run in recent_runs(probing):
        knocked = run.event.door == trigger.kind and run.event.source != STRAIGHT
        if knocked and run.created_at >= since and run.permit.allowed:
            return passed(
                f"An event by {trigger.kind} ({run.event.kind}) started it on {run.created_at:%Y-%m-%d %H:%M}."
            )
    return None


async def _hook(probing: Probing, trigger: Trigger) -> Answer:
    store = probing.platform.store
    services = hook_services(probing.platform.apps, await asyncio.to_thread(stages_of, store))
    if not any(probing.app in service.apps for service in services if service.said.hook == trigger.on):
        return fail(f"Discovery lists no service of it for {trigger.on}.", "Move the app to a stage that runs.")
    trusted = await asyncio.to_thread(find_trusts, store)
    if not trusted:
        return fail("No EHR is trusted to call hooks.", "careplane cds trust add")
    return passed(f"Discovery lists it for {trigger.on}, and {len(trusted)} EHR(s) may call.")


async def _hl7v2(probing: Probing, trigger: Trigger) -> Answer:
    settings = probing.platform.settings
    host, port = settings.text("mllp_host"), int(settings.number("mllp_port"))
    if not port:
        return fail("This installation does not listen for HL7 v2.", "Set mllp_port.")
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _CONNECT_SECONDS)
    except (OSError, TimeoutError):
        return fail(f"Nothing answers on the MLLP port {port}.", "Start: careplane serve")
    writer.close()
    return passed(f"The MLLP port {port} took a connection; {trigger.on} starts it.")


async def _schedule(probing: Probing, trigger: Trigger) -> Answer:
    found = await asyncio.to_thread(posts, probing.platform, probing.app, trigger)
    if not found:
        return fail(
            f"At its time ({trigger.cron}) it would start in no unit.",
            f"Move it to a stage that runs, and put {', '.join(trigger.jobs)} on the staff list.",
        )
    return passed(f"At its time ({trigger.cron}) the clock starts it in {len(found)} unit(s).")


async def _subscription(probing: Probing, trigger: Trigger) -> Answer:
    kind = trigger.on.partition(".")[0]
    held = await asyncio.to_thread(find_subscribed, probing.platform.store)
    if not any(one.type == kind and one.remote for one in held):
        return fail(f"No Subscription to {kind} is held at the EHR.", "Set fhir_base_url and public_url, and serve.")
    return passed(f"A Subscription to {kind} is held at the EHR; {trigger.on} starts it.")


async def _erp(probing: Probing, trigger: Trigger) -> Answer:
    path = probing.platform.settings.text("erp_path")
    if not path or not await asyncio.to_thread(Path(path).is_dir):
        return fail("There is no folder into which the ERP drops files.", "Set erp_path to a folder.")
    return passed(f"The folder of the ERP is read; {trigger.on} starts it.")


async def _api(probing: Probing, trigger: Trigger) -> Answer:
    keys = await asyncio.to_thread(gateway.list_keys, probing.platform.store, probing.app.id)
    valid = [key for key in keys if key.revoked_at is None]
    if not valid:
        return fail("No system has a key to post its events.", f"careplane key issue {probing.app.id}")
    return passed(f"{len(valid)} key(s) may post {trigger.on} to /events.")


_PROBES: Mapping[TriggerKind, ProbeOfKind] = {
    "hook": _hook,
    "subscription": _subscription,
    "hl7v2": _hl7v2,
    "erp": _erp,
    "schedule": _schedule,
    "api": _api,
}
