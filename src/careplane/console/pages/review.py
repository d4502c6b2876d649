"""The review inbox, and the desk: the draft on the left, its sources on the right, accept, edit or reject."""

from math import ceil, isfinite

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from careplane.change import trained
from careplane.console.draft import ACT_NOW, CHECK_NAMES, draft_lines
from careplane.console.pages.counts import count_drafts
from careplane.console.pages.leaving import leaving_message
from careplane.console.pages.names import names_of
from careplane.console.pages.page import Page
from careplane.console.pages.sources import source_rows
from careplane.console.visit import Visit
from careplane.errors import CareplaneError, ChartChanged, Conflict, InputError, Refused
from careplane.governance.ehrs import find_ehrs
from careplane.records.people import Role
from careplane.records.run import ReviewAction, Run, Survey
from careplane.workflow import find_runs, load_run, survey_due
from careplane.workflow.edits import kept_edit
from careplane.workflow.pending import pending_write_back, pending_write_backs
from careplane.workflow.records import find_run

PAGE_ROWS = 25
LONGEST_REVIEW_SECONDS = 3600.0
ACTIONS: tuple[ReviewAction, ...] = ("accept", "edit", "reject")
SEE_ALL: tuple[Role, ...] = ("owner",)


def inbox(visit: Visit) -> Response:
    named = visit.launch.run if visit.launch is not None and visit.query("wait") else None
    if named is not None and find_run(visit.context.store, named) is not None:
        return visit.go(f"/review/{named}")
    reviewer = _whose(visit)
    apps = None if visit.launch is None else visit.launch.apps
    total = count_drafts(visit.context.store, reviewer, visit.patient, apps)
    pages = max(1, ceil(total / PAGE_ROWS))
    page = min(max(1, visit.number("page", 1)), pages)
    waiting = find_runs(
        visit.context.store,
        app=apps,
        status="draft",
        reviewer=reviewer,
        patient=visit.patient,
        limit=PAGE_ROWS,
        offset=(page - 1) * PAGE_ROWS,
    )
    note_told(visit)
    return visit.page(
        "inbox.html",
        signed=[row for row in pending_write_backs(visit.context.store) if _is_mine(visit, row.run)],
        runs=waiting,
        total=total,
        page=page,
        pages=pages,
        everyone=reviewer is None,
        waits=named is not None,
        ehrs=() if visit.launch else find_ehrs(visit.context.store),
        names=names_of(visit.context.store, [run.event.user for run in waiting]),
    )


def desk(visit: Visit) -> Response:
    run = load_mine(visit)
    if run.status != "draft":
        return visit.go(f"/review/{run.id}/done")
    visit.context.ledger.append(
        "draft_viewed", at=visit.now, run=run.id, app=run.app, actor=visit.context.ledger.pseudonym(visit.who)
    )
    return _desk(visit, run)


async def answer(visit: Visit) -> Response:
    """Take a review. On an error the page comes back with everything that was typed."""
    run = await run_in_threadpool(load_mine, visit)
    form = visit.form
    action = next((name for name in ACTIONS if name == form.get("action")), None)
    try:
        if action is None:
            raise InputError("Choose accept, edit or reject.", field="action")
        await visit.context.review(
            run.id,
            action,
            visit.who,
            _seconds(form.get("seconds", ""), form.get("opened", ""), visit.context.wall_clock().timestamp()),
            _newlines(form.get("final_text", "")) if action == "edit" else None,
            form.get("reason") or None,
            form.get("comment", "").strip(),
            clicks=int(counted) if (counted := form.get("clicks", "")).isdecimal() and len(counted) < 7 else None,
            confirmed=form.get("confirmed", ""),
        )
    except ChartChanged as error:
        return await run_in_threadpool(_desk, visit, run, error)
    except Conflict:
        raise
    except CareplaneError as error:
        return await run_in_threadpool(_desk, visit, run, error)
    return visit.go(f"/review/{run.id}/done")


def done(visit: Visit) -> Response:
    run = load_mine(visit)
    app = visit.app(run.app)
    reviewed = run.review is not None and run.review.by == visit.who and run.survey is None
    ask = visit.query("did") == "" and reviewed and visit.context.answer_survey is not None
    return visit.page(
        "review_done.html",
        run=run,
        app=app,
        ask=ask and survey_due(visit.context.store, app, visit.who, visit.now),
        following=_following(visit),
        pending=pending_write_back(visit.context.store, run.id),
        did=visit.query("did"),
    )


def questions(visit: Visit) -> Response:
    """Take the answers to the three questions."""
    run = load_mine(visit)
    if visit.context.answer_survey is None or run.review is None or run.review.by != visit.who:
        raise Refused(["Only the person who reviewed a draft answers for it."], "Review a draft of your own first.")
    like, performance, easier = (_score(visit, name) for name in ("like", "performance", "easier"))
    comment = visit.form.get("comment", "").strip()[:2000]
    survey = Survey(like=like, performance=performance, easier=easier, comment=comment, at=visit.now)
    visit.context.answer_survey(run.id, survey)
    return visit.go("/review")


def _desk(visit: Visit, run: Run, error: CareplaneError | None = None) -> Response:
    app = visit.app(run.app)
    form = visit.form
    draft = run.draft
    edit = kept_edit(visit.context.store, run.id, visit.who)
    note_told(visit)
    lines = draft_lines(draft) if draft else []
    used = {n for line in lines for n in line.cites}
    sources = draft.sources if draft else ()
    findings = draft.findings if draft else ()
    return visit.page(
        "desk.html",
        status=error.status if error else 200,
        run=run,
        app=app,
        training=trained(visit.context.store, app, visit.who, visit.now),
        critical=[finding for finding in findings if finding.severity == "critical"],
        cited=[source for source in sources if source.n in used],
        others=[source for source in sources if source.n not in used],
        lines=lines,
        alarms=[finding for finding in findings if finding.check in ACT_NOW],
        whole=[finding for finding in findings if finding.sentence is None and finding.check not in ACT_NOW],
        check_names=CHECK_NAMES,
        error=error,
        changes=error.changes if isinstance(error, ChartChanged) else (),
        confirm=error.fingerprint if isinstance(error, ChartChanged) else "",
        rows={source.n: source_rows(run, source) for source in sources},
        seen={one.reference: one for one in run.seen},
        edit=edit,
        leaving=leaving_message(visit, app, run),
        text=form.get("final_text") or (edit.text if edit else draft.text if draft else ""),
        reason=form.get("reason", edit.reason if edit else ""),
        comment=form.get("comment", edit.comment if edit else ""),
        action=form.get("action", ""),
        reported=visit.query("reported"),
        opened=form.get("opened") or f"{visit.context.wall_clock().timestamp():.0f}",
    )


def load_mine(visit: Visit) -> Run:
    """The run of the path, which its reviewer and an owner may open.

    Raises:
        Refused: it is somebody else's.
    """
    run = load_run(visit.context.store, visit.path("run"))
    mine = _whose(visit)
    if mine is not None and mine not in (run.event.user, run.review.by if run.review else None):
        raise Refused(
            ["This draft was written for somebody else."], "Its reviewer, or the owner of the app, can open it."
        )
    return run


def note_told(visit: Visit) -> None:
    """A page that says what is away notes that this person was told."""
    runtime = visit.context.runtime
    if runtime is not None and runtime.outages is not None:
        runtime.outages.told(visit.who)


def _is_mine(visit: Visit, run_id: str) -> bool:
    run = find_run(visit.context.store, run_id)
    mine = _whose(visit)
    if run is None:
        return False
    if visit.launch is not None and (run.event.patient != visit.patient or run.app not in visit.launch.apps):
        return False
    return mine is None or (run.review is not None and run.review.by == mine)


def _whose(visit: Visit) -> str | None:
    """Whose drafts are shown: an account that stands for a clinician sees its own; an owner sees all."""
    return None if set(SEE_ALL) & set(visit.account.roles) else visit.who


def _following(visit: Visit) -> Run | None:
    """The draft to review next."""
    apps = None if visit.launch is None else visit.launch.apps
    waiting = find_runs(
        visit.context.store, app=apps, status="draft", reviewer=_whose(visit), patient=visit.patient, limit=1
    )
    return waiting[0] if waiting else None


def _seconds(counted: str, opened: str, now: float) -> float:
    """Active seconds: as counted in the browser, else since the page was opened; at most one hour."""
    active, since = _float(counted), _float(opened)
    seconds = active if active is not None else now - since if since is not None else 0.0
    return min(max(0.0, seconds), LONGEST_REVIEW_SECONDS)


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _newlines(text: str) -> str:
    """Browsers send CRLF in a textarea; a draft has LF."""
    return text.replace("\r\n", "\n")


def _score(visit: Visit, name: str) -> int:
    given = visit.field(name)
    if given not in ("1", "2", "3", "4", "5"):
        raise InputError("Choose a number from 1 to 5.", field=name)
    return int(given)


PAGES = (
    Page("/review", inbox, "review"),
    Page("/review/{run}", desk, "review"),
    Page("/review/{run}", answer, "review", "POST"),
    Page("/review/{run}/done", done, "review"),
    Page("/review/{run}/questions", questions, "review", "POST"),
)
