"""``lowBoundary()`` and ``highBoundary()``: the least and the greatest value that a value of limited precision may be.

Source: HL7 FHIRPath 3.0 (CI build), "Utility functions: lowBoundary, highBoundary"; SQL on FHIR v2. Without a
precision that is asked for, the result is as precise as the type allows: milliseconds for times, half a unit of the
last digit for decimals. A dateTime without an offset may be in any from +14:00 to -12:00.
"""

import calendar
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z", re.ASCII
)
_TIME = re.compile(r"(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?\Z", re.ASCII)
_EARLIEST, _LATEST = "+14:00", "-12:00"
_MOST_DIGITS = 28

Boundary = Decimal | str | None


def boundary(value: object, kind: str, *, high: bool, precision: int | None = None) -> Boundary:
    """The boundary of a value; ``None`` for what has none.

    Args:
        value: as it stands in JSON; decimals as :class:`decimal.Decimal`.
        kind: ``date``, ``dateTime``, ``instant``, ``time``, or anything else where only the value tells.
        high: the greatest instead of the least.
        precision: digits after the point (decimal), or digits of the written value (4 year, 6 month, 8 day, 17
            millisecond; for times 2, 4, 6, 9).
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return _of_decimal(Decimal(value), high=high, precision=precision)
    if isinstance(value, str):
        if kind == "time" or _TIME.match(value):
            return _of_time(value, high=high, precision=precision)
        return _of_date(value, kind, high=high, precision=precision)
    return None


def _of_decimal(value: Decimal, *, high: bool, precision: int | None) -> Decimal | None:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or (precision is not None and not 0 <= precision <= _MOST_DIGITS):
        return None
    half = Decimal(5).scaleb(min(exponent, 0) - 1)
    edge = value + half if high else value - half
    if precision is None:
        return edge
    return edge.quantize(Decimal(1).scaleb(-precision), ROUND_CEILING if high else ROUND_FLOOR)


def _of_time(value: str, *, high: bool, precision: int | None) -> str | None:
    found = _TIME.match(value)
    if found is None:
        return None
    hour, minute, second = (found[1], found[2] or ("59" if high else "00"), found[3] or ("59" if high else "00"))
    part = (found[4] or "").ljust(3, "9" if high else "0")[:3]
    whole = f"{hour}:{minute}:{second}.{part}"
    ends = {None: 12, 2: 2, 4: 5, 6: 8, 9: 12}
    return whole[: ends[precision]] if precision in ends else None


def _of_date(value: str, kind: str, *, high: bool, precision: int | None) -> str | None:
    found = _DATE.match(value)
    if found is None:
        return None
    year, month = found[1], found[2] or ("12" if high else "01")
    if not 1 <= int(month) <= 12 or int(year) < 1:
        return None
    last = calendar.monthrange(int(year), int(month))[1]
    day = found[3] or (f"{last:02d}" if high else "01")
    whole = f"{year}-{month}-{day}"
    shorter = {4: 4, 6: 7, 8: 10}
    if precision in shorter:
        return whole[: shorter[precision]]
    if kind == "date" and "T" not in value:
        return whole if precision is None else None
    if precision not in (None, 17):
        return None
    clock = ":".join(part for part in (found[4], found[5], found[6]) if part is not None)
    if found[7] is not None:
        clock += f".{found[7]}"
    time = _of_time(clock or ("23" if high else "00"), high=high, precision=None)
    return f"{whole}T{time}{found[8] or (_LATEST if high else _EARLIEST)}"
