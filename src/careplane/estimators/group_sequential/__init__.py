"""Looks at a trial while it runs: the boundaries that keep the type I error, and what was crossed.

Pocock's constant boundary (1977, Biometrika 64:191), O'Brien and Fleming's (1979, Biometrics 35:549), and the spending
functions of Lan and DeMets (1983, Biometrika 70:659) that follow them for any times of looking. Crossing probabilities
by recursive numerical integration (Armitage, McPherson & Rowe 1969; Jennison & Turnbull 2000, ch. 19).
"""

from collections.abc import Callable
from math import e, log, sqrt
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import ndtr, ndtri

from careplane.errors import InputError
from careplane.estimators import Floats
from careplane.estimators._frame import Frame
from careplane.estimators._spec import ALPHA, Info, Key, Result, Spec

MAX_LOOKS = 200
_ROOT: Any = optimize.brentq  # the library has no types
_POINTS = 10
"""Gauss-Legendre points in each panel of the grid; panels are two standard deviations of the kernel wide."""
_FAR = 8.0

INFO = Info(
    name="group_sequential",
    purpose="Boundaries for planned looks at a running comparison, and whether the statistics so far cross them.",
    keys=(
        Key(
            "boundary",
            "choice",
            "how the error is spent over the looks",
            "obrien_fleming",
            choices=("pocock", "obrien_fleming", "lan_demets_pocock", "lan_demets_obrien_fleming"),
        ),
        Key("looks", "integer", "how many looks, at equal steps of information", least=1, most=MAX_LOOKS),
        Key("information", "numbers", "share of the information at each look, ending with 1", least=0, most=1),
        Key("z", "numbers", "the statistics seen so far, one per look"),
        Key("sides", "integer", "1 or 2", default=2, least=1, most=2),
        ALPHA,
    ),
    source="Jennison & Turnbull 2000, Group Sequential Methods, ch. 2, 7 and 19",
    example={"estimator": "group_sequential", "boundary": "obrien_fleming", "looks": 5, "z": [1.1, 2.4, 2.9]},
)


def estimate(_frame: Frame | None, spec: Spec) -> Result:
    """The critical values of every look, and the first that was crossed.

    Raises:
        InputError: neither or both of looks and information are given, or information does not rise to 1.
    """
    times = _times(spec)
    alpha = spec["alpha"] if spec["sides"] == 2 else 2 * spec["alpha"]
    critical = boundaries(times, spec["boundary"], alpha)
    seen = tuple(spec["z"] or ())
    if len(seen) > len(times):
        raise InputError(f"has {len(seen)} statistics for {len(times)} looks", field="z")
    crossed = next(
        (i for i, (z, c) in enumerate(zip(seen, critical, strict=False)) if _beyond(z, c, spec["sides"])), None
    )
    spent = np.cumsum(crossing(times, critical))
    return Result(
        method=f"group sequential, {spec['boundary'].replace('_', ' ')}",
        n=len(times),
        details={
            "critical": [float(c) for c in critical],
            "nominal_p": [float((2 if spec["sides"] == 2 else 1) * ndtr(-c)) for c in critical],
            "information": [float(t) for t in times],
            "spent": [float(s if spec["sides"] == 2 else s / 2) for s in spent],
            "crossed_at_look": None if crossed is None else crossed + 1,
            "decision": _decision(crossed, len(seen), len(times)),
        },
    )


def _times(spec: Spec) -> Floats:
    if ("looks" in spec) == ("information" in spec):
        raise InputError("give either looks or information", field="looks")
    if "looks" in spec:
        return np.arange(1, spec["looks"] + 1, dtype=np.float64) / float(spec["looks"])
    times: Floats = np.array(spec["information"], dtype=np.float64)
    if len(times) > MAX_LOOKS or (np.diff(times, prepend=0.0) <= 0).any() or abs(times[-1] - 1) > 1e-9:
        raise InputError("must rise from above 0 to 1", field="information")
    return times


def _beyond(z: float, critical: float, sides: int) -> bool:
    return (abs(z) if sides == 2 else z) >= critical


def _decision(crossed: int | None, seen: int, looks: int) -> str:
    if crossed is not None:
        return "stop: the boundary is crossed"
    if seen == looks:
        return "end: the boundary was never crossed"
    return "go on" if seen else "no look yet"


def boundaries(times: Floats, kind: str, alpha: float) -> Floats:
    """Two-sided critical values of z at each look, for a whole error of ``alpha``."""
    if kind.startswith("lan_demets"):
        return _spending(times, _SPENT[kind.removeprefix("lan_demets_")](alpha))
    shape = np.ones(len(times)) if kind == "pocock" else 1 / np.sqrt(times)

    def excess(c: float) -> float:
        return float(crossing(times, c * shape).sum()) - alpha

    found: Floats = shape * float(_ROOT(excess, float(ndtri(1 - alpha / 2)) * 0.9, 10.0, xtol=1e-12))
    return found


def _pocock(alpha: float) -> Callable[[float], float]:
    return lambda t: alpha * log(1 + (e - 1) * t)


def _obrien_fleming(alpha: float) -> Callable[[float], float]:
    return lambda t: float(4 * ndtr(-ndtri(1 - alpha / 4) / sqrt(t)))


_SPENT = {"pocock": _pocock, "obrien_fleming": _obrien_fleming}


def _spending(times: Floats, spent: Callable[[float], float]) -> Floats:
    """Critical values look by look, so that each spends what is due."""
    found: list[float] = []
    path = _Path(times)
    before = 0.0
    for time in times:
        due = spent(float(time)) - before
        before += due

        def excess(c: float, due: float = due) -> float:
            return path.first(c) - due

        found.append(_FAR if due < 1e-15 or excess(_FAR) > 0 else float(_ROOT(excess, 0.0, _FAR, xtol=1e-12)))
        path.look(found[-1])
    return np.array(found)


def crossing(times: Floats, critical: Floats) -> Floats:
    """The probability under no effect that a boundary of ``|z|`` is crossed first at each look."""
    path = _Path(times)
    found = []
    for c in critical:
        found.append(path.first(float(c)))
        path.look(float(c))
    return np.array(found)


class _Path:
    """The distribution of z at the last look, of those that crossed no boundary so far."""

    def __init__(self, times: Floats) -> None:
        self._times = times
        self._at = 0
        self._grid = np.zeros(0)
        self._density = np.zeros(0)

    def first(self, critical: float) -> float:
        """The probability of crossing first at the next look."""
        if not self._at:
            return 2 * float(ndtr(-critical))
        reach, scale = self._reach()
        return float(self._density @ (ndtr((-critical - reach) * scale) + ndtr((reach - critical) * scale)))

    def look(self, critical: float) -> None:
        """Go on with those that do not cross."""
        grid, weight = _grid(critical, self._next_scale())
        if self._at:
            reach, scale = self._reach()
            kernel = scale / sqrt(2 * np.pi) * np.exp(-(((grid[:, None] - reach[None, :]) * scale) ** 2) / 2)
            self._density = weight * (kernel @ self._density)
        else:
            self._density = weight * np.exp(-(grid**2) / 2) / sqrt(2 * np.pi)
        self._grid = grid
        self._at += 1

    def _reach(self) -> tuple[Floats, float]:
        """Where z is expected at the next look, and how narrow it lies around there."""
        now, then = self._times[self._at], self._times[self._at - 1]
        return self._grid * sqrt(then / now), sqrt(now / (now - then))

    def _next_scale(self) -> float:
        if self._at + 1 >= len(self._times):
            return 1.0
        now, then = self._times[self._at + 1], self._times[self._at]
        return sqrt(now / (now - then))


def _grid(critical: float, scale: float) -> tuple[Floats, Floats]:
    """Gauss-Legendre points and weights between the boundaries, in panels as narrow as the kernel asks."""
    edge = min(critical, _FAR)
    points, weights = np.polynomial.legendre.leggauss(_POINTS)
    edges = np.linspace(-edge, edge, max(4, int(np.ceil(2 * edge * scale / 2))) + 1)
    half = np.diff(edges) / 2
    middle = (edges[:-1] + edges[1:]) / 2
    return (middle[:, None] + half[:, None] * points).ravel(), (half[:, None] * weights).ravel()
