"""Looks at a trial while it runs: the boundaries that keep the type I error, and what was crossed.

Pocock's constant boundary (1977, Biometrika 64:191), O'Brien and Fleming's (1979, Biometrics 35:549), and the spending
functions of Lan and DeMets (1983, Biometrika 70:659) that follow them for any times of looking. Crossing probabilities
by recursive numerical integration (Armitage, McPherson & Rowe 1969; Jennison & Turnbull 2000, ch. 19).
"""

from collections.abc import Callable, Mapping
from math import e, exp, log, sqrt
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import ndtr, ndtri

from careplane.errors import InputError
from careplane.estimators import Floats
from careplane.estimators._frame import Frame
from careplane.estimators._spec import ALPHA, Info, Key, Result, Spec
from careplane.estimators.group_sequential._path import FAR, Path

MAX_LOOKS = 200
KINDS = (
    "pocock",
    "obrien_fleming",
    "wang_tsiatis",
    "haybittle_peto",
    "lan_demets_pocock",
    "lan_demets_obrien_fleming",
    "hwang_shih_decani",
    "kim_demets",
)
_ROOT: Any = optimize.brentq  # the library has no types

INFO = Info(
    name="group_sequential",
    purpose="Boundaries for planned looks at a running comparison, and whether the statistics so far cross them.",
    keys=(
        Key("boundary", "choice", "how the error is spent over the looks", "obrien_fleming", choices=KINDS),
        Key("looks", "integer", "how many looks, at equal steps of information", least=1, most=MAX_LOOKS),
        Key(
            "information",
            "numbers",
            "share of the information at each look, ending with 1; of a spending function the looks so far do, planned "
            "or not",
            least=1e-6,
            most=1,
        ),
        Key("z", "numbers", "the statistics seen so far, one per look"),
        Key(
            "gamma",
            "number",
            "of hwang_shih_decani; -4 is like O'Brien & Fleming, 1 Pocock",
            -4.0,
            least=-40,
            most=40,
        ),
        Key("rho", "number", "of kim_demets: the power of the share of information", default=3.0, least=0.1, most=50),
        Key("delta", "number", "of wang_tsiatis; 0 is O'Brien & Fleming, 0.5 Pocock", 0.25, least=-2, most=0.5),
        Key("early", "number", "of haybittle_peto: critical value of each look but the last", 3.0, least=2, most=8),
        Key("sides", "integer", "1 or 2", default=2, least=1, most=2),
        ALPHA,
    ),
    source=(
        "Jennison & Turnbull 2000, Group Sequential Methods, ch. 2, 7 and 19; Lan & DeMets 1983, Biometrika 70:659; "
        "Hwang, Shih & DeCani 1990, Stat Med 9:1439"
    ),
    example={"estimator": "group_sequential", "boundary": "obrien_fleming", "looks": 5, "z": [1.1, 2.4, 2.9]},
)


def estimate(_frame: Frame | None, spec: Spec) -> Result:
    """The critical values of every look, and the first that was crossed.

    Raises:
        InputError: neither or both of looks and information are given, or information does not rise to 1.
    """
    times = _times(spec)
    seen = tuple(spec["z"] or ())
    if len(seen) > len(times):
        raise InputError(f"has {len(seen)} statistics for {len(times)} looks", field="z")
    critical = boundaries(times, spec["boundary"], spec["alpha"], sides=spec["sides"], shape=_shape(spec))
    crossed = next(
        (i for i, (z, c) in enumerate(zip(seen, critical, strict=False)) if _beyond(z, c, spec["sides"])), None
    )
    open_ended = times[-1] < 1 - 1e-9
    return Result(
        method=f"group sequential, {spec['boundary'].replace('_', ' ')}",
        n=len(times),
        details={
            "critical": [float(c) for c in critical],
            "nominal_p": [float(spec["sides"] * ndtr(-c)) for c in critical],
            "information": [float(t) for t in times],
            "spent": [float(s) for s in np.cumsum(crossing(times, critical, sides=spec["sides"]))],
            "crossed_at_look": None if crossed is None else crossed + 1,
            "decision": _decision(crossed, len(seen), len(times), open_ended=open_ended),
        },
        warnings=("Not all information is in; the next look gets its boundary when its share is known.",)
        if open_ended
        else (),
    )


def _times(spec: Spec) -> Floats:
    if ("looks" in spec) == ("information" in spec):
        raise InputError("give either looks or information", field="looks")
    if "looks" in spec:
        return np.arange(1, spec["looks"] + 1, dtype=np.float64) / float(spec["looks"])
    times: Floats = np.array(spec["information"], dtype=np.float64)
    if not len(times) or len(times) > MAX_LOOKS or (np.diff(times, prepend=0.0) <= 0).any():
        raise InputError(f"must rise from above 0 to 1, in {MAX_LOOKS} looks or fewer", field="information")
    if times[-1] < 1 - 1e-9 and spec["boundary"] not in SPENDING:
        raise InputError(
            f"must rise to 1, for {spec['boundary']} is set for all looks at once; for looks that were not planned use "
            "lan_demets_obrien_fleming",
            field="information",
        )
    return times


def _shape(spec: Spec) -> float:
    """The number that a family of boundaries is chosen by."""
    names = {"hwang_shih_decani": "gamma", "kim_demets": "rho", "wang_tsiatis": "delta", "haybittle_peto": "early"}
    return float(spec[names[spec["boundary"]]]) if spec["boundary"] in names else 0.0


def _beyond(z: float, critical: float, sides: int) -> bool:
    return (abs(z) if sides == 2 else z) >= critical


def _decision(crossed: int | None, seen: int, looks: int, *, open_ended: bool) -> str:
    if crossed is not None:
        return "stop: the boundary is crossed"
    if seen == looks and not open_ended:
        return "end: the boundary was never crossed"
    return "go on" if seen else "no look yet"


def boundaries(times: Floats, kind: str, alpha: float, *, sides: int = 2, shape: float = 0.0) -> Floats:
    """Critical values of z at each look, for a whole error of ``alpha``; ``shape`` is of the family, if it has one."""
    if kind in SPENDING:
        return _spending(times, SPENDING[kind](alpha, shape, sides), sides)
    if kind == "haybittle_peto":
        return _last(times, alpha, sides, shape)
    powers = {"pocock": 0.5, "obrien_fleming": 0.0, "wang_tsiatis": shape}
    curve = times ** (powers[kind] - 0.5)

    def excess(c: float) -> float:
        return float(crossing(times, c * curve, sides=sides).sum()) - alpha

    found: Floats = curve * float(_ROOT(excess, float(ndtri(1 - alpha / sides)) * 0.9, 12.0, xtol=1e-12))
    return found


def _last(times: Floats, alpha: float, sides: int, early: float) -> Floats:
    """Haybittle & Peto: one high value, and the last such that the whole error is kept."""
    found = np.full(len(times), early)

    def excess(c: float) -> float:
        return float(crossing(times, np.r_[found[:-1], c], sides=sides).sum()) - alpha

    if excess(FAR) > 0:
        raise InputError(
            f"spends more than alpha before the last of {len(times)} looks; give a higher one", field="early"
        )
    found[-1] = float(_ROOT(excess, 0.0, FAR, xtol=1e-12))
    return found


Spent = Callable[[float], float]


def _pocock(alpha: float, _shape: float, _sides: int) -> Spent:
    return lambda t: alpha * log(1 + (e - 1) * t)


def _obrien_fleming(alpha: float, _shape: float, sides: int) -> Spent:
    return lambda t: float(2 * sides * ndtr(-ndtri(1 - alpha / (2 * sides)) / sqrt(t)))


def _hwang_shih_decani(alpha: float, gamma: float, _sides: int) -> Spent:
    return lambda t: alpha * t if abs(gamma) < 1e-9 else alpha * (1 - exp(-gamma * t)) / (1 - exp(-gamma))


def _kim_demets(alpha: float, rho: float, _sides: int) -> Spent:
    return lambda t: float(alpha * t**rho)


SPENDING: Mapping[str, Callable[[float, float, int], Spent]] = {
    "lan_demets_pocock": _pocock,
    "lan_demets_obrien_fleming": _obrien_fleming,
    "hwang_shih_decani": _hwang_shih_decani,
    "kim_demets": _kim_demets,
}


def _spending(times: Floats, spent: Spent, sides: int) -> Floats:
    """Critical values look by look, so that each spends what is due."""
    found: list[float] = []
    path = Path(times, sides)
    before = 0.0
    for time in times:
        due = spent(float(time)) - before
        before += due

        def excess(c: float, due: float = due) -> float:
            return path.first(c) - due

        found.append(FAR if due < 1e-15 or excess(FAR) > 0 else float(_ROOT(excess, -FAR, FAR, xtol=1e-12)))
        path.look(found[-1])
    return np.array(found)


def crossing(times: Floats, critical: Floats, *, sides: int = 2) -> Floats:
    """The probability under no effect that a boundary of ``|z|`` (one-sided: of z) is crossed first at each look."""
    path = Path(times, sides)
    found = []
    for c in critical:
        found.append(path.first(float(c)))
        path.look(float(c))
    return np.array(found)
