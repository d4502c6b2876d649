"""A source of a draft on its own page: the resource as the run saw it, and what of it is different now."""

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from careplane.codecs.fhir.rows import rows_of
from careplane.console.visit import Visit
from careplane.errors import NotFound, UpstreamError
from careplane.records.run import ChartChange, Run, Seen, Source
from careplane.workflow.chart import changes_since
from careplane.workflow.outages import reaching


def source_rows(run: Run, source: Source) -> list[tuple[str, str]]:
    """What the run saw of a source, as rows; empty for runs of before resources were kept."""
    seen = _seen(run, source)
    return rows_of(seen.data) if seen is not None and seen.data is not None else []


async def show(visit: Visit, run: Run) -> Response:
    """The page of one source of a run."""
    number = visit.path("n")
    sources = run.draft.sources if run.draft else ()
    source = next((one for one in sources if str(one.n) == number), None)
    if source is None:
        raise NotFound(f"This draft has no source {number}.")
    seen = _seen(run, source)
    now, asked = await _now(visit, run, seen)
    ledger = visit.context.ledger
    await run_in_threadpool(
        lambda: ledger.append("source_viewed", at=visit.now, run=run.id, app=run.app, actor=ledger.pseudonym(visit.who))
    )
    return await run_in_threadpool(
        lambda: visit.page(
            "source.html", run=run, source=source, seen=seen, rows=source_rows(run, source), now=now, asked=asked
        )
    )


async def _now(visit: Visit, run: Run, seen: Seen | None) -> tuple[ChartChange | None, bool]:
    """What is different in the chart now, and whether the chart could be asked."""
    runtime = visit.context.runtime
    if runtime is None or seen is None:
        return None, False
    try:
        async with reaching(runtime.outages, "ehr", run.app):
            changes = await changes_since(runtime.fhir, [seen])
    except UpstreamError:
        return None, False
    return (changes[0] if changes else None), True


def _seen(run: Run, source: Source) -> Seen | None:
    return next((one for one in run.seen if one.reference == source.reference), None)
