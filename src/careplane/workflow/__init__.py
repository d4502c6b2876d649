"""Workflow: the run of an app, one path for all triggers.

Trigger → permit → minimum context → sandboxed template → gateway → output checks → draft with sources → review →
write-back → three questions. Everything lands on one :class:`careplane.records.run.Run` and in the ledger. The durable
worker is :mod:`careplane.workflow.durable`, apart because its engine takes a second to import.
"""

from careplane.workflow.records import about_patient, find_runs, load_run, run_id
from careplane.workflow.review import review_run
from careplane.workflow.run import TRIAL_LABEL, preview, run_event
from careplane.workflow.runtime import Runtime
from careplane.workflow.survey import answer_survey, survey_due
from careplane.workflow.writeback import finish_write_backs, run_write_backs

__all__ = [
    "TRIAL_LABEL",
    "Runtime",
    "about_patient",
    "answer_survey",
    "find_runs",
    "finish_write_backs",
    "load_run",
    "preview",
    "review_run",
    "run_event",
    "run_id",
    "run_write_backs",
    "survey_due",
]
