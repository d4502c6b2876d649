"""Checks of single fields of a request: each takes a value and the field's path, and gives the value or refuses it.

Every refusal is an :class:`~careplane.errors.InputError` whose ``field`` is the path as OpenAI writes it
(``messages[0].content``).
"""

from collections.abc import Callable, Mapping
from typing import Any

from careplane.codecs.strict_json import MAX_SCHEMA_DEPTH, depth
from careplane.errors import InputError
from careplane.records import JSON

Check = Callable[[Any, str], Any]
DROP = object()
"""What a check gives when the field is fine and has no place in the canonical form."""

MAX_NAME = 128


def text(value: object, field: str) -> str:
    if type(value) is not str:
        raise InputError("must be text", field=field)
    return value


def short_text(value: object, field: str) -> str:
    """Text that is no longer than 256 characters and not empty: an identifier or a name."""
    given = text(value, field)
    if not 0 < len(given) <= 256:
        raise InputError("must have 1 to 256 characters", field=field)
    return given


def tool_name(value: object, field: str) -> str:
    """The name of a function: what every provider accepts."""
    given = text(value, field)
    if not (0 < len(given) <= MAX_NAME and given.isascii() and given.replace("_", "a").replace("-", "a").isalnum()):
        raise InputError("must be 1 to 128 letters, digits, '_' or '-'", field=field)
    return given


def flag(value: object, field: str) -> bool:
    if type(value) is not bool:
        raise InputError("must be true or false", field=field)
    return value


def a_dict(value: object, field: str) -> JSON:
    if type(value) is not dict:
        raise InputError("must be an object", field=field)
    return value


def a_list(value: object, field: str, most: int = 100_000) -> list[Any]:
    if type(value) is not list:
        raise InputError("must be a list", field=field)
    if len(value) > most:
        raise InputError(f"may have {most} entries at most", field=field)
    return value


def number(low: float, high: float) -> Check:
    """A number from ``low`` to ``high``."""

    def check(value: object, field: str) -> float:
        if type(value) not in (int, float) or not low <= value <= high:  # type: ignore[operator] # a number by then
            raise InputError(f"must be a number from {low:g} to {high:g}", field=field)
        return value  # type: ignore[return-value] # int or float

    return check


def whole(low: int, high: int) -> Check:
    """A whole number from ``low`` to ``high``."""

    def check(value: object, field: str) -> int:
        if type(value) is not int or not low <= value <= high:
            raise InputError(f"must be a whole number from {low} to {high}", field=field)
        return value

    return check


def one_of(*words: str) -> Check:
    """One of a few words."""

    def check(value: object, field: str) -> str:
        if type(value) is not str or value not in words:
            raise InputError(f"must be one of {', '.join(words)}", field=field)
        return value

    return check


def dropped(_value: object, _field: str) -> object:
    """Accepted and left out: it would tell the provider who asks, or has it keep something."""
    return DROP


def refused(reason: str) -> Check:
    """Never accepted; ``reason`` says why and what to do instead."""

    def check(_value: object, field: str) -> object:
        raise InputError(reason, field=field)

    return check


def only(*allowed: object, reason: str) -> Check:
    """Accepted, and left out, while it has a value that changes nothing."""

    def check(value: object, field: str) -> object:
        if not any(type(value) is type(one) and value == one for one in allowed):
            raise InputError(reason, field=field)
        return DROP

    return check


def schema(value: object, field: str) -> JSON:
    """A JSON Schema: an object that is not nested too deep for a validator."""
    given = a_dict(value, field)
    if depth(given, MAX_SCHEMA_DEPTH) > MAX_SCHEMA_DEPTH:
        raise InputError(f"is nested more than {MAX_SCHEMA_DEPTH} levels deep", field=field)
    return given


def read_fields(given: Mapping[str, Any], checks: Mapping[str, Check], where: str = "") -> JSON:
    """The fields of an object, each through its check. ``null`` counts as not given.

    Raises:
        InputError: a check refuses, or a field has no check: what is not understood is not passed on.
    """
    out: JSON = {}
    for name, value in given.items():
        if value is None:
            continue
        check = checks.get(name)
        if check is None:
            raise unknown(name, where)
        if (kept := check(value, where + name)) is not DROP:
            out[name] = kept
    return out


def unknown(name: str, where: str = "") -> InputError:
    """The refusal of a field that no check knows."""
    return InputError("is not a field that this gateway knows; leave it out", field=f"{where}{name[:MAX_NAME]}")


def needed(given: Mapping[str, Any], name: str, where: str = "") -> Any:
    """The value of a field that must be there."""
    value = given.get(name)
    if value is None:
        raise InputError("is required", field=where + name)
    return value
