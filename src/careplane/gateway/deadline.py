"""The time of a call: over when it has passed, or when a stop says so. Cheaper than ``asyncio.timeout``."""

import asyncio


class Deadline:
    """Cancels the task that entered it. :meth:`leave` says whether that is why the work ended."""

    __slots__ = ("_asked", "_ended", "_handle", "_over", "_task")

    def __init__(self, seconds: float) -> None:
        """From now on, in the task that is running."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a call runs in a task
        self._task = task
        self._asked = task.cancelling()
        self._over = self._ended = False
        self._handle = asyncio.get_running_loop().call_later(seconds, self.fire)

    def fire(self) -> None:
        """The time is over (in the thread of the event loop)."""
        if not self._ended and not self._over:
            self._over = True
            self._task.cancel()

    def leave(self, kind: type[BaseException] | None) -> bool:
        """The work has ended, with an exception of this kind; whether because its time was over, and nothing else."""
        self._ended = True
        self._handle.cancel()
        return self._over and self._task.uncancel() <= self._asked and kind is asyncio.CancelledError
