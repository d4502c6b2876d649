"""Signed drafts into the chart: artefact, Device and Provenance, each created conditionally so a repeat is harmless."""

import asyncio
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import Connection

from careplane.connectors import FhirConnector
from careplane.errors import (
    CareplaneError,
    ChartChanged,
    Conflict,
    LedgerError,
    UpstreamAway,
    UpstreamError,
    UpstreamTimeout,
)
from careplane.records.app import App
from careplane.records.run import Amendment, Review, Run
from careplane.workflow.amend import apply_deed, unwritten_deeds
from careplane.workflow.chart import changes_since, fingerprint, rests_on, version_of
from careplane.workflow.messaging import to_patient
from careplane.workflow.outages import reaching, utc_now
from careplane.workflow.pending import claim, paid, pending_write_back, pending_write_backs, postpone
from careplane.workflow.records import change_run, load_run, unwritten_runs
from careplane.workflow.resources import (
    CARD_SYSTEM,
    DEVICE_SYSTEM,
    RUN_SYSTEM,
    Signed,
    artefact,
    card_key,
    device,
    device_key,
    model_card,
    provenance,
)
from careplane.workflow.runtime import Runtime

WRITE_SECONDS = 20.0
"""How long a person waits for the chart; after that the worker goes on."""


async def write_back(runtime: Runtime, run: Run) -> Run:
    """Write what of a signed run is not in the chart yet, and record what came of it; again changes nothing.

    Raises:
        UpstreamError: the EHR failed; the run stays signed and unwritten, and waits for :func:`run_write_backs`.
        ChartChanged: the chart could not be asked when it was signed, and has changed: a person has to look.
        Conflict: a version in the chart is not the one that the person acted on.
    """
    app, review = runtime.apps(run.app), run.review
    if review is None or review.final_text is None or app.spec.output.kind == "text":
        return run
    if not run.written and not run.withdrawn:
        run = await _first(runtime, app, run, review, review.final_text)
    for deed in unwritten_deeds(run):
        run = await _deed(runtime, app, run, deed)
    return run


async def _first(runtime: Runtime, app: App, run: Run, review: Review, text: str) -> Run:
    async with reaching(runtime.outages, "ehr", app.id):
        if review.unchecked:
            await _look_again(runtime, run, text)
        read = await _read_by_patient(runtime, app, run, review.by, text)
        written = await _create(runtime.fhir, app, run, review, read)
        artefact_now = await runtime.fhir.read(written[0])
    landed = {} if artefact_now is None else {written[0]: version_of(artefact_now)}
    runtime.ledger.append(
        "run.written",
        at=review.at,
        run=run.id,
        app=run.app,
        actor=runtime.ledger.pseudonym(review.by),
        facts={"resource": app.spec.output.kind, "reference": runtime.ledger.pseudonym(written[0])},
    )
    return _recorded(runtime, run, replace(run, written=written, landed=landed))


async def _deed(runtime: Runtime, app: App, run: Run, deed: Amendment) -> Run:
    async with reaching(runtime.outages, "ehr", app.id):
        read = None if deed.text is None else await _read_by_patient(runtime, app, run, deed.by, deed.text)
        written, landed = await apply_deed(runtime.fhir, app, run, replace(deed, text=read))
    runtime.ledger.append(
        "run.amendment_written",
        at=deed.at,
        run=run.id,
        app=run.app,
        actor=runtime.ledger.pseudonym(deed.by),
        facts={"n": deed.n, "action": deed.action, "reference": runtime.ledger.pseudonym(written[0])},
    )
    done = tuple(replace(one, written=written) if one.n == deed.n else one for one in run.amendments)
    return _recorded(runtime, run, replace(run, amendments=done, landed={**run.landed, **landed}))


def _recorded(runtime: Runtime, before: Run, after: Run) -> Run:
    def also(connection: Connection) -> None:
        if not unwritten_deeds(after):
            paid(connection, after.id)

    if not change_run(runtime.store, before, after, also):
        raise Conflict(f"The run {before.id} changed while it was written.")
    return after


async def _look_again(runtime: Runtime, run: Run, text: str) -> None:
    """The chart was away when this was signed: look now, before it is written over what nobody has seen."""
    changes = await changes_since(runtime.fhir, rests_on(run, text))
    row = pending_write_back(runtime.store, run.id)
    seen = row.confirmed if row is not None else ""
    if changes and fingerprint(changes) != seen:
        raise ChartChanged("The chart changed before this could be written.", changes, fingerprint(changes))


async def write_or_wait(runtime: Runtime, run: Run) -> Run:
    """Write a signed run, or leave it to the worker when the EHR fails: the signature holds either way."""
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            return await write_back(runtime, run)
    except TimeoutError:
        postpone(runtime.store, run.id, "The record system is slow.", _now(runtime))
    except (UpstreamError, Conflict) as error:
        _postpone(runtime, run.id, error)
    return load_run(runtime.store, run.id)


def _postpone(runtime: Runtime, run: str, error: CareplaneError) -> None:
    """A failure is tried again after a pause; a conflict waits for a person."""
    told = plain(error)
    postpone(runtime.store, run, told, _now(runtime), held=told if isinstance(error, Conflict) else "")


async def finish_write_backs(runtime: Runtime) -> int:
    """Write what was signed before a crash or while the EHR failed, whatever its pause; says how many."""
    pending = unwritten_runs(runtime.store)
    finished = [await write_or_wait(runtime, run) for run in pending]
    return sum(bool(run.written) for run in finished)


async def run_write_backs(runtime: Runtime) -> int:
    """Write what is due, each by one process; says how many reached the chart."""
    written = 0
    for row in pending_write_backs(runtime.store, due=_now(runtime)):
        if not claim(runtime.store, row, _now(runtime)):
            continue
        try:
            await write_back(runtime, load_run(runtime.store, row.run))
            written += 1
        except LedgerError:
            raise
        except CareplaneError as error:
            _postpone(runtime, row.run, error)
    return written


def _now(runtime: Runtime) -> datetime:
    return runtime.outages.clock() if runtime.outages is not None else utc_now()


def plain(error: CareplaneError) -> str:
    """What went wrong, in words of ours: a text of the EHR may name a patient."""
    if isinstance(error, UpstreamAway | UpstreamTimeout):
        return "The record system is away."
    if isinstance(error, Conflict):
        return "The chart changed; a person has to look before anything is written over it."
    return "The record system did not take it."


async def _read_by_patient(runtime: Runtime, app: App, run: Run, signer: str, text: str) -> str:
    """What the chart shows to a patient has the disclosure in it; other texts stay as they were signed."""
    if runtime.patient_text is None or not to_patient(app, run):
        return text
    return await runtime.patient_text(run, text, signer)


async def _create(fhir: FhirConnector, app: App, run: Run, review: Review, text: str) -> tuple[str, ...]:
    focus = await fhir.read(run.event.focus) if run.event.focus else None
    signed = Signed(app=app, run=run, text=text, by=review.by, at=review.at, focus=focus)
    card = await fhir.create(
        model_card(app, synthetic=run.synthetic), if_none_exist=f"identifier={CARD_SYSTEM}|{card_key(app)}"
    )
    maker = await fhir.create(
        device(app, card, synthetic=run.synthetic), if_none_exist=f"identifier={DEVICE_SYSTEM}|{device_key(app)}"
    )
    target = await fhir.create(artefact(signed), if_none_exist=f"identifier={RUN_SYSTEM}|{run.id}")
    proof = await fhir.create(provenance(signed, target, maker), if_none_exist=f"target={target}")
    return (target, proof, maker)
