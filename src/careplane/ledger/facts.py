"""Facts of a record: finite scalars that are no free text, because free text is where names and stories hide.

A text fact has at most 256 characters and no line break or other control character. A sentence that a person wrote
about a decision (never about a patient) is declared where it is recorded: ``facts={"reason": FreeText(reason)}``.
"""

from collections.abc import Mapping
from math import isfinite

import msgspec

from careplane.errors import LedgerError

Scalar = str | int | float | bool | None

MAX_TEXT = 256
"""Longest text fact, in characters, that is not declared as free text."""

_MAX_INTEGER = 2**53
_encode = msgspec.json.Encoder(order="sorted").encode


class FreeText(str):
    """A text that a person wrote for the record about a decision or an object, nothing about a patient."""

    __slots__ = ()


class CheckedFacts:
    """Facts that were checked and encoded once and may be recorded any number of times; nothing may change them."""

    __slots__ = ("json", "values")

    def __init__(self, facts: Mapping[str, Scalar]) -> None:
        """Check facts.

        Raises:
            LedgerError: as :func:`check_facts`.
        """
        self.values = check_facts("facts", facts)
        try:
            self.json = _encode(self.values)
        except UnicodeEncodeError as error:
            raise LedgerError(f"The facts cannot be written as JSON: {error}.") from error


def trusted(values: dict[str, Scalar]) -> CheckedFacts:
    """Facts that their maker answers for: short names and numbers of our own, nothing that came from outside. Without
    the check, which costs a busy gateway more than the record itself."""
    made = object.__new__(CheckedFacts)
    made.values = values
    made.json = _encode(values)
    return made


def check_facts(kind: str, facts: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """A copy of the facts, checked.

    Raises:
        LedgerError: a fact that is not a finite scalar, is beyond 2**53, or looks like free text.
    """
    for name, value in facts.items():
        of = type(value)
        if of is str:
            good = len(value) <= MAX_TEXT and value.isprintable()  # type: ignore[arg-type,union-attr]
        elif of is int:
            good = -_MAX_INTEGER <= value <= _MAX_INTEGER  # type: ignore[operator]
        elif of is float:
            good = isfinite(value)  # type: ignore[arg-type]
        else:
            good = of is bool or value is None
        if not good or type(name) is not str:
            return {name: _check_fact(kind, name, value) for name, value in facts.items()}
    return dict(facts)


def _check_fact(kind: str, name: str, value: object) -> Scalar:
    if type(name) is not str or type(value) not in (str, FreeText, int, float, bool, type(None)):
        raise LedgerError(
            f"{kind}: fact {name!r} is a {type(value).__name__}; facts are text, numbers, booleans, null."
        )
    if type(value) is FreeText:
        return str(value)
    if type(value) is str and (len(value) > MAX_TEXT or has_control(value)):
        raise LedgerError(
            f"{kind}: fact {name!r} looks like free text (over {MAX_TEXT} characters, or with a line break). Record a "
            "pseudonym or a number; declare a sentence about a decision as FreeText."
        )
    if type(value) is float and not isfinite(value):
        raise LedgerError(f"{kind}: fact {name!r} is not a finite number.")
    if type(value) is int and abs(value) > _MAX_INTEGER:
        raise LedgerError(f"{kind}: fact {name!r} is beyond 2**53, which not every JSON reader keeps exact.")
    return value  # type: ignore[return-value]


def has_control(text: str) -> bool:
    """Whether a text holds a line break or another control character."""
    return any(ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u2028\u2029" for char in text)
