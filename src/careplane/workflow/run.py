"""The run of an app, one path for all triggers: permit, minimum context, prompt, gateway, checks, draft.

A run is stored once per app and event, refused and failed ones included, so exposure is known whether or not the app
spoke. Errors are stored as plain sentences of ours, never with text of an outside system, which may name a patient.
What waits for the disk holds no thread, so that runs at the same time share it.
"""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Awaitable

from msgspec.structs import replace

from careplane.errors import (
    CareplaneError,
    InputError,
    LedgerError,
    NotFound,
    Refused,
    ShieldError,
    StoreError,
    Superseded,
    UpstreamAway,
    UpstreamError,
    UpstreamLacks,
    UpstreamTimeout,
)
from careplane.governance import PermitRequest, data_policy, not_stopped, stopped
from careplane.governance import permit as ask
from careplane.ledger import LedgerRecord
from careplane.records.app import App
from careplane.records.design import Exposure
from careplane.records.run import Draft, Event, Permit, Run, Source
from careplane.shield.checks import Checked, sentences
from careplane.workflow.context import Context, read_context
from careplane.workflow.exposures import exposure_of, note, unspoken
from careplane.workflow.flights import alone
from careplane.workflow.outages import reaching
from careplane.workflow.prompt import model_request
from careplane.workflow.records import find_run, keep_new_run, run_id
from careplane.workflow.runtime import Runtime

OnRecord = Awaitable[LedgerRecord]

SAVE_TRIES = 60
SAVE_AGAIN_SECONDS = 1.0
TRIAL_LABEL = "trial: nothing was written to the chart"
_TRIAL_CHECKS = (not_stopped, data_policy)

_PLAIN: tuple[tuple[type[CareplaneError], str], ...] = (
    (ShieldError, "The PHI shield could not protect the text, so nothing was sent."),
    (UpstreamAway, "{away} The fallback: {fallback}"),
    (UpstreamTimeout, "The model or the record system did not answer in time."),
    (UpstreamError, "The model or the record system failed."),
    (Refused, "The gateway refused the call."),
    (NotFound, "Something that the app needs does not exist."),
    (InputError, "The prompt could not be filled in or exceeds its limits."),
)


async def run_event(runtime: Runtime, event: Event, *, waits: bool = False, said: str = "", fresh: bool = False) -> Run:
    """Run an app for an event; the same event again gives the run of the first time.

    ``said`` is the untrusted message that came with the event itself, as in a chat, instead of from the chart. With
    ``waits`` a run whose EHR or model is away is not stored as failed, so that it can be run later. While the same
    event is run in this process already, this waits and gives that run. ``fresh``: the caller looked, and there was
    none.

    Raises:
        UpstreamAway: only with ``waits``: nothing is stored, so the event can be run again.
        UpstreamLacks: who called did not bring what the app reads; nothing is stored, so the event can be run again.
        NotFound: no such app.
        LedgerError: the audit record could not be made durable; nothing is stored, so the event can be run again.
        StoreError: the database was away for longer than :func:`_saved` waits.
        Superseded: another worker took the event over; nothing is stored here.
    """
    app = runtime.apps(event.app)
    ident = run_id(app.id, event.id)
    async with alone(runtime.store, ident) as waited:
        known = find_run(runtime.store, ident) if waited or not fresh else None
        return known if known is not None else await _first_run(runtime, app, event, waits=waits, said=said)


async def _first_run(runtime: Runtime, app: App, event: Event, *, waits: bool, said: str) -> Run:
    ident = run_id(app.id, event.id)
    permit, placed = runtime.permit(app, event)
    run = _new_run(runtime, app, event, ident, permit)
    if placed is not None:
        run = replace(run, plan=placed.plan, arm=placed.arm)
    on_record = _record_permit(runtime, run)
    try:
        if permit.allowed:
            run = await _drafted(runtime, app, run, on_record, waits=waits, said=said)
    except (UpstreamAway, UpstreamLacks) as error:
        if placed is not None:  # an event of a plan is known, though no run tells of it yet
            told = unspoken(event, placed, "away" if isinstance(error, UpstreamAway) else "lacking")
            await asyncio.to_thread(note, runtime.store, told, runtime.writes)
        raise
    finally:
        await on_record
    return await _saved(runtime, run, None if placed is None else exposure_of(run, placed))


async def _saved(runtime: Runtime, run: Run, exposure: Exposure | None) -> Run:
    """Store a run. A database that is away for a moment costs patience, not the reply of the model."""
    for _ in range(SAVE_TRIES - 1):
        try:
            return await keep_new_run(runtime.store, run, runtime.writes, exposure)
        except StoreError:
            await asyncio.sleep(SAVE_AGAIN_SECONDS)
    return await keep_new_run(runtime.store, run, runtime.writes, exposure)


async def preview(runtime: Runtime, app: App, event: Event) -> Run:
    """A trial run: it needs no register row and nothing is stored, but the data policy and the kill switch hold, and
    shield, gateway, checks and ledger all take part.

    Raises:
        Refused: the app is stopped, or its data policy does not let data leave to this model.
        CareplaneError: any step failed, as itself.
    """
    halt = stopped(runtime.store, app.id, event.site, app.spec.version)
    permit = ask(PermitRequest(app=app, event=event, item=None, stopped=halt, region=runtime.region), _TRIAL_CHECKS)
    if not permit.allowed:
        raise Refused([reason.text for reason in permit.refusals], permit.refusals[0].way_out)
    ident = run_id(app.id, f"trial {event.id}")
    run = await _draft(runtime, app, _new_run(runtime, app, event, ident, permit))
    assert run.draft is not None  # noqa: S101 - what _draft returns has one
    return replace(run, draft=replace(run.draft, label=f"{run.draft.label} ({TRIAL_LABEL})"))


def _new_run(runtime: Runtime, app: App, event: Event, ident: str, permit: Permit) -> Run:
    return Run(
        id=ident,
        app=app.id,
        app_version=app.spec.version,
        app_hash=app.hash,
        event=event,
        status="draft" if permit.allowed else "refused",
        permit=permit,
        created_at=max(runtime.clock(), event.at),
        synthetic=runtime.synthetic,
    )


def _record_permit(runtime: Runtime, run: Run) -> OnRecord:
    event, ledger = run.event, runtime.ledger
    return ledger.append_async(
        "run.permitted" if run.permit.allowed else "run.refused",
        at=run.created_at,
        run=run.id,
        app=run.app,
        facts={
            "version": run.app_version,
            "trigger": event.kind,
            "event": ledger.pseudonym(event.id),
            "patient": ledger.pseudonym(event.patient) if event.patient else None,
            "user": ledger.pseudonym(event.user) if event.user else None,
            "unit": event.unit,
            "plan": run.plan,
            "arm": run.arm,
            "refused_by": ",".join(reason.rule for reason in run.permit.refusals) or None,
        },
    )


async def _drafted(
    runtime: Runtime, app: App, run: Run, on_record: OnRecord, *, waits: bool = False, said: str = ""
) -> Run:
    """The run with its draft, or failed with a sentence that says why."""
    try:
        return await _draft(runtime, app, run, said, on_record)
    except (LedgerError, StoreError, Superseded):
        raise
    except CareplaneError as error:
        if isinstance(error, UpstreamLacks) or (waits and isinstance(error, UpstreamAway)):
            raise
        sentence = next((text for kind, text in _PLAIN if isinstance(error, kind)), "The run failed.")
        sentence = sentence.format(away=error, fallback=app.spec.fallback)
        await runtime.ledger.append_async(
            "run.failed", at=runtime.clock(), run=run.id, app=run.app, facts={"error": type(error).__name__}
        )
        return replace(run, status="failed", error=sentence)


async def redraft(runtime: Runtime, app: App, run: Run) -> Run:
    """The run with a draft of the chart as it is now.

    Raises:
        CareplaneError: any step failed, as itself.
    """
    return await _draft(runtime, app, run)


async def _draft(runtime: Runtime, app: App, run: Run, said: str = "", on_record: OnRecord | None = None) -> Run:
    """``on_record`` is awaited before anything leaves to a model: a crash leaves no call without a permit on record."""
    context = await _context(runtime, app, run.event)
    context = dataclasses.replace(context, message=said or context.message)
    if on_record is not None:
        await on_record
    async with reaching(runtime.outages, "model", app.id):
        request = model_request(app, run.event, context, run.id)
        if run.calls:  # a draft that is written again is another call: the id of a call makes its repeat harmless
            request = replace(request, id=f"{request.id}-{len(run.calls) + 1}")
        reply = await runtime.complete(request)
    cut = reply.finish_reason == "length"
    draft = check_text(runtime, app, reply.text, context.sources, context.message, cut=cut)
    await _record_draft(runtime, run, draft, context)
    return replace(run, sources=context.sources, seen=context.seen, calls=(*run.calls, reply.call), draft=draft)


async def _context(runtime: Runtime, app: App, event: Event) -> Context:
    """What the app may read; a chart that came with the call says nothing of whether the EHR is there."""
    at, outside = runtime.clock(), runtime.region != "local"
    if runtime.reads is not None:
        return await read_context(runtime.reads, app, event, at=at, external=outside)
    async with reaching(runtime.outages, "ehr", app.id):
        return await read_context(runtime.fhir, app, event, at=at, external=outside)


def check_text(
    runtime: Runtime, app: App, text: str, sources: tuple[Source, ...], message: str, *, cut: bool = False
) -> Draft:
    """A text as a draft, with what the output checks saw in it; ``cut`` if the model stopped at its limit."""
    checked = Checked(
        text=text, sentences=sentences(text), sources=sources, output=app.spec.output, request_text=message, cut=cut
    )
    findings = tuple(runtime.checks(checked))
    return Draft(text=text, sentences=checked.sentences, sources=sources, findings=findings, message=message)


def _record_draft(runtime: Runtime, run: Run, draft: Draft, context: Context) -> OnRecord:
    severities = Counter(finding.severity for finding in draft.findings)
    return runtime.ledger.append_async(
        "run.drafted",
        at=runtime.clock(),
        run=run.id,
        app=run.app,
        facts={
            "draft": runtime.ledger.pseudonym(draft.text),
            "sources": len(context.sources),
            "withheld": context.withheld,
            "sentences": len(draft.sentences),
            "critical": severities["critical"],
            "caution": severities["caution"],
        },
    )
