"""The doors, as a connected system knocks at them: what is fired goes over a socket, as it will on the first day.

Each door is one function from the world, the app, its trigger and the subject to the name under which the answer is
told. A kind without a door here is told as such, and its occurrence goes straight into the path behind the doors.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta

import httpx

from careplane.errors import UpstreamRejected
from careplane.gateway import issue_key
from careplane.records.app import App, TriggerKind
from careplane.records.run import Occurrence
from careplane.sandbox.simulate.clinical_doors import hl7v2, hook, subscription
from careplane.sandbox.simulate.knocking import NO_DOOR, SECONDS, Door, Knock
from careplane.sandbox.simulate.world import World
from careplane.server.launch_probes import STRAIGHT
from careplane.workflow.triggers import event_for


async def api(world: World, knock: Knock) -> str:
    """``POST /events`` with the app's key."""
    subject = knock.subject
    notice = {
        "id": f"simulated-{secrets.token_hex(8)}",
        "kind": knock.trigger.on,
        "patient": subject.patient,
        "encounter": subject.encounter,
        "focus": subject.focus,
        "unit": subject.unit,
        "user": knock.user,
    }
    await _post(world, knock.app, "/events", {name: value for name, value in notice.items() if value})
    return "POST /events"


async def chat(world: World, knock: Knock) -> str:
    """``POST /chat``: one question about a time."""
    subject = knock.subject
    turn = {"text": "Can I book a visit next week?", "unit": subject.unit, "focus": subject.focus}
    await _post(world, knock.app, "/chat", {name: value for name, value in turn.items() if value})
    return "POST /chat"


async def schedule(world: World, knock: Knock) -> str:
    """The next full minute, as if it were the scheduled one: what the durable worker does when its clock says so, for
    every unit with staff."""
    await world.durable.fire(knock.app.id, knock.at.replace(second=0, microsecond=0) + timedelta(minutes=1))
    return "the clock"


async def erp(world: World, knock: Knock) -> str:
    """A file dropped into the ERP's folder, with the one row of the sandbox's export that is about the subject."""
    rows = (world.dataset / "erp" / "claims.csv").read_text("utf-8").splitlines()
    own = [row for row in rows[1:] if f",{knock.trigger.on}," in row and f",{knock.subject.focus}," in row]
    if not own:
        return await straight(world, knock)
    name = f"claims-{secrets.token_hex(4)}.csv"
    (world.erp_folder / name).write_text("\n".join((rows[0], own[0], "")), "utf-8")
    (world.erp_folder / f"{name}.done").touch()
    return f"ERP file drop ({knock.trigger.on})"


async def straight(world: World, knock: Knock) -> str:
    """No door: the occurrence goes to the durable worker as a door would hand it over."""
    subject = knock.subject
    happened = Occurrence(
        id=f"simulated-{secrets.token_hex(8)}",
        kind=knock.trigger.kind,
        on=knock.trigger.on,
        at=knock.at,
        patient=subject.patient,
        encounter=subject.encounter,
        focus=subject.focus,
        unit=subject.unit,
        user=knock.user,
        source=STRAIGHT,
    )
    await world.durable.submit(event_for(knock.app.id, happened))
    return NO_DOOR


DOORS: Mapping[TriggerKind, Door] = {
    "hook": hook,
    "subscription": subscription,
    "hl7v2": hl7v2,
    "erp": erp,
    "schedule": schedule,
    "api": api,
    "chat": chat,
}


async def _post(world: World, app: App, path: str, body: Mapping[str, object]) -> None:
    """Post with a fresh key of the app.

    Raises:
        UpstreamRejected: the door refused it, with its own words.
    """
    key = issue_key(world.platform.store, app.id, world.platform.clock())
    async with httpx.AsyncClient(base_url=world.address, trust_env=False, timeout=SECONDS) as client:
        answer = await client.post(path, json=body, headers={"Authorization": f"Bearer {key}"})
    if answer.status_code >= 300:
        raise UpstreamRejected(f"{path} answered {answer.status_code}: {answer.text[:300]}")
