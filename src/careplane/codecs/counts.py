"""Token counts as endpoints report them."""

from typing import Any


def tokens(value: Any) -> int:
    """A count, 0 or more: what goes into bills and budgets is not negative, whatever an endpoint says.

    Raises:
        ValueError: not such a number.
    """
    count = int(value)
    if count < 0:
        raise ValueError("a negative number of tokens")
    return count
