"""JSON of a stranger into records: types strict, fields that we do not know left out, every refusal naming its field.

The text of a refusal never repeats a value: it may be one that identifies a patient.
"""

import re
from typing import TypeVar

import msgspec

from careplane.errors import InputError
from careplane.records import Record

R = TypeVar("R", bound=Record)

_VALUES = re.compile(r"Invalid enum value .*|Invalid value .*")


def convert(given: object, kind: type[R], where: str = "") -> R:
    """A JSON value as a record.

    Raises:
        InputError: a field is missing or of the wrong type; ``field`` is its path.
    """
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `")
        field = path.rstrip("`").removeprefix("$").removeprefix(".")
        told = _VALUES.sub("Not one of the values that are allowed", what)
        raise InputError(told, field=f"{where}{field}" or None) from error
