"""What a person does with a run beside signing it: keep an edit, look at a source, report a problem, refresh the draft;
and afterwards amend the signed text, withdraw it, or let a held one go."""

from math import isfinite

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from careplane.change import post_request
from careplane.console.pages import sources
from careplane.console.pages.page import Page
from careplane.console.pages.review import load_mine
from careplane.console.visit import Visit
from careplane.errors import CareplaneError, ChartChanged, InputError, Refused, UpstreamError
from careplane.records.run import ChartChange, Edit, Run
from careplane.workflow import Runtime
from careplane.workflow.chart import fingerprint
from careplane.workflow.edits import keep_edit
from careplane.workflow.review import amend_run, confirm_held, held_changes, refresh_run, withdraw_run

PROBLEMS = {
    "wrong_fact": "Something in it is wrong",
    "wrong_patient": "It is about another patient",
    "unsafe": "It could harm somebody",
    "missing": "Something important is missing",
    "screen": "The screen or the app does not work",
}
MOST_SECONDS = 36_000.0


def keep(visit: Visit) -> Response:
    """Keep an edit under way; the answer says what is kept."""
    run = load_mine(visit)
    form = visit.form
    edit = Edit(
        run=run.id,
        person=visit.who,
        text=form.get("final_text", "").replace("\r\n", "\n"),
        n=_whole(form.get("n", "")),
        at=visit.context.wall_clock(),
        reason=form.get("reason", ""),
        comment=form.get("comment", ""),
        seconds=_seconds(form.get("seconds", "")),
        clicks=_whole(form.get("clicks", "") or "0"),
    )
    kept = keep_edit(visit.context.store, edit, visit.context.wall_clock())
    return JSONResponse({"n": kept.n, "at": f"{visit.context.wall_clock():%H:%M:%S}"})


async def source(visit: Visit) -> Response:
    return await sources.show(visit, await run_in_threadpool(load_mine, visit))


def problem(visit: Visit) -> Response:
    return _problem(visit, load_mine(visit))


def report(visit: Visit) -> Response:
    """Take a report: it stands on the board of requests, open until it is answered, and in the ledger."""
    run = load_mine(visit)
    try:
        what = visit.field("what")
        if what not in PROBLEMS:
            raise InputError("Choose what it is.", field="what")
        text = f"{PROBLEMS[what]}. {visit.field('text')}"
        made = post_request(visit.context.store, run.app, visit.who, "problem", text, visit.now, run.id, what)
    except InputError as error:
        return _problem(visit, run, error)
    ledger = visit.context.ledger
    facts = {"request": made.id, "what": what}
    ledger.append(
        "problem.reported", at=visit.now, run=run.id, app=run.app, actor=ledger.pseudonym(visit.who), facts=facts
    )
    page = f"/review/{run.id}" if run.status == "draft" else f"/review/{run.id}/done"
    return visit.go(f"{page}?reported={made.id}")


def _problem(visit: Visit, run: Run, error: InputError | None = None) -> Response:
    return visit.page(
        "problem_report.html",
        status=error.status if error else 200,
        run=run,
        kinds=PROBLEMS,
        error=error,
        form=visit.form,
    )


async def refresh(visit: Visit) -> Response:
    run = await run_in_threadpool(load_mine, visit)
    await refresh_run(_runtime(visit), run.id, visit.who, at=visit.now)
    return visit.go(f"/review/{run.id}?refreshed=1")


def amend_page(visit: Visit) -> Response:
    return _deed(visit, load_mine(visit), "amend")


def withdraw_page(visit: Visit) -> Response:
    return _deed(visit, load_mine(visit), "withdraw")


async def amend(visit: Visit) -> Response:
    run = await run_in_threadpool(load_mine, visit)
    form = visit.form
    try:
        await amend_run(
            _runtime(visit),
            run.id,
            form.get("final_text", "").replace("\r\n", "\n"),
            visit.who,
            form.get("reason", ""),
            at=visit.now,
            confirmed=form.get("confirmed", ""),
        )
    except (ChartChanged, InputError, Refused, UpstreamError) as error:
        return await run_in_threadpool(_deed, visit, run, "amend", error)
    return visit.go(f"/review/{run.id}/done?did=amend")


async def withdraw(visit: Visit) -> Response:
    run = await run_in_threadpool(load_mine, visit)
    form = visit.form
    try:
        await withdraw_run(
            _runtime(visit),
            run.id,
            visit.who,
            form.get("reason", ""),
            at=visit.now,
            confirmed=form.get("confirmed", ""),
        )
    except (ChartChanged, InputError, Refused, UpstreamError) as error:
        return await run_in_threadpool(_deed, visit, run, "withdraw", error)
    return visit.go(f"/review/{run.id}/done?did=withdraw")


def _deed(visit: Visit, run: Run, deed: str, error: CareplaneError | None = None) -> Response:
    return visit.page(
        f"{deed}.html",
        status=error.status if error else 200,
        run=run,
        app=visit.app(run.app),
        error=error,
        changes=error.changes if isinstance(error, ChartChanged) else (),
        confirm=error.fingerprint if isinstance(error, ChartChanged) else "",
        text=visit.form.get("final_text") or run.signed_text or "",
        reason=visit.form.get("reason", ""),
    )


async def held(visit: Visit) -> Response:
    """What keeps a signed text out of the chart."""
    run = await run_in_threadpool(load_mine, visit)
    return await run_in_threadpool(_held, visit, run, await held_changes(_runtime(visit), run))


async def let_go(visit: Visit) -> Response:
    """Write a held text over what the person has seen."""
    run = await run_in_threadpool(load_mine, visit)
    try:
        await confirm_held(_runtime(visit), run.id, visit.who, visit.form.get("confirmed", ""), at=visit.now)
    except ChartChanged as error:
        changes = tuple(one for one in error.changes if isinstance(one, ChartChange))
        return await run_in_threadpool(_held, visit, run, changes, error)
    return visit.go(f"/review/{run.id}/done?did=confirm")


def _held(visit: Visit, run: Run, changes: tuple[ChartChange, ...], error: CareplaneError | None = None) -> Response:
    return visit.page(
        "held.html",
        status=error.status if error else 200,
        run=run,
        app=visit.app(run.app),
        changes=changes,
        confirm=fingerprint(changes),
        error=error,
    )


def _runtime(visit: Visit) -> Runtime:
    if visit.context.runtime is None:
        raise Refused(["This console only shows runs; it does not change them."], "Use the one of careplane serve.")
    return visit.context.runtime


def _whole(text: str) -> int:
    if not (text.isdecimal() and len(text) < 16):
        raise InputError("must be a whole number", field="n")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text or "0")
    except ValueError:
        return 0.0
    return min(max(0.0, value), MOST_SECONDS) if isfinite(value) else 0.0


PAGES = (
    Page("/review/{run}/edit", keep, "review", "POST"),
    Page("/review/{run}/sources/{n}", source, "review"),
    Page("/review/{run}/problem", problem, "review"),
    Page("/review/{run}/problem", report, "review", "POST"),
    Page("/review/{run}/refresh", refresh, "review", "POST"),
    Page("/review/{run}/amend", amend_page, "review"),
    Page("/review/{run}/amend", amend, "review", "POST"),
    Page("/review/{run}/withdraw", withdraw_page, "review"),
    Page("/review/{run}/withdraw", withdraw, "review", "POST"),
    Page("/review/{run}/held", held, "review"),
    Page("/review/{run}/held", let_go, "review", "POST"),
)
