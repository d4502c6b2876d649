"""Quiet hours, in every time zone that a patient may be in.

The zones of a telephone number are those of its numbering plan; a person may have moved. So where several zones are
possible a message waits until it is no quiet hour in any of them (the default, 21:00 to 8:00, is the federal window of
47 CFR 64.1200(c)(1) for telephone solicitations, which a message of care is not: it is kept as courtesy).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from phonenumbers import NumberParseException, parse
from phonenumbers.timezone import time_zones_for_number

_STEPS = 16
MOST_ZONES = 4
"""A number that fits more zones than this is of no area, and says nothing about where a person is."""


def next_allowed(at: datetime, zones: Iterable[ZoneInfo], quiet_from: time, quiet_until: time) -> datetime:
    """The first moment from ``at`` on that is no quiet hour in any zone, in UTC.

    Where the zones leave no such moment (the ends of the world), the last zone that was asked decides.
    """
    moment, places = at.astimezone(UTC), tuple(zones)
    for _ in range(_STEPS):
        ends = [_end_of_quiet(moment, zone, quiet_from, quiet_until) for zone in places]
        latest = max((end for end in ends if end is not None), default=None)
        if latest is None:
            return moment
        moment = latest
    return moment


def _end_of_quiet(moment: datetime, zone: ZoneInfo, quiet_from: time, quiet_until: time) -> datetime | None:
    """When the quiet hours end that a moment lies in; ``None`` when it lies in none."""
    local = moment.astimezone(zone)
    now = local.time()
    over_midnight = quiet_from > quiet_until
    inside = now >= quiet_from or now < quiet_until if over_midnight else quiet_from <= now < quiet_until
    if not inside:
        return None
    day = local.date() + timedelta(days=1) if over_midnight and now >= quiet_from else local.date()
    return datetime.combine(day, quiet_until, tzinfo=zone).astimezone(UTC)


def zones_of_number(number: str) -> tuple[ZoneInfo, ...]:
    """The time zones of a number in E.164; none when they are not known, as for a number of no area."""
    try:
        names = time_zones_for_number(parse(number))
    except NumberParseException:
        return ()
    if len(names) > MOST_ZONES:
        return ()
    return tuple(zone for name in names if (zone := zone_of(name)) is not None)


def zone_of(name: str) -> ZoneInfo | None:
    """The zone of an IANA name; ``None`` for what is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
