"""What each method finds: the average, and its parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from careplane.estimators._intervals import interval


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect and its standard error."""

    value: float
    se: float

    def told(self, df: float, alpha: float) -> dict[str, float]:
        """As it stands in the details of a result."""
        ends = interval(self.value, self.se, df, alpha)
        return {"estimate": self.value, "se": self.se, "ci_low": ends.low, "ci_high": ends.high, "p": ends.p}


@dataclass(frozen=True, slots=True)
class Found:
    """``simple`` is the average over treated units and periods, ``dynamic`` the mean over times since the start, each
    counting the same. ``group_time`` is by cohort and period, ``events`` by periods since the start (negative: before).
    """

    simple: Effect
    dynamic: Effect | None = None
    group_time: Mapping[tuple[float, float], Effect] = field(default_factory=dict)
    events: Mapping[float, Effect] = field(default_factory=dict)
    pretrend: Mapping[str, float] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def details(self, df: float, alpha: float) -> dict[str, Any]:
        """The parts, for a result."""
        told: dict[str, Any] = {"simple": self.simple.told(df, alpha), **self.more}
        if self.dynamic is not None:
            told["dynamic"] = self.dynamic.told(df, alpha)
        if self.group_time:
            told["group_time"] = {f"{g:g},{t:g}": one.told(df, alpha) for (g, t), one in self.group_time.items()}
        if self.events:
            told["event_study"] = {f"{at:g}": one.told(df, alpha) for at, one in sorted(self.events.items())}
        if self.pretrend is not None:
            told["pretrend"] = dict(self.pretrend)
        return told
