"""Slowing down guesses: after five wrong passwords an account waits, twice as long each time."""

from datetime import datetime, timedelta

FREE_TRIES = 5
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
_ACCOUNTS_KEPT = 10_000


class Throttle:
    """Wrong tries by account name, in this process."""

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[int, datetime]] = {}

    def wait(self, account: str, at: datetime) -> timedelta:
        """How long the account must still wait before its next try."""
        tries, last = self._wrong.get(account, (0, at))
        if tries < FREE_TRIES:
            return timedelta(0)
        pause = min(FIRST_WAIT * (1 << min(tries - FREE_TRIES, 16)), LONGEST_WAIT)
        return max(timedelta(0), last + pause - at)

    def failed(self, account: str, at: datetime) -> None:
        """Note a wrong try. The oldest account is forgotten when too many are held."""
        tries, _last = self._wrong.pop(account, (0, at))
        self._wrong[account] = (tries + 1, at)
        if len(self._wrong) > _ACCOUNTS_KEPT:
            self._wrong.pop(next(iter(self._wrong)))

    def succeeded(self, account: str) -> None:
        """Forget the wrong tries of an account."""
        self._wrong.pop(account, None)
