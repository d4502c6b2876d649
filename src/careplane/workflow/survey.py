"""The three questions: I like it, it performs, it makes my work easier."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from careplane.errors import Conflict, InputError
from careplane.records.app import App
from careplane.records.run import Run, Survey
from careplane.store import Store
from careplane.workflow.records import REVIEWED, find_runs, load_run, replace_run
from careplane.workflow.runtime import Runtime


def survey_due(store: Store, app: App, user: str, at: datetime) -> bool:
    """Whether to ask a user now: after the nth use of the app, and at most once per period over all apps."""
    rule = app.spec.survey
    reviewed = find_runs(store, status=REVIEWED, reviewer=user, limit=None)
    if sum(run.app == app.id for run in reviewed) < rule.after_uses:
        return False
    since = at - timedelta(days=rule.every_days)
    answered = [run.survey.at for run in reviewed if run.survey is not None and run.survey.at is not None]
    return all(moment <= since for moment in answered)


def answer_survey(runtime: Runtime, run_id: str, survey: Survey) -> Run:
    """Keep the answers of the person who reviewed a run.

    Raises:
        NotFound: no such run.
        InputError: an answer is not 1-5.
        Conflict: the run was not reviewed, or was answered already.
    """
    for field in ("like", "performance", "easier"):
        if not 1 <= getattr(survey, field) <= 5:
            raise InputError("must be 1, 2, 3, 4 or 5", field=field)
    run = load_run(runtime.store, run_id)
    if run.review is None or run.survey is not None:
        raise Conflict("These questions were answered already, or the draft was not reviewed.")
    answered = replace(run, survey=replace(survey, at=survey.at or runtime.clock()))
    runtime.ledger.append(
        "survey.answered",
        at=runtime.clock(),
        run=run.id,
        app=run.app,
        actor=runtime.ledger.pseudonym(run.review.by),
        facts={"like": survey.like, "performance": survey.performance, "easier": survey.easier},
    )
    if not replace_run(runtime.store, answered, run.status):
        raise Conflict("The run changed meanwhile; reload and answer again.")
    return answered
