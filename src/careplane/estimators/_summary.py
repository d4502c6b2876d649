"""Two arms as sums, where the rows stay elsewhere: what an experiment platform or a paper's table gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

from careplane.errors import InputError
from careplane.estimators._spec import Key, Spec

ARMS = ("intervention", "control")
SUMMARY = Key(
    "summary",
    "mapping",
    "instead of data: intervention and control, each with n and mean and sd, or sum and sum_squares, or events",
)
_WAYS = ({"mean", "sd"}, {"sum", "sum_squares"}, {"events"})


@dataclass(frozen=True, slots=True)
class Arm:
    """Rows, mean and variance of one arm; ``events`` where it was given as an event."""

    n: int
    mean: float
    variance: float
    events: int | None = None


def read_summary(spec: Spec) -> tuple[Arm, Arm]:
    """Intervention and control.

    Raises:
        InputError: an arm or a number is missing, unknown or impossible.
    """
    given: Mapping[str, Any] = spec["summary"]
    if set(given) != set(ARMS):
        raise InputError("must hold intervention and control, and nothing else", field="summary")
    first, second = (_arm(name, given[name]) for name in ARMS)
    return first, second


def _arm(name: str, given: object) -> Arm:
    field = f"summary.{name}"
    if not isinstance(given, Mapping):
        raise InputError("must be a table: n, and mean and sd, or sum and sum_squares, or events", field=field)
    if {str(key) for key in given} - {"n"} not in _WAYS:
        raise InputError("must hold n, and mean and sd, or sum and sum_squares, or events", field=field)
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise InputError("must be a number", field=f"{field}.{key}")
    n = given.get("n", 0)
    if n != int(n) or n < 2:
        raise InputError("must be a whole number of 2 or more", field=f"{field}.n")
    return _moments(int(n), given, field)


def _moments(n: int, given: Mapping[str, Any], field: str) -> Arm:
    if "events" in given:
        events = given["events"]
        if events != int(events) or not 0 <= events <= n:
            raise InputError(f"must be a whole number from 0 to {n}", field=f"{field}.events")
        share = events / n
        return Arm(n, share, share * (1 - share), int(events))
    if "sd" in given:
        if given["sd"] < 0:
            raise InputError("must not be negative", field=f"{field}.sd")
        return Arm(n, float(given["mean"]), float(given["sd"]) ** 2)
    mean = given["sum"] / n
    squares = given["sum_squares"] - given["sum"] * mean
    if squares < -1e-9 * max(1.0, given["sum_squares"]):
        raise InputError(f"is less than sum squared over n, {sqrt(abs(given['sum'] * mean)):g} squared", field=field)
    return Arm(n, float(mean), max(0.0, float(squares)) / (n - 1))
