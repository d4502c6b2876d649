"""Review: a person accepts, edits or rejects a draft; nothing reaches the chart before.

A finding of severity critical stands in the way of signing: the way out is to edit the text (it is checked again) or to
reject it. Who is not trained for the app cannot sign, and a stopped app cannot be signed for; rejecting is always open.
"""

from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import Connection

from careplane.errors import Conflict, InputError, Refused
from careplane.governance import stopped
from careplane.records.app import App
from careplane.records.run import Draft, Reason, Review, ReviewAction, Run, RunStatus
from careplane.workflow.difference import token_distance, unified_diff
from careplane.workflow.outages import utc_now
from careplane.workflow.pending import owe
from careplane.workflow.records import load_run, replace_run
from careplane.workflow.run import check_text
from careplane.workflow.runtime import Runtime
from careplane.workflow.writeback import write_or_wait

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

    Raises:
        NotFound: no such run.
        Conflict: it was reviewed meanwhile, or has no draft.
        InputError: the text or the reason that the action needs is missing.
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
    )
    return await write_or_wait(runtime, _claim(runtime, app, run, review))


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
            "distance": round(review.distance, 4),
            "signed": None if review.final_text is None else runtime.ledger.pseudonym(review.final_text),
        },
    )
    return reviewed
