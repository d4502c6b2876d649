"""What a data set is asked to be: seed, size and calendar; and the source of all its chance."""

import hashlib
import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from careplane.errors import InputError

FIRST_DAY = date(2026, 4, 6)
"""The fixed Monday on which every data set starts unless told otherwise."""

OFFSET = "-06:00"
"""Local time of the synthetic health system: one fixed offset, no daylight saving."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """``days`` of history and pilot together, the last ``pilot_days`` of them the pilot window.

    Raises:
        InputError: a size that cannot be generated.
    """

    seed: int
    patients: int = 3000
    days: int = 180
    pilot_days: int = 84
    start: date = FIRST_DAY

    def __post_init__(self) -> None:
        if not 24 <= self.patients <= 50_000:
            raise InputError("must be between 24 and 50000", field="patients")
        if not 14 <= self.pilot_days < self.days <= 1000:
            least = max(self.pilot_days, 14) + 1
            raise InputError(f"must be between {least} and 1000, so that history precedes the pilot", field="days")

    @property
    def pilot_start(self) -> date:
        """The first day of the pilot window; everything in ``fhir/`` was known by then."""
        return self.start + timedelta(days=self.days - self.pilot_days)

    @property
    def pilot_end(self) -> date:
        """The day after the last day of the pilot window."""
        return self.start + timedelta(days=self.days)

    @property
    def now(self) -> datetime:
        """The moment at which the history ends: midnight of the pilot's first day, local wall time."""
        return midnight(self.pilot_start)

    def draw(self, *key: str | int) -> random.Random:
        """A generator of its own for one entity, so that the order of generation changes nothing."""
        return draw(self.seed, *key)


def draw(seed: int, *key: str | int) -> random.Random:
    """A generator that depends on ``seed`` and ``key`` only: the same in every process and Python hash seed."""
    text = ":".join(map(str, (seed, *key)))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))  # noqa: S311 - synthetic data, not a secret


def midnight(day: date) -> datetime:
    """The first moment of a day, local wall time."""
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall time; OFFSET is added where it is written


def instant(moment: datetime) -> str:
    """A local wall time as a FHIR instant."""
    return moment.isoformat(timespec="seconds") + OFFSET
