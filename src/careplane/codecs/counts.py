"""Token counts as endpoints report them."""

from typing import Any

MOST = 10**9
"""More than any model reads or writes: what an endpoint counts beyond it would empty a budget and break records."""


def tokens(value: Any) -> int:
    """A count from 0 to :data:`MOST`: it goes into bills, budgets and records, whatever an endpoint says.

    Raises:
        ValueError: not such a number.
    """
    count = int(value)
    if not 0 <= count <= MOST:
        raise ValueError("not a number of tokens")
    return count
