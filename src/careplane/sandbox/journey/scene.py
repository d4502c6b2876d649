"""The scene of a journey: what its steps share."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from careplane.records.evidence import Plan, Result
from careplane.sandbox.journey.clock import SimulatedClock
from careplane.sandbox.scenario import Scenario
from careplane.sandbox.staff import Staff
from careplane.server.platform import Platform

APP = "portal_reply"
"""The app that goes through its whole life."""


@dataclass(frozen=True, slots=True)
class JourneyOptions:
    """What a journey is asked to be."""

    out: Path
    seed: int = 1
    model: str = "scripted"
    patients: int = 3000

    @property
    def dataset(self) -> Path:
        """Where the synthetic health system is generated."""
        return self.out / "sandbox"

    @property
    def home(self) -> Path:
        """The data of the installation that the journey runs."""
        return self.out / "home"


@dataclass(slots=True)
class Scene:
    """The installation, its synthetic world, and what has come of the journey so far.

    ``starts`` is the pilot's first moment; ``asked`` counts how often each person was asked the three questions.
    """

    options: JourneyOptions
    scenario: Scenario
    platform: Platform
    clock: SimulatedClock
    staff: Staff
    starts: datetime
    plan: Plan | None = None
    result: Result | None = None
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def now(self) -> datetime:
        return self.clock()
