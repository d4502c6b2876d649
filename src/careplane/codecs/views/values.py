"""Values of FHIR in JSON as FHIRPath sees them: types of choice elements, equality, order, and dates.

JSON does not say whether a text is a date. Two texts that both read as dates or times are compared as such; any other
two as texts. Numbers are compared as numbers, decimals as they were written (:class:`decimal.Decimal`).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any


class Typed:
    """A value with the type that its choice element named (``valueQuantity``), or that a literal has."""

    __slots__ = ("kind", "value")

    def __init__(self, value: Any, kind: str) -> None:
        self.value = value
        self.kind = kind


Item = Any
"""One node of a collection: a value of JSON, or :class:`Typed`."""

PRIMITIVES = frozenset(
    {
        *("base64Binary", "boolean", "canonical", "code", "date", "dateTime", "decimal", "id", "instant", "integer"),
        *("integer64", "markdown", "oid", "positiveInt", "string", "time", "unsignedInt", "uri", "url", "uuid"),
    }
)
_TEXTS = PRIMITIVES - {"boolean", "decimal", "integer", "integer64", "positiveInt", "unsignedInt"}
_INTEGERS = frozenset({"integer", "integer64", "positiveInt", "unsignedInt"})
_MOMENT = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(\.\d+)?)?)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z", re.ASCII
)
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?\Z", re.ASCII)


def plain(item: Item) -> Any:
    """The value as JSON has it."""
    return item.value if type(item) is Typed else item


def capital(name: str) -> str:
    """A type as it ends the name of a choice element: ``dateTime`` is ``DateTime``."""
    return name[:1].upper() + name[1:]


def is_of(item: Item, kind: str) -> bool:
    """Whether an item is of a type, as far as JSON tells: a complex value that names no type may be of any."""
    if type(item) is Typed:
        return item.kind == kind or item.kind == capital(kind) or (kind == "String" and item.kind in _TEXTS)
    if isinstance(item, dict):
        named = item.get("resourceType")
        if named is None:
            return kind not in PRIMITIVES
        return bool(named == kind or kind in ("Resource", "DomainResource"))
    small = kind[:1].lower() + kind[1:]
    if isinstance(item, bool):
        return small == "boolean"
    if isinstance(item, int):
        return small in _INTEGERS or small == "decimal"
    if isinstance(item, Decimal | float):
        return small == "decimal"
    return small in _TEXTS


def equal(left: Any, right: Any) -> bool | None:
    """Equality of two plain values; ``None`` when their precision leaves it open."""
    if isinstance(left, str) and isinstance(right, str):
        if left == right:
            return True
        moments = _moments(left, right)
        return False if moments is None else _same(*moments)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) is True for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b) is True for a, b in zip(left, right, strict=True))
    return bool(left == right)


def order(left: Any, right: Any) -> int | None:
    """-1, 0 or 1 as the first is less, equal or greater; ``None`` when precision leaves it open.

    Raises:
        TypeError: values of these types have no order.
    """
    if isinstance(left, bool) or isinstance(right, bool):
        raise TypeError
    if isinstance(left, str) and isinstance(right, str):
        moments = _moments(left, right)
        if moments is None:
            return (left > right) - (left < right)
        return _ordered(*moments)
    if isinstance(left, int | Decimal | float) and isinstance(right, int | Decimal | float):
        return (left > right) - (left < right)
    raise TypeError


_Moment = tuple[tuple[Decimal, ...], bool]
"""Year, month, day, hour, minute, second as far as they are known (in UTC where the offset is known); whether it is."""


def _moments(left: str, right: str) -> tuple[_Moment, _Moment] | None:
    one, other = _moment(left), _moment(right)
    return None if one is None or other is None else (one, other)


def _moment(text: str) -> _Moment | None:
    found = _MOMENT.match(text)
    if found is None:
        time = _TIME.match(text)
        if time is None:
            return None
        return tuple(
            Decimal(part) for part in (time[1], time[2], f"{time[3]}{time[4] or ''}" if time[3] else None) if part
        ), True
    *whole, part, offset = found.groups()
    known = [Decimal(one) for one in whole if one is not None]
    if part is not None:
        known[-1] += Decimal(part)
    if offset is None or len(known) < 5:
        return tuple(known), offset is not None
    return _in_utc(known, offset), True


def _in_utc(known: list[Decimal], offset: str) -> tuple[Decimal, ...]:
    year, month, day, hour, minute = (int(one) for one in known[:5])
    shift = timedelta() if offset == "Z" else timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
    try:
        there = datetime(year, month, day, hour, minute, tzinfo=UTC)
        moved = there + shift if offset[0] == "-" else there - shift
    except (ValueError, OverflowError):
        return tuple(known)
    return (*map(Decimal, (moved.year, moved.month, moved.day, moved.hour, moved.minute)), *known[5:])


def _same(left: _Moment, right: _Moment) -> bool | None:
    found = _ordered(left, right)
    return None if found is None else found == 0


def _ordered(left: _Moment, right: _Moment) -> int | None:
    (one, one_zoned), (other, other_zoned) = left, right
    if len(one) > 3 and len(other) > 3 and one_zoned != other_zoned:
        return None
    for a, b in zip(one, other, strict=False):
        if a != b:
            return 1 if a > b else -1
    return 0 if len(one) == len(other) else None
