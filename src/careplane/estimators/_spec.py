"""What an estimator may be asked: its keys, checked, and what it answers."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

import msgspec

from careplane.errors import InputError
from careplane.estimators._frame import Frame
from careplane.records import Record

Kind = Literal["column", "columns", "number", "numbers", "integer", "choice", "choices", "flag", "text", "mapping"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a specification. ``column`` and ``columns`` name columns of the data; a number lies from ``least`` to
    ``most``; a ``choice`` is one of ``choices``."""

    name: str
    kind: Kind
    help: str
    default: Any = None
    needed: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    unless: str = ""
    """A key that, where it is given, stands in for a needed one and for the data."""


ALPHA = Key("alpha", "number", "two-sided error of the interval", default=0.05, least=1e-9, most=0.999)
WEIGHTS = Key("weights", "column", "weight of each row; by default all count the same")


@dataclass(frozen=True, slots=True)
class Info:
    """What an estimator is, for a person who chooses one.

    ``example`` is a specification (without ``data``) that runs on the table that ``made`` gives, which is synthetic.
    """

    name: str
    purpose: str
    keys: tuple[Key, ...]
    source: str
    example: Mapping[str, Any]
    made: Callable[[], Mapping[str, Sequence[Any]]] | None = None


class Assumption(Record, frozen=True):
    """Something that the method rests on: whether it was checked and held (``None``: it cannot be checked here)."""

    name: str
    held: bool | None
    text: str


class Result(Record, frozen=True):
    """What an estimator found; ``None`` is what it does not give. ``left_out`` counts the rows that were not used."""

    method: str
    n: int
    estimate: float | None = None
    se: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    df: float | None = None
    p: float | None = None
    clusters: int | None = None
    details: dict[str, Any] = msgspec.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    left_out: dict[str, int] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spec:
    """The values of the keys, checked and completed by their defaults."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __contains__(self, name: str) -> bool:
        """Whether a key was given or has a default."""
        return self.values.get(name) is not None


Method = Callable[[Frame, Spec], Result]
"""What an item's ``estimate`` is.

Raises:
    InputError: a column or value does not fit; ``field`` names it.
    Refused: the method would not be valid here; says which would be.
"""


def read_spec(info: Info, given: Mapping[str, Any]) -> Spec:
    """Check a specification against the keys of an estimator.

    Raises:
        InputError: a key that is not known, that is missing, or that has a wrong value; ``field`` names it.
    """
    known = {key.name: key for key in info.keys}
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"{info.name} knows {', '.join(known)}"
            raise InputError(f"is not a key of {info.name}; {hint}", field=str(name))
    values: dict[str, Any] = {}
    for key in info.keys:
        value = given.get(key.name)
        if value is None:
            if key.needed and given.get(key.unless) is None:
                raise InputError(f"is needed: {key.help}", field=key.name)
            value = key.default
        values[key.name] = None if value is None else _CHECKS[key.kind](key, value)
    return Spec(values)


def needs_data(info: Info, given: Mapping[str, Any]) -> bool:
    """Whether an estimator reads a table for this specification."""
    return info.made is not None and not any(key.unless and given.get(key.unless) is not None for key in info.keys)


def _number(key: Key, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise InputError("must be a number", field=key.name)
    if not (key.least is None or value >= key.least) or not (key.most is None or value <= key.most):
        raise InputError(f"must be from {key.least} to {key.most}, not {value}", field=key.name)
    return float(value)


def _integer(key: Key, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError("must be a whole number", field=key.name)
    return int(_number(key, value))


def _text(key: Key, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InputError("must be text", field=key.name)
    return value


def _choice(key: Key, value: Any) -> str:
    if value not in key.choices:
        near = difflib.get_close_matches(str(value), key.choices, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"must be one of {', '.join(key.choices)}{hint}", field=key.name)
    return str(value)


def _flag(key: Key, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError("must be true or false", field=key.name)
    return value


def _mapping(key: Key, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError("must be a table of names and values", field=key.name)
    return value


def _list_of(check: Callable[[Key, Any], Any]) -> Callable[[Key, Any], tuple[Any, ...]]:
    def read(key: Key, value: Any) -> tuple[Any, ...]:
        given = [value] if isinstance(value, str | int | float) else value
        if not isinstance(given, list | tuple):
            raise InputError("must be a list", field=key.name)
        return tuple(check(key, one) for one in given)

    return read


_CHECKS: Mapping[Kind, Callable[[Key, Any], Any]] = {
    "column": _text,
    "columns": _list_of(_text),
    "number": _number,
    "numbers": _list_of(_number),
    "integer": _integer,
    "choice": _choice,
    "choices": _list_of(_choice),
    "flag": _flag,
    "text": _text,
    "mapping": _mapping,
}
