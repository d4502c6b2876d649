"""Business hours: Monday to Friday, 08:00 to 18:00, in the local wall time written in the instant itself.

The turnaround measure counts these hours from the first 19 characters of two FHIR instants; the functions here are its
inverse, so a reply that should take *h* business hours measures *h* to the second.
"""

from datetime import datetime, timedelta

OPENS, CLOSES = 8, 18
DAY_SECONDS = (CLOSES - OPENS) * 3600


def add_business_hours(instant: str, hours: float) -> str:
    """The instant at which ``hours`` business hours have passed since ``instant`` (ISO 8601 with its offset, kept).

    Raises:
        ValueError: ``hours`` is negative.
    """
    if hours < 0:
        raise ValueError(f"business hours run forward, got {hours}")
    wall, offset = datetime.fromisoformat(instant[:19]), instant[19:]
    left = float(round(hours * 3600))
    moment = _next_open(wall)
    while (room := _until_close(moment)) < left:
        left -= room
        moment = _next_open(_closing(moment))
    return (moment + timedelta(seconds=left)).isoformat(timespec="seconds") + offset


def business_hours(since: str, until: str) -> float:
    """Business hours from ``since`` to ``until``, both local wall times with the same offset; 0 when out of order."""
    start, end = datetime.fromisoformat(since[:19]), datetime.fromisoformat(until[:19])
    seconds = 0.0
    moment = _next_open(start)
    while moment < end:
        seconds += min(_until_close(moment), (end - moment).total_seconds())
        moment = _next_open(_closing(moment))
    return seconds / 3600


def open_at(moment: datetime) -> bool:
    """Whether a local wall time lies in business hours."""
    return moment.weekday() < 5 and OPENS <= moment.hour < CLOSES


def _closing(moment: datetime) -> datetime:
    return moment.replace(hour=CLOSES, minute=0, second=0, microsecond=0)


def _until_close(moment: datetime) -> float:
    return (_closing(moment) - moment).total_seconds()


def _next_open(moment: datetime) -> datetime:
    """``moment`` itself when open, else the next opening."""
    while not open_at(moment):
        opening = moment.replace(hour=OPENS, minute=0, second=0, microsecond=0)
        moment = opening if moment < opening else opening + timedelta(days=1)
    return moment
