"""Workflow: the run of an app, one path for all triggers.

Trigger → permit → minimum context → sandboxed template → gateway → output checks → draft with sources → review →
write-back → three questions. Everything lands on one :class:`careplane.records.run.Run` and in the ledger.
"""

import importlib
from typing import TYPE_CHECKING

from careplane.workflow.records import find_runs, load_run, run_id
from careplane.workflow.review import review_run
from careplane.workflow.run import TRIAL_LABEL, preview, run_event
from careplane.workflow.runtime import Runtime
from careplane.workflow.survey import answer_survey, survey_due
from careplane.workflow.writeback import finish_write_backs

if TYPE_CHECKING:
    from careplane.workflow.durable import Durable

__all__ = [
    "TRIAL_LABEL",
    "Durable",
    "Runtime",
    "answer_survey",
    "find_runs",
    "finish_write_backs",
    "load_run",
    "preview",
    "review_run",
    "run_event",
    "run_id",
    "survey_due",
]


def __getattr__(name: str) -> object:
    """``Durable`` is loaded when it is asked for: its engine takes a second to import, and most commands need none."""
    if name == "Durable":
        return importlib.import_module("careplane.workflow.durable").Durable
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
