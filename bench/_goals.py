"""What the gateway is to reach, and what was measured of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from _parts import Measured

OURS, FULL = "careplane", "careplane-full"
Found = Mapping[str, Measured]


@dataclass(frozen=True)
class Goal:
    """One value of a part, ``at`` a number of connections, against a limit.

    ``how``: ``ratio`` to that of ``beside`` in the same round; ``added`` to it; ``added_but_sync``, less one
    ``fdatasync`` of the disk; ``value`` alone.
    """

    text: str
    limit: float
    part: str
    what: str
    target: str = OURS
    beside: str = "nginx"
    at: str = "32"
    how: Literal["ratio", "added", "added_but_sync", "value"] = "ratio"
    at_least: bool = False

    def value(self, found: Found) -> float | None:
        """What was measured; None where a target is missing or answered something wrong."""
        measured = found[self.part]
        if self.how == "value":
            return measured.median(self.target, self.at, self.what)
        if self.how == "ratio":
            return measured.against(self.target, self.beside, self.at, self.what)
        added = measured.beyond(self.target, self.beside, self.at, self.what)
        sync = measured.median("disk", "fdatasync", "p50_ms") if self.how == "added_but_sync" else 0.0
        return None if added is None or sync is None else added - sync

    def judged(self, found: Found) -> dict[str, Any]:
        """The goal, what was measured, and whether it is met (None: not measured)."""
        value = self.value(found)
        met = None if value is None else (value >= self.limit if self.at_least else value <= self.limit)
        reach = f"{'>=' if self.at_least else '<='} {self.limit:g}"
        return {"goal": self.text, "reach": reach, "value": None if value is None else round(value, 2), "met": met}


def _faster(text: str, limit: float, target: str, beside: str, part: str = "throughput", at: str = "32") -> Goal:
    return Goal(text, limit, part, "rps", target, beside, at, at_least=True)


GOALS = (
    Goal("1 audit: CPU of a request / nginx", 4, "throughput", "cpu_us"),
    _faster("1 audit: throughput / LiteLLM", 75, OURS, "litellm"),
    _faster("1 audit: throughput / Portkey", 10, OURS, "portkey"),
    _faster("2 all on: throughput / LiteLLM", 40, FULL, "litellm"),
    _faster("2 all on: throughput / Portkey", 5, FULL, "portkey"),
    _faster("3 50 ms upstream: throughput / nginx", 0.9, OURS, "nginx", "delayed", "128"),
    Goal("3 50 ms upstream: p50 beyond nginx, ms", 5, "delayed", "p50_ms", at="128", how="added"),
    Goal("4 streams: CPU of an event / nginx", 3, "streams", "cpu_us_per_chunk", at="128"),
    Goal("4 streams: p50 to first - nginx - sync, ms", 0, "streams", "first_p50_ms", at="128", how="added_but_sync"),
    Goal("4 streams: p99 to first - nginx - sync, ms", 0, "streams", "first_p99_ms", at="128", how="added_but_sync"),
    Goal("6 memory after a million / LiteLLM", 0.25, "memory", "late_mb", beside="litellm", at="million"),
    Goal("6 growth over a million requests, %", 5, "memory", "growth_percent", at="million", how="value"),
    Goal("1 connection, all on: p50 - nginx - sync, ms", 3, "throughput", "p50_ms", FULL, at="1", how="added_but_sync"),
)


def judged(found: Found) -> list[dict[str, Any]]:
    """Every goal whose part was run."""
    return [goal.judged(found) for goal in GOALS if goal.part in found]
