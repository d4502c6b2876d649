"""What goes to a door: the app, its trigger, whom it is about, and who will review."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from careplane.records.app import App, Trigger
from careplane.sandbox.simulate.subjects import Subject
from careplane.sandbox.simulate.world import World

NO_DOOR = "not available"
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Knock:
    """One event on its way to a door. ``user`` is who will review; ``at`` when it happened."""

    app: App
    trigger: Trigger
    subject: Subject
    user: str
    at: datetime


Door = Callable[[World, Knock], Awaitable[str]]
"""Fires it, and says by what door."""
