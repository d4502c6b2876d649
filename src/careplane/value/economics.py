"""Platform economics: pure formulas (requirements, section C). Money is USD, times are as named."""

import math
from collections.abc import Sequence

import numpy as np

from careplane.errors import InputError
from careplane.records import Record

WEEKS_PER_YEAR = 52
LEAST_LAUNCHES = 3


class ExperienceCurve(Record, frozen=True):
    """``log(cost) = a + b·log(k)`` over the order of launch ``k``. Each doubling of launches multiplies the cost of the
    next by ``progress_ratio`` = 2^b."""

    a: float
    b: float
    progress_ratio: float
    n: int

    def cost_of(self, k: int) -> float:
        """The predicted cost of the ``k``-th app, in the unit of the costs given."""
        return math.exp(self.a + self.b * math.log(k))


def break_even_apps(platform_fixed: float, marginal_point: float, marginal_platform: float) -> float | None:
    """The number of apps from which a platform is cheaper than point solutions: F ÷ (MC_point − MC_platform).

    ``None`` when the platform's next app costs no less than a point solution: then it never pays.
    """
    saved = marginal_point - marginal_platform
    return platform_fixed / saved if saved > 0 else None


def experience_curve(costs: Sequence[float]) -> ExperienceCurve:
    """Fit the experience curve to the costs of apps in order of launch, by least squares on logarithms.

    Raises:
        InputError: fewer than three launches, or a cost that is not positive.
    """
    if len(costs) < LEAST_LAUNCHES:
        raise InputError(f"needs {LEAST_LAUNCHES} launches or more, there are {len(costs)}", field="costs")
    if min(costs) <= 0:
        raise InputError("must all be more than 0", field="costs")
    b, a = np.polyfit(np.log(np.arange(1, len(costs) + 1)), np.log(costs), 1)
    return ExperienceCurve(a=float(a), b=float(b), progress_ratio=2 ** float(b), n=len(costs))


def productivity_dip(users: float, hours_per_week: float, dip: float, weeks: float, usd_per_hour: float) -> float:
    """What slower work costs while people learn: users × hours per week × dip share × weeks × loaded rate."""
    return users * hours_per_week * dip * weeks * usd_per_hour


def inference_per_year(users: float, calls_per_week: float, tokens_per_call: float, usd_per_million: float) -> float:
    """What the model itself costs in a year of 52 weeks."""
    return users * calls_per_week * WEEKS_PER_YEAR * tokens_per_call / 1e6 * usd_per_million
