"""Simulated time: the journey spans half a year in minutes."""

from datetime import datetime


class SimulatedClock:
    """A clock that stands still until it is moved, and never goes back."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def move_to(self, at: datetime) -> None:
        """Let time pass until ``at``."""
        self._now = max(self._now, at)
