"""Signed drafts into the chart: artefact, Device and Provenance, each created conditionally so a repeat is harmless."""

from datetime import datetime

from msgspec.structs import replace

from careplane.connectors import FhirConnector
from careplane.errors import CareplaneError, Conflict, LedgerError, UpstreamError
from careplane.records.app import App
from careplane.records.run import Review, Run
from careplane.workflow.outages import reaching, utc_now
from careplane.workflow.pending import claim, paid, pending_write_backs, postpone
from careplane.workflow.records import load_run, replace_run, unwritten_runs
from careplane.workflow.resources import DEVICE_SYSTEM, RUN_SYSTEM, Signed, artefact, device, device_key, provenance
from careplane.workflow.runtime import Runtime


async def write_back(runtime: Runtime, run: Run) -> Run:
    """Write a signed run to the chart and record what came of it; the same again changes nothing.

    Raises:
        UpstreamError: the EHR failed; the run stays signed and unwritten, and waits for :func:`run_write_backs`.
    """
    app, review = runtime.apps(run.app), run.review
    if review is None or review.final_text is None or app.spec.output.kind == "text" or run.written:
        return run
    async with reaching(runtime.outages, "ehr", app.id):
        written = await _create(runtime.fhir, app, run, review, review.final_text)
    finished = replace(run, written=written)
    runtime.ledger.append(
        "run.written",
        at=review.at,
        run=run.id,
        app=run.app,
        actor=runtime.ledger.pseudonym(review.by),
        facts={"resource": app.spec.output.kind, "reference": runtime.ledger.pseudonym(written[0])},
    )
    if not replace_run(runtime.store, finished, run.status, lambda connection: paid(connection, run.id)):
        raise Conflict(f"The run {run.id} changed while it was written.")
    return load_run(runtime.store, run.id)


async def write_or_wait(runtime: Runtime, run: Run) -> Run:
    """Write a signed run, or leave it to the worker when the EHR fails: the signature holds either way."""
    try:
        return await write_back(runtime, run)
    except UpstreamError as error:
        postpone(runtime.store, run.id, plain(error), _now(runtime))
        return load_run(runtime.store, run.id)


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
            postpone(runtime.store, row.run, plain(error), _now(runtime))
    return written


def _now(runtime: Runtime) -> datetime:
    return runtime.outages.clock() if runtime.outages is not None else utc_now()


def plain(error: CareplaneError) -> str:
    """What went wrong, in words of ours: a text of the EHR may name a patient."""
    return "The record system is away." if isinstance(error, UpstreamError) else type(error).__name__


async def _create(fhir: FhirConnector, app: App, run: Run, review: Review, text: str) -> tuple[str, ...]:
    focus = await fhir.read(run.event.focus) if run.event.focus else None
    signed = Signed(app=app, run=run, text=text, by=review.by, at=review.at, focus=focus)
    maker = await fhir.create(
        device(app, synthetic=run.synthetic), if_none_exist=f"identifier={DEVICE_SYSTEM}|{device_key(app)}"
    )
    target = await fhir.create(artefact(signed), if_none_exist=f"identifier={RUN_SYSTEM}|{run.id}")
    proof = await fhir.create(provenance(signed, target, maker), if_none_exist=f"target={target}")
    return (target, proof, maker)
