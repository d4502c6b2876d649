"""What the pages need from the composition root."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from careplane.estimators._item import Item
from careplane.ledger import Ledger
from careplane.records.app import App
from careplane.records.downtime import Outage
from careplane.records.evidence import MeasureInfo
from careplane.records.run import ReviewAction, Run, Survey
from careplane.store import Store
from careplane.workflow import Runtime
from careplane.workflow.messaging import Planned

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time of the machine, aware."""
    return datetime.now(UTC)


AnswerSurvey = Callable[[str, Survey], Run]
"""Keeps the answers to the three questions of a run; ``server`` binds it to the runtime."""


PlanMessage = Callable[[Run, str, str], Awaitable[Planned]]
"""What would leave to the patient if a text were signed now by a person; ``server`` binds it to the messages."""


class ReviewRun(Protocol):
    """What a person does with a draft; ``server`` binds it to the runtime. ``seconds`` is active time, ``confirmed``
    the fingerprint of the changes of the chart that the person has seen."""

    async def __call__(
        self,
        run_id: str,
        action: ReviewAction,
        by: str,
        seconds: float,
        final_text: str | None,
        reason: str | None,
        comment: str,
        *,
        clicks: int | None = None,
        confirmed: str = "",
    ) -> Run: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleContext:
    """The installation as the pages see it.

    ``clock`` is the time of the data (simulated in the sandbox); ``wall_clock`` is the time of the machine, by which
    sessions and sign-in links expire. ``host`` is the address the server binds to, which with the loopback names is
    what a browser may call it, beside the host of ``public_url``. ``home`` holds the loaded data and the ledger.
    ``runtime`` is what deeds on a run need (refresh, amend, withdraw, look at the chart); without it they are refused.
    ``power`` is the estimator of power, with which studies are planned, ``icer`` that of what an
    improvement costs; without it a report leaves that out.
    """

    store: Store
    ledger: Ledger
    apps: Mapping[str, App]
    review: ReviewRun
    clock: Clock
    home: Path
    synthetic: bool = False
    site_name: str = "This health system"
    small_cell: int = 11
    session_hours: float = 12.0
    host: str = "127.0.0.1"
    public_url: str = ""
    measures: Mapping[str, MeasureInfo] = field(default_factory=dict)
    wall_clock: Clock = utc_now
    answer_survey: AnswerSurvey | None = None
    runtime: Runtime | None = None
    plan_message: PlanMessage | None = None
    power: Item | None = None
    icer: Item | None = None

    @property
    def outages(self) -> tuple[Outage, ...]:
        """What is away now, drills included."""
        seen = None if self.runtime is None else self.runtime.outages
        return () if seen is None else seen.held()
