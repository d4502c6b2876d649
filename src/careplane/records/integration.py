"""What the live integration checks found of an app: six answers, each with its evidence or a way out."""

from datetime import datetime
from typing import Literal

from careplane.records import Record

CheckState = Literal["pass", "fail", "not_measured"]


class IntegrationCheck(Record, frozen=True):
    """One check. ``evidence`` says what was seen (counts and times, nothing of a patient); ``way_out`` what turns a
    fail or a gap into a pass; ``seconds`` how long the probe took."""

    name: str
    state: CheckState
    evidence: str
    way_out: str = ""
    seconds: float = 0.0


class IntegrationReport(Record, frozen=True):
    """The six checks of one app at one time, against the connectors that ``ehr`` names."""

    app: str
    at: datetime
    ehr: str
    checks: tuple[IntegrationCheck, ...]

    def names(self, state: CheckState) -> tuple[str, ...]:
        """The checks with this answer."""
        return tuple(check.name for check in self.checks if check.state == state)
