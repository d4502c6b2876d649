"""The operators of FHIRPath, with its empty collections: what is not there makes most results empty, and logic has
three values (HL7 FHIRPath N1, section "Operations")."""

from collections.abc import Callable
from decimal import Decimal, DivisionByZero, InvalidOperation
from typing import Any

from careplane.codecs.views.values import Item, equal, order, plain

Path = Callable[[list[Item], Any], list[Item]]
Make = Callable[[Path, Path], Path]


def truth(found: list[Item]) -> bool | None:
    """A collection where a boolean is wanted: one value that is no boolean counts as true.

    Raises:
        ValueError: there are several values.
    """
    if not found:
        return None
    if len(found) > 1:
        raise ValueError(f"found {len(found)} values where one boolean may be")
    value = plain(found[0])
    return value if isinstance(value, bool) else True


def _one(found: list[Item], operator: str) -> Any:
    if len(found) > 1:
        raise ValueError(f"{operator!r} takes one value on each side, not {len(found)}")
    return plain(found[0])


def _logic(decide: Callable[[bool | None, bool | None], bool | None]) -> Make:
    def make(left: Path, right: Path) -> Path:
        def judged(items: list[Item], scope: Any) -> list[Item]:
            found = decide(truth(left(items, scope)), truth(right(items, scope)))
            return [] if found is None else [found]

        return judged

    return make


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(left: bool | None, right: bool | None) -> bool | None:
    if left or right:
        return True
    return None if left is None or right is None else False


def _xor(left: bool | None, right: bool | None) -> bool | None:
    return None if left is None or right is None else left != right


def _implies(left: bool | None, right: bool | None) -> bool | None:
    return _or(None if left is None else not left, right)


def _equals(*, negate: bool) -> Make:
    def make(left: Path, right: Path) -> Path:
        def judged(items: list[Item], scope: Any) -> list[Item]:
            ones, others = left(items, scope), right(items, scope)
            if not ones or not others:
                return []
            found = _all_equal(ones, others)
            return [] if found is None else [found is not negate]

        return judged

    return make


def _all_equal(ones: list[Item], others: list[Item]) -> bool | None:
    if len(ones) != len(others):
        return False
    verdict: bool | None = True
    for one, other in zip(ones, others, strict=True):
        same = equal(plain(one), plain(other))
        if same is False:
            return False
        verdict = None if same is None else verdict
    return verdict


def _equivalent(*, negate: bool) -> Make:
    """``~``: as many on both sides, texts without regard to case and space, in any order."""

    def make(left: Path, right: Path) -> Path:
        def judged(items: list[Item], scope: Any) -> list[Item]:
            ones = [_folded(plain(one)) for one in left(items, scope)]
            others = [_folded(plain(one)) for one in right(items, scope)]
            same = len(ones) == len(others)
            for one in ones if same else ():
                place = next((i for i, other in enumerate(others) if equal(one, other) is True), None)
                if place is None:
                    same = False
                    break
                del others[place]
            return [same is not negate]

        return judged

    return make


def _folded(value: Any) -> Any:
    return " ".join(value.lower().split()) if isinstance(value, str) else value


def _compared(operator: str, wanted: Callable[[int], bool]) -> Make:
    def make(left: Path, right: Path) -> Path:
        def judged(items: list[Item], scope: Any) -> list[Item]:
            ones, others = left(items, scope), right(items, scope)
            if not ones or not others:
                return []
            try:
                found = order(_one(ones, operator), _one(others, operator))
            except TypeError:
                raise ValueError(f"{operator!r} compares values that have no order") from None
            return [] if found is None else [wanted(found)]

        return judged

    return make


def _reckoned(operator: str, reckon: Callable[[Any, Any], Any]) -> Make:
    def make(left: Path, right: Path) -> Path:
        def value(items: list[Item], scope: Any) -> list[Item]:
            ones, others = left(items, scope), right(items, scope)
            if not ones or not others:
                return []
            one, other = _one(ones, operator), _one(others, operator)
            try:
                return [reckon(_number(one), _number(other))]
            except TypeError:
                raise ValueError(f"{operator!r} takes numbers") from None
            except (DivisionByZero, InvalidOperation, ZeroDivisionError):
                return []

        return value

    return make


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        raise TypeError
    return Decimal(str(value)) if isinstance(value, float) else value


def _add() -> Make:
    numbers = _reckoned("+", lambda one, other: one + other)

    def make(left: Path, right: Path) -> Path:
        plus = numbers(left, right)

        def value(items: list[Item], scope: Any) -> list[Item]:
            ones, others = left(items, scope), right(items, scope)
            if len(ones) == len(others) == 1:
                one, other = plain(ones[0]), plain(others[0])
                if isinstance(one, str) and isinstance(other, str):
                    return [one + other]
            return plus(items, scope)

        return value

    return make


def _joined(left: Path, right: Path) -> Path:
    """``&``: texts, where what is not there is an empty text."""

    def value(items: list[Item], scope: Any) -> list[Item]:
        ones, others = left(items, scope), right(items, scope)
        parts = [_one(found, "&") if found else "" for found in (ones, others)]
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("'&' takes texts")
        return ["".join(parts)]

    return value


def _united(left: Path, right: Path) -> Path:
    def value(items: list[Item], scope: Any) -> list[Item]:
        return distinct([*left(items, scope), *right(items, scope)])

    return value


def distinct(items: list[Item]) -> list[Item]:
    """Each value once, in the order of its first."""
    kept: list[Item] = []
    for item in items:
        if not any(equal(plain(item), plain(one)) is True for one in kept):
            kept.append(item)
    return kept


def _in(left: Path, right: Path) -> Path:
    def judged(items: list[Item], scope: Any) -> list[Item]:
        ones, others = left(items, scope), right(items, scope)
        if not ones:
            return []
        one = _one(ones, "in")
        return [any(equal(one, plain(other)) is True for other in others)]

    return judged


def _contains(left: Path, right: Path) -> Path:
    return _in(right, left)


def negated(of: Path) -> Path:
    """A unary minus."""

    def value(items: list[Item], scope: Any) -> list[Item]:
        found = of(items, scope)
        if not found:
            return []
        try:
            return [-_number(_one(found, "-"))]
        except TypeError:
            raise ValueError("'-' takes a number") from None

    return value


def _divided(one: Any, other: Any) -> Decimal:
    return Decimal(one) / Decimal(other)


def _whole(one: Any, other: Any) -> int:
    return int(Decimal(one) / Decimal(other))


def _rest(one: Any, other: Any) -> Any:
    rest = Decimal(one) % Decimal(other)
    return int(rest) if isinstance(one, int) and isinstance(other, int) else rest


OPERATORS: dict[str, Make] = {
    "and": _logic(_and),
    "or": _logic(_or),
    "xor": _logic(_xor),
    "implies": _logic(_implies),
    "=": _equals(negate=False),
    "!=": _equals(negate=True),
    "~": _equivalent(negate=False),
    "!~": _equivalent(negate=True),
    "<": _compared("<", lambda found: found < 0),
    "<=": _compared("<=", lambda found: found <= 0),
    ">": _compared(">", lambda found: found > 0),
    ">=": _compared(">=", lambda found: found >= 0),
    "+": _add(),
    "-": _reckoned("-", lambda one, other: one - other),
    "*": _reckoned("*", lambda one, other: one * other),
    "/": _reckoned("/", _divided),
    "div": _reckoned("div", _whole),
    "mod": _reckoned("mod", _rest),
    "&": _joined,
    "|": _united,
    "in": _in,
    "contains": _contains,
}
