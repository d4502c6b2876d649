"""How strongly counts speak against "at most this share": an e-process that may be looked at after every run.

Of ``n`` runs ``events`` had one. Against a share of at most ``r`` one bets that the odds are ``m`` times those of
``r``; the wealth of that bet is ``m^events / (1 + (m - 1) r)^n``. For a true share ``p <= r`` each run multiplies it by
``(1 + (m - 1) p) / (1 + (m - 1) r) <= 1`` on average, whatever came before: it is a supermartingale that starts at 1,
and by Ville's inequality it ever reaches ``1 / alpha`` with probability ``alpha`` at most (Howard et al. 2021, Ann Stat
49:1055; Waudby-Smith & Ramdas 2024, JRSS B 86:1). The mean over several ``m`` keeps that.

The wealth depends on the counts alone, so the order of events changes nothing. A run counts as without an event until
one is told, so what is told late can only raise it: before that the watch is on the careful side.
"""

from collections.abc import Sequence
from math import exp, log, log1p

MULTIPLES: Sequence[float] = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
"""How many times the odds are bet to be, with equal stakes: from a little worse to disaster."""

_NEVER = 10_000_000


def e_value(events: float, n: int, share: float) -> float:
    """Evidence against "the true share is at most ``share``"; 1 says nothing, 1 / alpha is the bound."""
    logs = [events * log(m) - n * log1p((m - 1) * share) for m in MULTIPLES]
    most = max(logs)
    # Beyond this the number says no more, and e to it would be too large.
    return exp(min(most, 600.0)) * sum(exp(one - most) for one in logs) / len(logs)


def lower_bound(events: int, n: int, alpha: float) -> float:
    """The lower end of the confidence sequence of the true share: it lies below with probability ``alpha`` at most, at
    whichever look."""
    if not events or e_value(events, n, 1e-12) < 1 / alpha:
        return 0.0
    low, high = 1e-12, events / n
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if e_value(events, n, middle) >= 1 / alpha else (low, middle)
    return low


def runs_to_notice(max_rate: float, alpha: float, rate: float) -> int | None:
    """After how many runs the bound is crossed if events come at exactly ``rate``; ``None`` if never in practice."""
    low, high = 0, 1
    while e_value(high * rate, high, max_rate) < 1 / alpha:
        low, high = high, high * 2
        if high > _NEVER:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if e_value(middle * rate, middle, max_rate) >= 1 / alpha else (middle, high)
    return high
