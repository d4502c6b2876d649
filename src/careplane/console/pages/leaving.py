"""What the patient would get of a draft that is being reviewed: for the desk."""

import asyncio

from anyio import from_thread

from careplane.console.visit import Visit
from careplane.errors import CareplaneError
from careplane.records import Record
from careplane.records.app import App
from careplane.records.run import Run
from careplane.workflow.messaging import Planned, to_patient

WAIT_SECONDS = 3.0
"""A desk opens without this rather than later."""


class Leaving(Record, frozen=True):
    """The plan of a message, or why there is none to show."""

    planned: Planned | None
    why: str = ""


def leaving_message(visit: Visit, app: App, run: Run) -> Leaving | None:
    """The message that the draft as it stands would become; ``None`` where the text is not for the patient."""
    plan = visit.context.plan_message
    if plan is None or run.draft is None or not to_patient(app, run):
        return None
    text = run.draft.text

    async def bounded() -> Planned:
        async with asyncio.timeout(WAIT_SECONDS):
            return await plan(run, text, visit.who)

    try:
        return Leaving(planned=from_thread.run(bounded))
    except TimeoutError:
        return Leaving(planned=None, why="The record system is slow; the message is planned once you have signed.")
    except CareplaneError:
        return Leaving(planned=None, why="The record system is away; the message is planned once you have signed.")
