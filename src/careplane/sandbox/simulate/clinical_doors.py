"""The doors of clinical systems: the EHR's hook call, its Subscription, and a message of HL7 v2 over MLLP."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from uuid import uuid4

from careplane._shelf import load
from careplane.codecs.fhir.elements import as_list, as_object
from careplane.errors import UpstreamError, UpstreamRejected, UpstreamTimeout
from careplane.governance.cds_trust import trust_client
from careplane.records import JSON
from careplane.sandbox.cds_client import CdsClient, prefetch_of
from careplane.sandbox.resources import IDENTIFIERS
from careplane.sandbox.simulate.knocking import SECONDS, Knock
from careplane.sandbox.simulate.world import World
from careplane.workflow.subscriptions import find_subscribed

_LOOK_SECONDS = 0.1


async def hook(world: World, knock: Knock) -> str:
    """A signed call of the app's own service, with what its discovery asks to have along."""
    with CdsClient(world.address) as ehr:
        trust = ehr.trust(fhir=world.ehr_url, own_reads=True)
        await asyncio.to_thread(trust_client, world.platform.store, world.platform.ledger, trust)
        service = _service(await ehr.discover(), knock)
        context = _context(knock)
        along = await prefetch_of(service, context, world.platform.fhir)
        reply = await ehr.call(str(service["id"]), knock.trigger.on, context, prefetch=along)
    return f"CDS Hooks call of /cds-services/{service['id']}: {len(reply.cards)} card(s)"


def _service(services: Sequence[JSON], knock: Knock) -> JSON:
    found = [one for one in services if one["hook"] == knock.trigger.on and one["id"] == knock.app.id]
    if not found:
        raise UpstreamRejected(f"Discovery lists no service of {knock.app.id} for {knock.trigger.on}.")
    return found[0]


def _context(knock: Knock) -> JSON:
    """The context of the hook, as CDS Hooks' library of hooks has it."""
    subject = knock.subject
    context: JSON = {"userId": knock.user, "patientId": _id(subject.patient), "encounterId": _id(subject.encounter)}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": subject.resource}]}
    if knock.trigger.on in ("order-sign", "order-select"):
        context["draftOrders"] = bundle
        if knock.trigger.on == "order-select":
            context["selections"] = [subject.focus]
    elif knock.trigger.on == "appointment-book":
        context["appointments"] = bundle
    return {name: value for name, value in context.items() if value}


async def subscription(world: World, knock: Knock) -> str:
    """The resource comes into being at the EHR (or changes there), and the EHR's own Subscription tells of it."""
    kind, _, what = knock.trigger.on.partition(".")
    await _subscribed(world, kind)
    resource = knock.subject.resource or {}
    if what == "updated":
        await world.platform.fhir.update(resource)
    else:
        fresh = {name: value for name, value in resource.items() if name not in ("id", "meta")}
        await world.platform.fhir.create({**fresh, "meta": {"tag": as_object(resource.get("meta")).get("tag", [])}})
    return f"Subscription of the EHR to {kind}"


async def _subscribed(world: World, kind: str) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if any(one.type == kind and one.remote for one in find_subscribed(world.platform.store)):
            return
        await asyncio.sleep(_LOOK_SECONDS)
    raise UpstreamTimeout(f"The server made no Subscription to {kind} within {SECONDS:.0f} seconds.")


async def hl7v2(world: World, knock: Knock) -> str:
    """A message over MLLP, about the subject's patient and visit, acknowledged before anything runs."""
    fhir, subject = world.platform.fhir, knock.subject
    patient = await fhir.read(subject.patient) if subject.patient else None
    visit = await fhir.read(subject.encounter) if subject.encounter else None
    if patient is None or visit is None:
        raise UpstreamError("The message needs a patient and a visit.")
    sender = load("connectors", "hl7v2_mllp").open({"host": "127.0.0.1", "port": str(world.mllp_port)})
    try:
        answer = await sender.send(_message(knock, patient, visit))
    finally:
        await sender.aclose()
    if answer is None or answer.code != "AA":
        raise UpstreamRejected(f"The listener answered {answer.code if answer else 'nothing'}.")
    return f"MLLP message {knock.trigger.on}, acknowledged AA"


def _message(knock: Knock, patient: JSON, visit: JSON) -> bytes:
    """An ADT-like message: who, which visit, where; other types get the same segments."""
    kind, _, event = knock.trigger.on.partition("^")
    event = "A08" if event == "*" else event
    now = f"{knock.at:%Y%m%d%H%M%S}"
    name = as_object(next(iter(as_list(patient.get("name"))), {}))
    given = " ".join(map(str, as_list(name.get("given"))))
    born = str(patient.get("birthDate", "")).replace("-", "")
    sex = str(patient.get("gender", "u"))[:1].upper()
    place = (knock.subject.unit or "").rpartition("/")[2]
    segments = (
        f"MSH|^~\\&|EHR|SANDBOX|CAREPLANE|HUB|{now}||{kind}^{event}^{kind}_{event}|SIM{uuid4().hex[:16]}|P|2.5.1",
        f"EVN|{event}|{now}",
        f"PID|1||{_identifier(patient, 'mrn')}^^^MRN^MR||{name.get('family', '')}^{given}||{born}|{sex}",
        _fields("PV1", {2: "I", 3: place, 19: f"{_identifier(visit, 'visit')}^^^VISIT^VN", 45: now}),
    )
    return ("\r".join(segments) + "\r").encode()


def _identifier(resource: JSON, system: str) -> str:
    held = [as_object(one) for one in as_list(resource.get("identifier"))]
    return next((str(one["value"]) for one in held if one.get("system") == IDENTIFIERS + system), secrets.token_hex(4))


def _fields(name: str, fields: dict[int, str]) -> str:
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def _id(reference: str | None) -> str | None:
    return reference.rpartition("/")[2] if reference else None
