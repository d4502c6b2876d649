"""Review: a person accepts, edits or rejects a draft; nothing reaches the chart before.

A finding of severity critical stands in the way of signing: the way out is to edit the text (it is checked again) or to
reject it. Who is not trained for the app cannot sign, and a stopped app cannot be signed for; rejecting is always open.
"""

import asyncio
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import Connection

from careplane.errors import ChartChanged, Conflict, InputError, Refused, UpstreamError
from careplane.governance import stopped
from careplane.records.app import App
from careplane.records.run import ChartChange, Draft, Reason, Review, ReviewAction, Run, RunStatus
from careplane.workflow.amend import chart_now, check_reason, take_deed, unwritten_deeds
from careplane.workflow.chart import changes_since, fingerprint, rests_on
from careplane.workflow.difference import token_distance, unified_diff
from careplane.workflow.edits import drop_edits
from careplane.workflow.messaging import queue
from careplane.workflow.outages import reaching, utc_now
from careplane.workflow.pending import let_go, owe, pending_write_back
from careplane.workflow.records import change_run, load_run, replace_run
from careplane.workflow.run import check_text, redraft
from careplane.workflow.runtime import Runtime
from careplane.workflow.writeback import write_or_wait

LOOK_SECONDS = 8.0
"""How long a person who signs waits for the chart to be looked at."""

_OF_MODELS = frozenset({"truncated"})
"""Checks for faults that only a model's text can have: people may end with their name and no full stop."""

_STATUS: dict[ReviewAction, RunStatus] = {"accept": "accepted", "edit": "edited", "reject": "rejected"}


async def review_run(
    runtime: Runtime,
    run_id: str,
    action: ReviewAction,
    by: str,
    seconds: float,
    *,
    at: datetime,
    final_text: str | None = None,
    reason: str | None = None,
    comment: str = "",
    clicks: int | None = None,
    confirmed: str = "",
) -> Run:
    """Record a review and, when the draft was signed, write it back.

    Args:
        runtime: the seams.
        run_id: a run with a draft that nobody has reviewed.
        action: ``accept`` takes the draft as it is, ``edit`` needs ``final_text``, ``reject`` needs ``reason``.
        by: the reference of the person who reviews.
        seconds: active time of the review.
        at: when, aware.
        final_text: the text that is signed instead of the draft.
        reason: one of the app's reasons, or own words.
        comment: free text.
        clicks: clicks and key commands; ``None`` when nobody counted.
        confirmed: the fingerprint of the changes of the chart that the person has seen and signs over.

    Raises:
        NotFound: no such run.
        Conflict: it was reviewed meanwhile, or has no draft.
        InputError: the text or the reason that the action needs is missing.
        ChartChanged: the focus or a source is not what the draft rests on; nothing was signed.
        Refused: a critical finding stands, the app is stopped, or the person is not trained for it.

    When the EHR fails after the signature, the run is signed and not written yet: a worker makes up for it.
    """
    run = load_run(runtime.store, run_id)
    if run.status != "draft" or run.draft is None:
        raise Conflict(f"This run is {run.status}, so there is no draft to review. Reload to see what happened.")
    app = runtime.apps(run.app)
    text = _final_text(run.draft, action, final_text, reason)
    if seconds < 0:
        raise InputError("must not be negative", field="seconds")
    if text is not None:
        _may_sign(runtime, app, run, run.draft, text, runtime.may_sign(app, by, at))
    changes, unchecked = await _changes(runtime, run, text) if text is not None else ((), False)
    if changes and fingerprint(changes) != confirmed:
        raise ChartChanged("The chart changed since this draft was written.", changes, fingerprint(changes))
    review = Review(
        action=action,
        by=by,
        at=at,
        seconds=seconds,
        reason=reason,
        comment=comment,
        final_text=text,
        diff=unified_diff(run.draft.text, text) if text is not None else "",
        distance=token_distance(run.draft.text, text) if text is not None else 0.0,
        clicks=clicks,
        despite=tuple(change.reference for change in changes),
        unchecked=unchecked,
    )
    claimed = _claim(runtime, app, run, review)
    drop_edits(runtime.store, run.id)
    return await write_or_wait(runtime, claimed)


async def _changes(runtime: Runtime, run: Run, text: str) -> tuple[tuple[ChartChange, ...], bool]:
    """What changed in the chart since the draft, and whether the chart could not be asked.

    An EHR that is away does not keep a person from signing: then it is looked at before it is written.
    """
    seen = rests_on(run, text)
    try:
        async with asyncio.timeout(LOOK_SECONDS), reaching(runtime.outages, "ehr", run.app):
            return await changes_since(runtime.fhir, seen), False
    except (TimeoutError, UpstreamError):
        return (), bool(seen)


async def amend_run(
    runtime: Runtime,
    run_id: str,
    text: str,
    by: str,
    reason: str,
    *,
    at: datetime,
    confirmed: str = "",
) -> Run:
    """Sign another text in the place of a signed one; the chart says that it was amended, and by whom.

    Raises:
        NotFound: no such run.
        InputError: no text, the same text, or no reason.
        Conflict: nothing signed stands, or its last text is not in the chart yet.
        ChartChanged: somebody else changed it in the chart; nothing was done.
        Refused: a critical finding stands, the app is stopped, or the person may not sign.
        UpstreamAway: the EHR is away, so nobody can see what they would change.
    """
    run = load_run(runtime.store, run_id)
    app = runtime.apps(run.app)
    if not text.strip():
        raise InputError("An amendment needs the text that is signed.", field="final_text")
    told = check_reason(reason)
    if run.draft is not None:
        _may_sign(runtime, app, run, run.draft, text, runtime.may_sign(app, by, at))
    return await write_or_wait(runtime, await take_deed(runtime, app, run, by, told, at, text, confirmed))


async def withdraw_run(
    runtime: Runtime, run_id: str, by: str, reason: str, *, at: datetime, confirmed: str = ""
) -> Run:
    """Withdraw what was signed: it stays in the chart, marked as entered in error, with who and why.

    A stopped app can be withdrawn from. What was signed and never reached the chart will not be written.

    Raises:
        NotFound: no such run.
        InputError: no reason.
        Conflict: nothing signed stands.
        ChartChanged: somebody else changed it in the chart; nothing was done.
        Refused: the person may not sign.
        UpstreamAway: the EHR is away, so nobody can see what they would change.
    """
    run = load_run(runtime.store, run_id)
    app = runtime.apps(run.app)
    told = check_reason(reason)
    trained = runtime.may_sign(app, by, at)
    if not trained.allowed:
        raise Refused([trained.text], trained.way_out)
    return await write_or_wait(runtime, await take_deed(runtime, app, run, by, told, at, None, confirmed))


async def held_changes(runtime: Runtime, run: Run) -> tuple[ChartChange, ...]:
    """What keeps a signed text out of the chart until a person has seen it.

    Raises:
        UpstreamAway: the EHR is away.
    """
    if run.written:
        return (await chart_now(runtime, runtime.apps(run.app), run))[1]
    async with reaching(runtime.outages, "ehr", run.app):
        return await changes_since(runtime.fhir, rests_on(run, run.review.final_text or "" if run.review else ""))


async def confirm_held(runtime: Runtime, run_id: str, by: str, confirmed: str, *, at: datetime) -> Run:
    """Write what was held, by a person who has seen what changed.

    Raises:
        Conflict: nothing is held.
        ChartChanged: it changed once more; nothing was written.
        Refused: the person may not sign.
    """
    run = load_run(runtime.store, run_id)
    app = runtime.apps(run.app)
    trained = runtime.may_sign(app, by, at)
    if not trained.allowed:
        raise Refused([trained.text], trained.way_out)
    row = pending_write_back(runtime.store, run.id)
    if row is None or not row.held:
        raise Conflict("Nothing is held here any more. Reload to see what happened.")
    changes = await held_changes(runtime, run)
    if fingerprint(changes) != confirmed:
        raise ChartChanged("The chart changed once more.", changes, fingerprint(changes))
    despite = tuple(change.reference for change in changes)
    run = await _based_on_now(runtime, app, run, despite)
    runtime.ledger.append(
        "run.confirmed",
        at=at,
        run=run.id,
        app=run.app,
        actor=runtime.ledger.pseudonym(by),
        facts={"changes": len(changes)},
    )
    let_go(runtime.store, run.id, confirmed)
    return await write_or_wait(runtime, run)


async def _based_on_now(runtime: Runtime, app: App, run: Run, despite: tuple[str, ...]) -> Run:
    """The run whose open deeds are based on the versions that the person has just seen."""
    waits = {one.n for one in unwritten_deeds(run)}
    if not waits:
        return run
    versions, _ = await chart_now(runtime, app, run)
    deeds = tuple(replace(one, base=versions, despite=despite) if one.n in waits else one for one in run.amendments)
    changed = replace(run, amendments=deeds)
    if not change_run(runtime.store, run, changed):
        raise Conflict("This run changed meanwhile. Reload to see what happened.")
    return changed


async def refresh_run(runtime: Runtime, run_id: str, by: str, *, at: datetime) -> Run:
    """Write the draft again from the chart as it is now; the run keeps its id, and its cost adds up.

    Raises:
        Conflict: it was reviewed, or refreshed by somebody else meanwhile.
        Refused: the app may not run any more.
        CareplaneError: any step failed; the draft that was there stays.
    """
    run = load_run(runtime.store, run_id)
    if run.status != "draft":
        raise Conflict(f"This run is {run.status}, so there is no draft to refresh.")
    app = runtime.apps(run.app)
    permit, _ = runtime.permit(app, run.event)
    if not permit.allowed:
        raise Refused([reason.text for reason in permit.refusals], permit.refusals[0].way_out)
    again = await redraft(runtime, app, run)
    if not change_run(runtime.store, run, again):
        raise Conflict("This run changed meanwhile. Reload to see what happened.")
    facts = {"calls": len(again.calls)}
    runtime.ledger.append(
        "run.refreshed", at=at, run=run.id, app=run.app, actor=runtime.ledger.pseudonym(by), facts=facts
    )
    return again


def _final_text(draft: Draft, action: ReviewAction, final_text: str | None, reason: str | None) -> str | None:
    """What is signed; ``None`` when the draft is rejected."""
    if action == "reject":
        if not (reason or "").strip():
            raise InputError("A rejection needs a reason.", field="reason")
        return None
    if action == "accept":
        if final_text is not None and final_text.strip() != draft.text.strip():
            raise InputError("The text was changed: sign it as an edit.", field="final_text")
        return draft.text
    if not (final_text or "").strip():
        raise InputError("An edit needs the text that is signed.", field="final_text")
    return final_text


def _may_sign(runtime: Runtime, app: App, run: Run, draft: Draft, text: str, trained: Reason) -> None:
    if not trained.allowed:
        raise Refused([trained.text], trained.way_out)
    halt = stopped(runtime.store, run.app, run.event.site, run.app_version)
    if halt is not None:
        raise Refused([f"The app is stopped: {halt}"], "Reject the draft, or work the manual way.")
    findings = check_text(runtime, app, text, draft.sources, draft.message).findings
    if text == draft.text:
        findings = (*draft.findings, *findings)
    else:
        findings = tuple(finding for finding in findings if finding.check not in _OF_MODELS)
    critical = dict.fromkeys(finding.text for finding in findings if finding.severity == "critical")
    if critical:
        raise Refused(tuple(critical), "Edit the text so that this no longer stands, or reject the draft.")


def _claim(runtime: Runtime, app: App, run: Run, review: Review) -> Run:
    """The run as reviewed: recorded, and taken by exactly one reviewer."""
    reviewed = replace(run, status=_STATUS[review.action], review=review)
    owed = review.final_text is not None and app.spec.output.kind != "text"

    def also(connection: Connection) -> None:
        if owed:
            owe(connection, run.id, run.app, runtime.outages.clock() if runtime.outages else utc_now())
        if runtime.patient_text is not None:
            queue(connection, app, reviewed, review.at)

    if not replace_run(runtime.store, reviewed, "draft", also):
        raise Conflict("Somebody else reviewed this draft meanwhile. Reload to see what happened.")
    runtime.ledger.append(
        "run.reviewed",
        at=review.at,
        run=run.id,
        app=run.app,
        actor=runtime.ledger.pseudonym(review.by),
        facts={
            "action": review.action,
            "seconds": review.seconds,
            "clicks": review.clicks,
            "despite": len(review.despite),
            "unchecked": review.unchecked,
            "distance": round(review.distance, 4),
            "signed": None if review.final_text is None else runtime.ledger.pseudonym(review.final_text),
        },
    )
    return reviewed
