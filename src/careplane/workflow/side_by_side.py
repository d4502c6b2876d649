"""Many pieces of work at the same time under one budget of time: what is late is told apart and goes on by itself."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from careplane.errors import CareplaneError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finished(Generic[T]):
    """What became of each by name: ``done``, ``failed`` with an error of ours, or ``late`` and still under way."""

    done: dict[str, T] = field(default_factory=dict)
    failed: dict[str, CareplaneError] = field(default_factory=dict)
    late: dict[str, "asyncio.Task[T]"] = field(default_factory=dict)


async def side_by_side(work: Mapping[str, Awaitable[T]], budget: float) -> Finished[T]:
    """Start all of them at once and give back what is there when all are done or the budget is over.

    Args:
        work: by name; none is stopped when the budget is over.
        budget: seconds from now.
    """
    tasks = {name: asyncio.ensure_future(one) for name, one in work.items()}
    if tasks:
        await asyncio.wait(tasks.values(), timeout=budget)
    found: Finished[T] = Finished()
    for name, task in tasks.items():
        if not task.done():
            found.late[name] = task
            continue
        error = task.exception()
        if isinstance(error, CareplaneError):
            found.failed[name] = error
        elif error is not None:
            raise error
        else:
            found.done[name] = task.result()
    return found
