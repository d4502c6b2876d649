"""Five-field cron expressions: minute, hour, day of month, month, day of week (0-7, Sunday is 0 and 7)."""

import re

FIELDS: tuple[tuple[str, int, int], ...] = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 7),
)
_PART = re.compile(r"(?:\*|(?P<low>\d{1,2})(?:-(?P<high>\d{1,2}))?)(?:/(?P<step>\d{1,2}))?", re.ASCII)


def cron_problem(text: str) -> str | None:
    """What is wrong with a cron expression, or ``None``."""
    fields = text.split()
    if len(fields) != len(FIELDS):
        return f"needs five fields (minute hour day month weekday), it has {len(fields)}"
    for value, (name, lowest, highest) in zip(fields, FIELDS, strict=True):
        if not all(_part_holds(part, lowest, highest) for part in value.split(",")):
            return f"has {value!r} as {name}; allowed are {lowest}-{highest}, '*', lists, ranges and steps"
    return None


def _part_holds(part: str, lowest: int, highest: int) -> bool:
    match = _PART.fullmatch(part)
    if match is None or match["step"] == "0":
        return False
    if match["low"] is None:
        return True
    low = int(match["low"])
    high = int(match["high"] or low)
    return lowest <= low <= high <= highest
