"""The effect to detect and the spread of one unit, of means, risks and rates; and the power of a test on them."""

from dataclasses import dataclass
from math import inf, isnan, log, sqrt
from typing import Any

from scipy.special import nctdtr, ndtr, ndtri, stdtr, stdtrit

from careplane.errors import InputError
from careplane.estimators._spec import Spec

_MANY = 1e5


@dataclass(frozen=True, slots=True)
class Effect:
    """What is to be found: ``size`` in the unit of the outcome (of rates: the logarithm of the ratio), the standard
    deviation ``sd`` of one unit, and whether that is known from the mean, so that no degrees of freedom are spent.

    ``distance`` is what the statistic has to bridge: the effect, or how far it stays inside the margin.
    """

    size: float
    sd: float
    known: bool
    distance: float
    one_sided: bool = False

    def power(self, se: float, df: float, alpha: float) -> float:
        """The power at a standard error; ``alpha`` is two-sided, and a one-sided test takes half of it."""
        return t_power(self.distance / se, inf if self.known else df, alpha, one_sided=self.one_sided)


def needed(spec: Spec, name: str) -> Any:
    """A key that the design cannot do without.

    Raises:
        InputError: it was not given.
    """
    if name not in spec:
        raise InputError(f"is needed for the design {spec['design']}", field=name)
    return spec[name]


def read_effect(spec: Spec) -> Effect:
    """The effect of a specification.

    Raises:
        InputError: something is missing, or there is nothing to find.
    """
    size, sd, known = _size(spec)
    sd *= sqrt(1 - spec["baseline_r"] ** 2)
    if spec["hypothesis"] == "superiority":
        if size == 0:
            name = "p_treated" if "p_treated" in spec else "rate_treated" if "rate_treated" in spec else "effect"
            raise InputError("must not be 0: there is no effect to detect", field=name)
        return Effect(size, sd, known, abs(size))
    margin = needed(spec, "margin")
    if known and "rate_control" in spec:
        margin = log(1 + margin)
    inside = margin + (size if spec["better"] == "higher" else -size)
    if inside <= 0:
        raise InputError("is already reached by the true effect, so no size shows it", field="margin")
    return Effect(size, sd, known, inside, one_sided=True)


def _size(spec: Spec) -> tuple[float, float, bool]:
    if "p_control" in spec or "p_treated" in spec:
        p, q = needed(spec, "p_treated"), needed(spec, "p_control")
        if spec["design"] == "stepped_wedge":
            middle = (p + q) / 2
            return p - q, sqrt(middle * (1 - middle)), True
        return p - q, sqrt((p * (1 - p) + q * (1 - q)) / 2), True
    if "rate_control" in spec or "rate_treated" in spec:
        one, other, time = needed(spec, "rate_treated"), needed(spec, "rate_control"), spec["exposure"]
        spread = (1 / one + 1 / other) / time / 2 + spec["dispersion"]
        return log(one / other), sqrt(spread), True
    given = 0.0 if spec["hypothesis"] == "non_inferiority" and "effect" not in spec else needed(spec, "effect")
    return given, needed(spec, "sd"), False


def t_power(ratio: float, df: float, alpha: float, *, one_sided: bool = False) -> float:
    """Power of a t-test (normal for infinite ``df``) whose statistic is ``ratio`` on average."""
    normal = df > _MANY
    reach = float(ndtri(1 - alpha / 2) if normal else stdtrit(df, 1 - alpha / 2))
    if normal:
        return float(ndtr(ratio - reach) + (0.0 if one_sided else ndtr(-ratio - reach)))
    below = [_share(df, ratio, at) for at in (reach, -reach)]
    return 1 - below[0] + (0.0 if one_sided else below[1])


def _share(df: float, ratio: float, at: float) -> float:
    """The share of a noncentral t below a value; where the library's series fails it is 0, or all but 0."""
    found = float(nctdtr(df, ratio, at)) if ratio else float(stdtr(df, at))
    return 0.0 if isnan(found) else found
